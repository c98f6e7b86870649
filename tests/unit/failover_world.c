/* SPDX-License-Identifier: Apache-2.0 */
#include "failover_world_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLOSE = 1, WAIT = 3, FORCED_AFTER = 1 };

/* All that were ever sent in any world since the last that began. */
static WorldMessage messages[WORLD_MESSAGES];
static uint64_t hashes[WORLD_MESSAGES];
static int n_messages;

static uint64_t hash_words(const void *data, size_t size)
{
    uint64_t h = 1469598103934665603u;
    const uint64_t *p = data;
    for (size_t i = 0; i < size / 8; i++) {
        h = (h ^ p[i]) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    return h;
}

void world_send(World *w, const WorldMessage *m)
{
    int i = 0;
    uint64_t hash = hash_words(m, sizeof *m);
    while (i < n_messages && (hashes[i] != hash || memcmp(&messages[i], m, sizeof *m)))
        i++;
    if (i == WORLD_MESSAGES) {
        fprintf(stderr, "too many kinds of messages\n");
        abort();
    }
    if (i == n_messages) {
        hashes[i] = hash;
        messages[n_messages++] = *m;
    }
    w->sent[i / 64] |= (uint64_t)1 << (i % 64);
}

/* ---- positions: a log as a number ------------------------------------------------------------------- */

int world_position(const WorldServer *s)
{
    int p = 0;
    for (int i = 0; i < s->n; i++)
        p = p * (WORLD_TRX + 1) + s->log[i] + 1;
    return p;
}

static int length(int p)
{
    int n = 0;
    for (; p; p /= WORLD_TRX + 1)
        n++;
    return n;
}

bool world_covers(int a, int b)
{
    for (int more = length(a) - length(b); more > 0; more--)
        a /= WORLD_TRX + 1;
    return a == b;
}

static bool covers(const void *arg, int a, int b)
{
    (void)arg;
    return world_covers(a, b);
}

bool world_is_prefix(const WorldServer *a, const WorldServer *of)
{
    return a->n <= of->n && !memcmp(a->log, of->log, a->n);
}

int world_voters(const WorldConf *c)
{
    return c->servers + c->witness;
}

static FailoverRules rules(const World *w, const WorldConf *c, int coordinator)
{
    FailoverRules r = {.voters = (1u << world_voters(c)) - 1,
                       .servers = (1u << c->servers) - 1,
                       .acks = c->acks,
                       .alone = c->alone,
                       .old_is_off = w->forced && coordinator == 0,
                       .forced_after_ms = FORCED_AFTER,
                       .fence_wait_ms = WAIT,
                       .follow_wait_ms = 1,
                       .close_wait_ms = 3,
                       .closed_most_ms = 2,
                       .phase_limit_ms = 100};
    if (c->witness)
        r.never = 1u << c->servers;
    return r;
}

void world_init(World *w, const WorldConf *c)
{
    memset(w, 0, sizeof *w);
    n_messages = 0;
    Decision d;
    memset(&d, 0, sizeof d);
    d.ballot = (Ballot){1, 1};
    d.version = 1;
    d.open = true;
    d.members = ((1u << c->servers) - 1) & ~1u;
    d.acks = c->acks;
    for (int i = 0; i < world_voters(c); i++) {
        w->voters[i].vote = (Voter){.promised = d.ballot, .accepted = d.ballot, .version = 1};
        w->voters[i].accepted = d;
    }
    for (int i = 0; i < c->servers; i++) {
        WorldServer *s = &w->servers[i];
        s->up = true;
        s->follows = FAILOVER_NOBODY;
        s->receiver = s->armed = i > 0;
        if (i)
            s->follows = 0;
    }
    w->servers[0].open = w->servers[0].semi_sync = w->servers[0].drained = true;
    w->servers[0].acks = (uint8_t)c->acks;
    w->servers[0].valid_until = WORLD_FENCE_AFTER;
    w->opened_term = 1;
    Decision none;
    memset(&none, 0, sizeof none);
    none.primary = none.held_by = FAILOVER_NOBODY;
    failover_init(&w->coordinators[0], &d);
    failover_init(&w->coordinators[1], &none);
    w->coordinators[0].mine = d.ballot;
    members_init(w, c);
}

/* ---- coordinators ----------------------------------------------------------------------------------- */

void world_order(World *w, int coordinator, int node, const FailoverOrder *o)
{
    const Failover *f = &w->coordinators[coordinator];
    WorldMessage m;
    memset(&m, 0, sizeof m);
    m.kind = (uint8_t)o->kind;
    m.coordinator = (int8_t)coordinator;
    m.node = (int8_t)node;
    m.ballot = o->ballot;
    m.clean = m.kind == FAILOVER_FENCE && o->clean && node == f->base.held_by;
    if (m.kind >= FAILOVER_ACCEPT) {
        m.decision = o->decision;
        m.donor = (int8_t)o->donor;
    }
    if (m.kind == FAILOVER_ARM)
        m.silence = (uint8_t)f->silence[node];
    world_send(w, &m);
}

void world_feed(World *w, const WorldConf *c, int i, FailoverEvent *ev)
{
    FailoverRules r = rules(w, c, i);
    FailoverOrders out;
    ev->now_ms = w->now;
    failover_step(&w->coordinators[i], &r, ev, covers, NULL, &out);
    FailoverPhase phase = w->coordinators[i].phase;
    if (i == 0 && (phase == FAILOVER_IDLE || phase == FAILOVER_DEPOSED))
        w->forced = false;
    for (int k = 0; k < out.n; k++)
        for (int node = 0; node < world_voters(c); node++)
            if (out.v[k].kind != FAILOVER_TELL && (out.v[k].to & (1u << node)))
                world_order(w, i, node, &out.v[k]);
}

static Ballot next_ballot(const World *w, int i)
{
    const Failover *f = &w->coordinators[i];
    int64_t term = f->mine.term > f->heard ? f->mine.term : f->heard;
    if (f->base.ballot.term > term)
        term = f->base.ballot.term;
    return (Ballot){term + 1, (uint64_t)i + 1};
}

/* ---- what may happen -------------------------------------------------------------------------------- */

static bool may_acknowledge(const WorldServer *s, const WorldConf *c, int at)
{
    int n = 0;
    for (int i = 0; i < c->servers; i++)
        n += s->got[i] > at;
    return s->up && (s->waiting & (1u << at)) && (!s->semi_sync || n >= s->acks);
}

/* Members that say: nobody has asked me to follow another. */
static bool may_renew(const World *w, const WorldConf *c, int node)
{
    const WorldServer *s = &w->servers[node];
    const WorldVoter *own = &w->voters[node];
    int n = 0;
    for (int i = 0; i < c->servers; i++)
        n += (own->accepted.members & ~w->away & (1u << i)) && !w->voters[i].vote.shut &&
             w->voters[i].vote.promised.term <= own->vote.promised.term + 1 &&
             w->voters[i].accepted.primary == node;
    return s->up && s->open && n >= s->acks && s->valid_until < w->now + WORLD_FENCE_AFTER;
}

static bool may_reopen(const World *w, int node)
{
    const WorldServer *s = &w->servers[node];
    return s->up && s->closed && w->now < s->valid_until + CLOSE &&
           order_may_reopen(&w->voters[node].vote, s->closed_in);
}

static bool may_pass(const World *w, const WorldConf *c)
{
    if (w->now >= 12)
        return false;
    for (int i = 0; i < c->servers; i++) {
        const WorldServer *s = &w->servers[i];
        if (s->up && s->open && s->acks > 0 && w->now >= s->valid_until + CLOSE)
            return false;
    }
    return true;
}

void world_add(WorldAction *ret, int *n, WorldActionKind kind, int a, int b)
{
    if (*n < WORLD_ACTIONS)
        ret[(*n)++] = (WorldAction){kind, a, b};
}

static void server_actions(const World *w, const WorldConf *c, WorldAction *ret, int *n)
{
    for (int i = 0; i < c->servers; i++) {
        const WorldServer *s = &w->servers[i];
        if (s->up && (s->open || (s->closed && c->rights)) && w->n_trx < c->trx && s->n < WORLD_TRX)
            world_add(ret, n, WORLD_WRITE, i, 0);
        const WorldServer *from = s->follows >= 0 ? &w->servers[s->follows] : NULL;
        if (s->up && s->receiver && from && from->up && s->n < from->n && world_is_prefix(s, from))
            world_add(ret, n, WORLD_REPLICATE, i, 0);
        for (int k = 0; k < s->n; k++)
            if (may_acknowledge(s, c, k))
                world_add(ret, n, WORLD_ACKNOWLEDGE, i, k);
        if (s->up && w->kills < c->kills)
            world_add(ret, n, WORLD_KILL, i, 0);
        if (!s->up && !(w->off && i == 0) && !(w->away & (1u << i)))
            world_add(ret, n, WORLD_RESTART, i, 0);
        if (may_reopen(w, i))
            world_add(ret, n, WORLD_REOPEN, i, 0);
        if (may_renew(w, c, i))
            world_add(ret, n, WORLD_RENEW, i, 0);
        if (s->up && s->open && s->acks > 0 && w->now >= s->valid_until)
            world_add(ret, n, WORLD_CLOSE, i, 0);
    }
}

static bool is_for(const WorldMessage *m, int node)
{
    return !m->answer && m->node == node;
}

/* Who says so looks first: it is the host of the primary that is being replaced. */
static bool may_force(const World *w)
{
    const Failover *f = &w->coordinators[0];
    return w->off && !w->forced && f->base.held_by == 0 && f->phase != FAILOVER_IDLE &&
           f->phase != FAILOVER_DEPOSED;
}

int world_actions(const World *w, const WorldConf *c, WorldAction *ret)
{
    int n = 0;
    server_actions(w, c, ret, &n);
    for (int i = 0; i < n_messages; i++)
        if ((w->sent[i / 64] & ((uint64_t)1 << (i % 64))) && !(w->off && is_for(&messages[i], 0)) &&
            (messages[i].answer || !(w->away & (1u << messages[i].node)))) {
            world_add(ret, &n, WORLD_DELIVER, i, 0);
            if (!messages[i].answer && w->kills < c->kills) {
                world_add(ret, &n, WORLD_CUT, i, 0);
                world_add(ret, &n, WORLD_CUT, i, 1);
                world_add(ret, &n, WORLD_CUT, i, 2);
            }
        }
    for (int i = 0; i < WORLD_COORDINATORS; i++) {
        if (w->begun[i] < c->begins) {
            world_add(ret, &n, WORLD_BEGIN, i, 0);
            world_add(ret, &n, WORLD_SWITCH, i, 0);
            world_add(ret, &n, WORLD_TAKE_OVER, i, 0);
            if (w->coordinators[i].phase == FAILOVER_FENCING || w->coordinators[i].phase == FAILOVER_CLOSING)
                world_add(ret, &n, WORLD_GIVE_UP, i, 0);
        }
        world_add(ret, &n, WORLD_LOOK, i, 0);
    }
    if (may_pass(w, c))
        world_add(ret, &n, WORLD_TIME, 0, 0);
    if (c->off && !w->off)
        world_add(ret, &n, WORLD_OFF, 0, 0);
    if (may_force(w))
        world_add(ret, &n, WORLD_FORCE, 0, 0);
    if (c->moves)
        members_actions(w, c, ret, &n);
    return n;
}

static const char *acknowledge(World *w, int node, int at)
{
    WorldServer *s = &w->servers[node];
    int trx = s->log[at];
    s->waiting &= (uint8_t) ~(1u << at);
    w->acknowledged |= (uint8_t)(1u << trx);
    const WorldServer *p = &w->servers[w->opened];
    if (!memchr(p->log, trx, p->n))
        return "acknowledged, and the primary of the last term lacks it";
    return NULL;
}

static const char *reopen(World *w, int node)
{
    for (int i = 0; i < WORLD_NODES; i++)
        if (i != node && w->servers[i].up && w->servers[i].open)
            return "one that was closed opens beside another";
    w->servers[node].closed = false;
    w->servers[node].open = true;
    return NULL;
}

static void begin(World *w, const WorldConf *c, int i, FailoverEventKind kind, bool clean)
{
    FailoverEvent ev;
    memset(&ev, 0, sizeof ev);
    ev.clean = clean;
    ev.kind = kind;
    ev.ballot = next_ballot(w, i);
    w->begun[i]++;
    world_feed(w, c, i, &ev);
}

static const char *happens(World *w, const WorldConf *c, const WorldAction *a)
{
    WorldServer *s = &w->servers[a->a < WORLD_NODES ? a->a : 0];
    FailoverEvent ev;
    memset(&ev, 0, sizeof ev);
    switch (a->kind) {
    case WORLD_WRITE:
        s->waiting |= (uint8_t)(1u << s->n);
        s->log[s->n++] = w->n_trx++;
        return NULL;
    case WORLD_REPLICATE: {
        WorldServer *from = &w->servers[s->follows];
        s->log[s->n] = from->log[s->n];
        s->n++;
        if (s->armed)
            from->got[a->a] = s->n;
        return NULL;
    }
    case WORLD_ACKNOWLEDGE:
        return acknowledge(w, a->a, a->b);
    case WORLD_KILL:
        w->kills++;
        world_stop_server(s);
        return NULL;
    case WORLD_RESTART:
        s->up = true;
        s->semi_sync = true;
        s->log_read = false;
        s->acks = (uint8_t)c->acks;
        s->process++;
        s->silence = ++w->silences;
        return NULL;
    case WORLD_DELIVER:
    case WORLD_CUT: {
        const WorldMessage m = messages[a->a];
        if (!m.answer) {
            w->kills += a->kind == WORLD_CUT;
            return world_obey(w, c, &m, a->kind == WORLD_CUT ? a->b : -1);
        }
        ev = m.event;
        members_opened(w, m.coordinator, &ev);
        world_feed(w, c, m.coordinator, &ev);
        return NULL;
    }
    case WORLD_BEGIN:
    case WORLD_SWITCH:
        begin(w, c, a->a, FAILOVER_EV_BEGIN, a->kind == WORLD_SWITCH);
        return NULL;
    case WORLD_REOPEN:
        return reopen(w, a->a);
    case WORLD_TAKE_OVER:
        begin(w, c, a->a, FAILOVER_EV_TAKE_OVER, false);
        return NULL;
    case WORLD_GIVE_UP:
        w->begun[a->a]++;
        ev.kind = FAILOVER_EV_GIVE_UP;
        world_feed(w, c, a->a, &ev);
        return NULL;
    case WORLD_LOOK:
        ev.kind = FAILOVER_EV_TICK;
        world_feed(w, c, a->a, &ev);
        return NULL;
    case WORLD_RENEW:
        s->valid_until = (int8_t)(w->now + WORLD_FENCE_AFTER);
        return NULL;
    case WORLD_TIME:
        w->now++;
        return NULL;
    case WORLD_OFF:
        w->off = true;
        world_stop_server(&w->servers[0]);
        return NULL;
    case WORLD_FORCE:
        w->forced = true;
        ev.kind = FAILOVER_EV_TICK;
        world_feed(w, c, 0, &ev);
        return NULL;
    case WORLD_CLOSE: /* fence 2: SIGKILL */
        world_stop_server(s);
        return NULL;
    default:
        members_do(w, c, a);
        return NULL;
    }
}

const char *world_do(World *w, const WorldConf *c, const WorldAction *a)
{
    const char *wrong = happens(w, c, a);
    return wrong || !c->moves ? wrong : members_hold(w, c);
}

void world_say(const WorldAction *a, char *ret, size_t size)
{
    static const char *const orders[] = {"promise", "fence", "close", "accept", "drain",
                                         "follow",  "arm",   "open",  "probe"};
    static const char *const events[] = {"tick",    "take over", "begin",  "closed",   "grow",     "shrink",
                                         "raise",   "give up",   "held",   "promised", "accepted", "drained",
                                         "follows", "armed",     "opened", "probed",   "refused"};
    static const char *const kinds[] = {"a client writes on",
                                        "replicates one:",
                                        "acknowledged by",
                                        "killed:",
                                        "restarted:",
                                        "arrives:",
                                        "arrives, agent killed:",
                                        "begins: coordinator",
                                        "moves the primary: coordinator",
                                        "opens again by itself:",
                                        "takes over: coordinator",
                                        "gives up: coordinator",
                                        "looks: coordinator",
                                        "renews its leave:",
                                        "time passes",
                                        "closes itself:",
                                        "its host is powered off:",
                                        "is told that it is off: coordinator",
                                        "is off for a while:",
                                        "its host is back:",
                                        "its receiver is stopped by a person:",
                                        "its agent starts the receiver:",
                                        "hears:",
                                        "does the next step for a node:",
                                        "is asked to count out:",
                                        "counts out, if it may: coordinator",
                                        "raises the acknowledgements, a step: coordinator"};
    if (a->kind != WORLD_DELIVER && a->kind != WORLD_CUT) {
        snprintf(ret, size, "%s %d (%d)", kinds[a->kind], a->a, a->b);
        return;
    }
    const WorldMessage *m = &messages[a->a];
    if (m->answer)
        snprintf(ret, size, "%s %s from %d to coordinator %d, term %lld received %d", kinds[a->kind],
                 events[m->event.kind], m->node, m->coordinator, (long long)m->event.ballot.term,
                 m->event.reading.received);
    else
        snprintf(ret, size, "%s %s for %d from coordinator %d, term %lld version %lld primary %d (%d)",
                 kinds[a->kind], orders[m->kind], m->node, m->coordinator, (long long)m->ballot.term,
                 (long long)m->decision.version, m->kind >= FAILOVER_ACCEPT ? m->decision.primary : -1, a->b);
}

uint64_t world_hash(const World *w)
{
    return hash_words(w, sizeof *w);
}
