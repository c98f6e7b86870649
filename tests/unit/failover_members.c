/* SPDX-License-Identifier: Apache-2.0
 * What the daemon does about members while nothing else is under way (failover_after.c, failover_leave.c,
 * failover_raise.c there), each step by what the coordinator has heard last, which may be old; and what
 * becomes of members: hosts are off and come back, receivers are stopped and started.
 */
#include "failover_world_impl.h"

#include <string.h>

static NodeSet one(int node)
{
    return node < 0 ? 0 : (NodeSet)1 << node;
}

void members_init(World *w, const WorldConf *c)
{
    w->in_force = w->voters[0].accepted;
    for (int i = 0; i < WORLD_COORDINATORS; i++)
        w->wishes[i].leaving = FAILOVER_NOBODY;
    if (!c->begins_alone)
        return;
    Decision d = w->in_force;
    d.members = 0;
    d.acks = 0;
    w->in_force = w->coordinators[0].base = d;
    for (int i = 0; i < world_voters(c); i++)
        w->voters[i].accepted = d;
    w->servers[0].semi_sync = false;
    w->servers[0].acks = 0;
    for (int i = 1; i < c->servers; i++) {
        w->servers[i].follows = FAILOVER_NOBODY;
        w->servers[i].receiver = w->servers[i].armed = false;
        w->servers[i].silence = ++w->silences;
    }
}

/* ---- what a coordinator goes by --------------------------------------------------------------------- */

static WorldHeard state_of(const World *w, int node)
{
    const WorldServer *s = &w->servers[node];
    const WorldVoter *v = &w->voters[node];
    WorldHeard h;
    memset(&h, 0, sizeof h);
    h.known = true;
    h.up = s->up;
    h.receiver = s->receiver;
    h.armed = s->receiver && s->armed;
    h.follows = s->follows;
    h.process = s->process;
    h.silence = s->silence;
    h.since = true;
    h.position = world_position(s);
    h.term = v->accepted.ballot.term;
    h.version = v->accepted.version;
    return h;
}

static bool stands(const Failover *f)
{
    return f->phase == FAILOVER_IDLE && f->base.open && ballot_same(f->base.ballot, f->mine);
}

static bool has_accepted(const Failover *f, const WorldHeard *h)
{
    return h->known && h->term == f->base.ballot.term && h->version == f->base.version;
}

static bool follows(const Failover *f, const WorldHeard *h)
{
    return h->up && h->receiver && h->follows == f->base.primary;
}

/* Stopped, and not in the silence that an arm may end which is under way. */
static bool is_silent(const Failover *f, const WorldHeard *h, int node)
{
    return has_accepted(f, h) && h->up && !h->receiver && h->silence && h->silence != f->silence[node];
}

static bool all_have(const World *w, int coordinator, NodeSet members, int position)
{
    for (int i = 0; i < WORLD_NODES; i++)
        if ((members & one(i)) &&
            !(w->heard[coordinator][i].known && world_covers(w->heard[coordinator][i].position, position)))
            return false;
    return true;
}

/* ---- its steps -------------------------------------------------------------------------------------- */

static void order(World *w, int coordinator, int node, FailoverOrderKind kind, int acks)
{
    const Failover *f = &w->coordinators[coordinator];
    FailoverOrder o;
    memset(&o, 0, sizeof o);
    o.kind = kind;
    o.ballot = f->mine;
    o.decision = f->base;
    o.decision.acks = acks;
    o.donor = FAILOVER_NOBODY;
    world_order(w, coordinator, node, &o);
}

static void feed(World *w, const WorldConf *c, int coordinator, FailoverEventKind kind, int node, int number)
{
    FailoverEvent ev;
    memset(&ev, 0, sizeof ev);
    ev.kind = kind;
    ev.node = node;
    ev.ballot = w->coordinators[coordinator].mine;
    if (kind == FAILOVER_EV_GROW)
        ev.silence = number;
    if (kind == FAILOVER_EV_RAISE)
        ev.acks = number;
    Decision before = w->coordinators[coordinator].base;
    world_feed(w, c, coordinator, &ev);
    const Failover *f = &w->coordinators[coordinator];
    if (f->phase != FAILOVER_CONFIRM)
        return;
    w->counted_in += kind == FAILOVER_EV_GROW && f->chosen.members != before.members;
    w->counted_out += kind == FAILOVER_EV_SHRINK;
    w->raised += kind == FAILOVER_EV_RAISE;
}

static void tidy(World *w, const WorldConf *c, int i, int node)
{
    const Failover *f = &w->coordinators[i];
    const WorldHeard *h = &w->heard[i][node];
    if (!has_accepted(f, h)) {
        order(w, i, node, FAILOVER_ACCEPT, f->base.acks);
        return;
    }
    if (node == f->base.primary || !h->up)
        return;
    if (!h->receiver && h->follows == f->base.primary)
        return; /* its agent's to start */
    if (!follows(f, h)) {
        order(w, i, node, FAILOVER_FOLLOW, f->base.acks);
        return;
    }
    if (w->wishes[i].leaving == node)
        w->wishes[i].leaving = FAILOVER_NOBODY;
    if (f->base.members & one(node) && (h->armed || h->silence == f->silence[node]))
        order(w, i, node, FAILOVER_ARM, f->base.acks);
    else
        feed(w, c, i, FAILOVER_EV_GROW, node, h->silence);
}

static bool is_off(const World *w, int node)
{
    return w->away & one(node);
}

static bool may_leave(const World *w, int i, int node)
{
    const Failover *f = &w->coordinators[i];
    return stands(f) && (f->base.members & one(node)) &&
           (is_silent(f, &w->heard[i][node], node) || is_off(w, node));
}

static void leave(World *w, int i, int node)
{
    WorldWish *wish = &w->wishes[i];
    wish->leaving = (int8_t)node;
    wish->off = is_off(w, node);
    wish->silence = wish->off ? 0 : w->heard[i][node].silence;
    wish->left_at = world_position(&w->servers[w->coordinators[i].base.primary]);
}

static bool has_left(const World *w, int i)
{
    const WorldWish *wish = &w->wishes[i];
    int node = wish->leaving;
    return node != FAILOVER_NOBODY && may_leave(w, i, node) &&
           (wish->off ? is_off(w, node) : wish->silence == w->heard[i][node].silence) &&
           all_have(w, i, w->coordinators[i].base.members & ~one(node), wish->left_at);
}

static bool may_raise(const World *w, const WorldConf *c, int i)
{
    const Failover *f = &w->coordinators[i];
    const WorldHeard *p = &w->heard[i][f->base.primary < 0 ? 0 : f->base.primary];
    if (!stands(f) || f->base.acks || __builtin_popcount(f->base.members) < c->acks || !p->known || !p->up)
        return false;
    for (int k = 0; k < c->servers; k++)
        if ((f->base.members & one(k)) && !w->heard[i][k].armed)
            return false;
    return true;
}

/* By the look at the primary that began when its commits waited already. */
static void raise_acks(World *w, const WorldConf *c, int i)
{
    const Failover *f = &w->coordinators[i];
    WorldHeard *p = &w->heard[i][f->base.primary];
    WorldWish *wish = &w->wishes[i];
    if (wish->process != p->process)
        wish->strict = wish->has_position = false;
    wish->process = p->process;
    if (!wish->strict) {
        order(w, i, f->base.primary, FAILOVER_OPEN, c->acks);
        return;
    }
    if (!wish->has_position) {
        wish->has_position = p->since;
        wish->position = p->position;
        return;
    }
    if (!all_have(w, i, f->base.members, wish->position))
        return;
    wish->strict = wish->has_position = false;
    feed(w, c, i, FAILOVER_EV_RAISE, f->base.primary, c->acks);
}

void members_opened(World *w, int coordinator, const FailoverEvent *ev)
{
    const Failover *f = &w->coordinators[coordinator];
    WorldWish *wish = &w->wishes[coordinator];
    if (ev->kind != FAILOVER_EV_OPENED || !stands(f) || !ballot_same(ev->ballot, f->mine) ||
        ev->version != f->base.version || ev->acks <= f->base.acks)
        return;
    wish->strict = true;
    wish->has_position = false;
    w->heard[coordinator][f->base.primary].since = false;
}

/* ---- what may happen -------------------------------------------------------------------------------- */

static bool may_start(const World *w, int node)
{
    const WorldServer *s = &w->servers[node];
    const WorldVoter *v = &w->voters[node];
    return s->up && !s->open && !s->closed && !s->receiver && s->follows >= 0 && !v->vote.shut &&
           v->accepted.primary == s->follows;
}

static void node_actions(const World *w, const WorldConf *c, int node, WorldAction *ret, int *n)
{
    const WorldServer *s = &w->servers[node];
    bool replica = !s->open && !s->closed && s->follows >= 0;
    if (is_off(w, node)) {
        world_add(ret, n, WORLD_BACK, node, 0);
        return;
    }
    if (replica && w->aways < c->aways) {
        world_add(ret, n, WORLD_AWAY, node, 0);
        if (s->receiver)
            world_add(ret, n, WORLD_STOP, node, 0);
    }
    if (may_start(w, node))
        world_add(ret, n, WORLD_START, node, 0);
}

void members_actions(const World *w, const WorldConf *c, WorldAction *ret, int *n)
{
    for (int i = 0; i < c->servers; i++)
        node_actions(w, c, i, ret, n);
    for (int i = 0; i < WORLD_COORDINATORS; i++) {
        for (int k = 0; k < c->servers; k++) {
            if (!is_off(w, k))
                world_add(ret, n, WORLD_HEAR, i, k);
            if (stands(&w->coordinators[i]) && w->heard[i][k].known)
                world_add(ret, n, WORLD_TIDY, i, k);
            if (may_leave(w, i, k))
                world_add(ret, n, WORLD_LEAVE, i, k);
        }
        if (has_left(w, i))
            world_add(ret, n, WORLD_LEFT, i, w->wishes[i].leaving);
        if (may_raise(w, c, i))
            world_add(ret, n, WORLD_RAISE, i, 0);
    }
}

static void start(World *w, int node)
{
    WorldServer *s = &w->servers[node];
    s->receiver = true;
    s->armed = false;
    s->silence = ++w->silences;
}

void members_do(World *w, const WorldConf *c, const WorldAction *a)
{
    switch (a->kind) {
    case WORLD_AWAY:
        w->aways++;
        w->away |= (uint8_t)one(a->a);
        world_stop_server(&w->servers[a->a]);
        break;
    case WORLD_BACK:
        w->away &= (uint8_t)~one(a->a);
        w->servers[a->a].silence = ++w->silences;
        break;
    case WORLD_STOP:
        w->aways++;
        w->servers[a->a].receiver = false;
        w->servers[a->a].silence = ++w->silences;
        break;
    case WORLD_START:
        start(w, a->a);
        break;
    case WORLD_HEAR:
        w->heard[a->a][a->b] = state_of(w, a->b);
        break;
    case WORLD_TIDY:
        tidy(w, c, a->a, a->b);
        break;
    case WORLD_LEAVE:
        leave(w, a->a, a->b);
        break;
    case WORLD_LEFT:
        feed(w, c, a->a, FAILOVER_EV_SHRINK, a->b, 0);
        w->wishes[a->a].leaving = FAILOVER_NOBODY;
        break;
    case WORLD_RAISE:
        raise_acks(w, c, a->a);
        break;
    default:
        break;
    }
}

/* ---- what must hold --------------------------------------------------------------------------------- */

static bool is_later(const Decision *a, const Decision *b)
{
    return a->ballot.term > b->ballot.term || (a->ballot.term == b->ballot.term && a->version > b->version);
}

static bool has_majority(const World *w, const WorldConf *c, const Decision *d)
{
    int n = 0;
    for (int i = 0; i < world_voters(c); i++)
        n += ballot_same(w->voters[i].accepted.ballot, d->ballot) &&
             w->voters[i].accepted.version == d->version;
    return 2 * n > world_voters(c);
}

/* Any members - acks + 1 of them may be all that is asked who is to be the primary. */
const char *members_hold(World *w, const WorldConf *c)
{
    for (int i = 0; i < world_voters(c); i++)
        if (is_later(&w->voters[i].accepted, &w->in_force) && has_majority(w, c, &w->voters[i].accepted))
            w->in_force = w->voters[i].accepted;
    for (int trx = 0; trx < WORLD_TRX; trx++) {
        int n = 0;
        for (int k = 0; k < c->servers; k++)
            n += (w->in_force.members & one(k)) && memchr(w->servers[k].log, trx, w->servers[k].n);
        if ((w->acknowledged & one(trx)) && n < w->in_force.acks)
            return "acknowledged, and too few of the members by the decision in force hold it";
    }
    return NULL;
}
