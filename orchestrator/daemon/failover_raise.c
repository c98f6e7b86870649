/* SPDX-License-Identifier: Apache-2.0
 * A primary that was opened alone is followed again. Its commits wait for acknowledgements first; once its
 * members hold all that it had committed by then, the voters are told how many must. Not before: what `acks`
 * promises holds for every commit, and those were told to clients while nobody else had them.
 */
#include "agents.h"
#include "events.h"
#include "failover_impl.h"

static void begin_anew(FailoverEdge *e)
{
    free(e->raising.position);
    e->raising = (typeof(e->raising)){0};
}

static bool members_acknowledge(Coord *c)
{
    const FailoverEdge *e = c->failover;
    for (int i = 0; i < e->n_peers; i++) {
        const AgentLink *a = failover_agent(c, i);
        if ((e->f.base.members & (NodeSet)1 << i) &&
            (!a || !a->fresh || !a->node.agent.server.up || !a->node.agent.server.acknowledges))
            return false;
    }
    return true;
}

/* Of a reading that was begun when they waited already. */
static const char *position_since(FailoverEdge *e, const ServerState *s)
{
    if (!e->raising.read_at)
        e->raising.read_at = s->read_at;
    if (!e->raising.position && s->read_at > e->raising.read_at)
        str_set(&e->raising.position, s->binlog);
    return e->raising.position;
}

bool failover_raise(Coord *c, FailoverOrder *ret)
{
    FailoverEdge *e = c->failover;
    FailoverRules rules;
    const AgentLink *primary = state_primary_agent(c);
    failover_rules(c, &rules);
    bool due = e->f.base.ballot.term && e->f.base.open && e->f.base.acks == 0 && rules.acks > 0 &&
               __builtin_popcount(e->f.base.members) >= rules.acks;
    const ServerState *s = primary && primary->fresh ? &primary->node.agent.server : NULL;
    if (!due || !s || !s->up || s->uptime_s < e->raising.uptime_s || !members_acknowledge(c)) {
        begin_anew(e);
        return false;
    }
    e->raising.uptime_s = s->uptime_s;
    if (!e->raising.strict) {
        ret->kind = FAILOVER_OPEN;
        ret->decision.acks = rules.acks;
        return true;
    }
    const char *position = position_since(e, s);
    if (s->semi_sync_acks < 0) /* somebody has switched it off */
        begin_anew(e);
    else if (position && !failover_who_lacks(c, NULL, position)) {
        FailoverEvent ev = {.kind = FAILOVER_EV_RAISE, .acks = rules.acks, .ballot = e->f.mine};
        events_add(c, "info", "failover", 0, NULL, primary->name,
                   "commits of %s wait for %d of its replicas again, which hold all that it has committed",
                   primary->name, rules.acks);
        begin_anew(e);
        e->grows = true;
        failover_feed(c, &ev);
    }
    return false;
}
