/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "failover_world_impl.h"

static Order order_of(const WorldMessage *m)
{
    static const OrderKind kinds[] = {
        [FAILOVER_PROMISE] = ORDER_PROMISE, [FAILOVER_FENCE] = ORDER_FENCE, [FAILOVER_CLOSE] = ORDER_CLOSE,
        [FAILOVER_ACCEPT] = ORDER_ACCEPT,   [FAILOVER_DRAIN] = ORDER_DRAIN, [FAILOVER_FOLLOW] = ORDER_FOLLOW,
        [FAILOVER_ARM] = ORDER_ARM,         [FAILOVER_OPEN] = ORDER_OPEN,   [FAILOVER_PROBE] = ORDER_PROBE,
    };
    const Decision *d = &m->decision;
    return (Order){.kind = kinds[m->kind],
                   .ballot = m->ballot,
                   .clean = m->clean,
                   .version = d->version,
                   .open = d->open,
                   .primary = m->kind >= FAILOVER_ACCEPT && d->primary == m->node,
                   .donor = m->kind == FAILOVER_DRAIN && m->donor == m->node,
                   .member = m->kind >= FAILOVER_ACCEPT && (d->members & (1u << m->node))};
}

static OrderView view_of(const World *w, const WorldConf *c, const WorldMessage *m, bool recorded)
{
    const WorldServer *s = &w->servers[m->node];
    const Decision *acc = &w->voters[m->node].accepted;
    OrderView v = {.recorded = recorded};
    if (m->node >= c->servers) {
        v.server_up = m->kind <= FAILOVER_ACCEPT;
        return v;
    }
    v.was_primary = !m->clean && (acc->held_by == m->node || s->open);
    v.closed = s->closed && ballot_same(s->closed_in, m->ballot);
    v.server_up = s->up;
    v.receiver_runs = s->receiver;
    v.log_read = s->log_read;
    v.drained = s->drained;
    v.armed = s->armed;
    v.writable = s->open;
    v.strict = m->decision.acks == 0 || (s->semi_sync && s->acks >= m->decision.acks);
    v.silent_anew = s->silence && m->silence != s->silence;
    v.probed = s->probe;
    if (m->kind >= FAILOVER_ACCEPT) {
        const WorldServer *p = &w->servers[m->decision.primary];
        v.follows = s->follows == m->decision.primary && s->receiver;
        v.ahead = !world_is_prefix(s, p);
        v.has_all = s->n >= p->decided_n;
    }
    return v;
}

static const char *open_server(World *w, int node, int64_t term)
{
    WorldServer *s = &w->servers[node];
    for (int i = 0; i < WORLD_TRX; i++)
        if ((w->acknowledged & (1u << i)) && !memchr(s->log, i, s->n))
            return "opened without an acknowledged transaction";
    for (int i = 0; i < WORLD_NODES; i++)
        if (i != node && w->servers[i].up && w->servers[i].open)
            return "two servers are open";
    if (term == w->opened_term && w->opened != node)
        return "two primaries in one term";
    if (term > w->opened_term) {
        w->opened_term = term;
        w->opened = (int8_t)node;
    }
    s->open = true;
    s->closed = false;
    s->follows = FAILOVER_NOBODY;
    s->receiver = s->armed = false;
    return NULL;
}

void world_stop_server(WorldServer *s)
{
    s->up = s->open = s->closed = s->receiver = s->armed = s->semi_sync = false;
    s->waiting = 0;
    memset(s->got, 0, sizeof s->got);
}

static const char *act(World *w, const WorldMessage *m, OrderAct act)
{
    WorldServer *s = &w->servers[m->node];
    const Decision *d = &m->decision;
    switch (act) {
    case ORDER_STOP_RECEIVER:
        s->receiver = false;
        return NULL;
    case ORDER_KILL_SERVER:
        world_stop_server(s);
        s->log_read = false;
        return NULL;
    case ORDER_READ_LOG:
        s->log_read = true;
        return NULL;
    case ORDER_SET_CLOSED:
        s->open = s->receiver = false; /* it may follow already */
        s->closed = true;
        s->closed_in = m->ballot;
        return NULL;
    case ORDER_APPLY_ALL:
        if (m->donor != FAILOVER_NOBODY && world_is_prefix(s, &w->servers[m->donor])) {
            memcpy(s->log, w->servers[m->donor].log, sizeof s->log);
            s->n = w->servers[m->donor].n;
        }
        s->decided_n = s->n;
        s->drained = true;
        return NULL;
    case ORDER_REPOINT:
        s->follows = (int8_t)d->primary;
        s->receiver = true;
        s->armed = s->drained = s->closed = false;
        s->silence = ++w->silences;
        return NULL;
    case ORDER_SET_ARMED: { /* what it has received before is acknowledged, too */
        WorldServer *from = &w->servers[s->follows];
        s->armed = true;
        s->silence = 0;
        if (from->up && world_is_prefix(s, from))
            from->got[m->node] = s->n;
        return NULL;
    }
    case ORDER_SET_OPEN:
        s->semi_sync = d->acks > 0;
        s->acks = (uint8_t)d->acks;
        s->valid_until = (int8_t)(w->now + WORLD_FENCE_AFTER);
        return open_server(w, m->node, d->ballot.term);
    case ORDER_WRITE_PROBE:
        s->probe = 1;
        return NULL;
    default:
        return NULL;
    }
}

static const FailoverEventKind answers[] = {
    [FAILOVER_PROMISE] = FAILOVER_EV_PROMISED, [FAILOVER_FENCE] = FAILOVER_EV_PROMISED,
    [FAILOVER_CLOSE] = FAILOVER_EV_CLOSED,     [FAILOVER_ACCEPT] = FAILOVER_EV_ACCEPTED,
    [FAILOVER_DRAIN] = FAILOVER_EV_DRAINED,    [FAILOVER_FOLLOW] = FAILOVER_EV_FOLLOWS,
    [FAILOVER_ARM] = FAILOVER_EV_ARMED,        [FAILOVER_OPEN] = FAILOVER_EV_OPENED,
    [FAILOVER_PROBE] = FAILOVER_EV_PROBED,
};

static void answer(World *w, const WorldConf *c, const WorldMessage *m, bool refused)
{
    const WorldVoter *v = &w->voters[m->node];
    WorldMessage a;
    memset(&a, 0, sizeof a);
    a.answer = true;
    a.coordinator = m->coordinator;
    a.node = m->node;
    FailoverEvent *ev = &a.event;
    ev->kind = refused ? FAILOVER_EV_REFUSED : answers[m->kind];
    ev->node = m->node;
    ev->ballot = refused ? v->vote.promised : m->ballot;
    if (!refused) {
        ev->version = m->decision.version;
        if (m->kind <= FAILOVER_FENCE)
            ev->accepted = v->accepted;
        if (m->kind == FAILOVER_FOLLOW)
            ev->silence = w->servers[m->node].silence;
        if (m->kind == FAILOVER_OPEN)
            ev->acks = m->decision.acks;
        ev->stopped = m->kind == FAILOVER_FENCE;
        if (m->kind == FAILOVER_FENCE && m->node < c->servers) {
            ev->reading.received = world_position(&w->servers[m->node]);
            const WorldServer *s = &w->servers[m->node];
            ev->reading.ended = m->clean ? s->closed && !c->rights : s->log_read && !s->up;
            ev->reading.closed = s->closed;
        }
    }
    world_send(w, &a);
}

/* Not done yet, but: it would be armed, and was silenced since that was decided; or its server was sent
 * SIGKILL. */
static void answer_early(World *w, const WorldMessage *m, FailoverEventKind kind)
{
    WorldMessage a;
    memset(&a, 0, sizeof a);
    a.answer = true;
    a.coordinator = m->coordinator;
    a.node = m->node;
    a.event.kind = kind;
    a.event.node = m->node;
    a.event.ballot = m->ballot;
    if (kind == FAILOVER_EV_GROW)
        a.event.silence = w->servers[m->node].silence;
    world_send(w, &a);
}

static bool accepts_another(const Voter *before, const Voter *v)
{
    return before->version != v->version || !ballot_same(before->accepted, v->accepted);
}

const char *world_obey(World *w, const WorldConf *c, const WorldMessage *m, int acts)
{
    WorldVoter *v = &w->voters[m->node];
    Order o = order_of(m);
    Voter before = v->vote;
    Decision accepted_before = v->accepted;
    bool agreed = order_vote(&v->vote, &o);
    bool recorded = !memcmp(&before, &v->vote, sizeof before);
    if (agreed && accepts_another(&before, &v->vote))
        v->accepted = m->decision;
    for (;;) {
        OrderView view = view_of(w, c, m, recorded);
        OrderAct next = agreed ? order_next(&v->vote, &o, &view) : ORDER_REFUSE;
        if (next == ORDER_REFUSE)
            answer(w, c, m, true);
        if (next == ORDER_ANSWER)
            answer(w, c, m, false);
        if (next == ORDER_WAIT && m->kind == FAILOVER_ARM && view.server_up && view.silent_anew)
            answer_early(w, m, FAILOVER_EV_GROW);
        if (next == ORDER_READ_LOG)
            answer_early(w, m, FAILOVER_EV_HELD);
        /* As long as commits wait it is not closed, and the attempt is undone. */
        bool held = next == ORDER_SET_CLOSED && w->servers[m->node].waiting;
        if (next == ORDER_REFUSE || next == ORDER_ANSWER || next == ORDER_WAIT || held)
            return NULL;
        if (acts-- == 0) {
            if (!recorded) {
                v->vote = before;
                v->accepted = accepted_before;
            }
            return NULL;
        }
        if (next == ORDER_RECORD) {
            recorded = true;
            continue;
        }
        const char *wrong = act(w, m, next);
        if (wrong)
            return wrong;
    }
}
