/* SPDX-License-Identifier: Apache-2.0
 * What a failover goes by: whether one is under way, who takes part, the rules of this cluster.
 */
#include "common/file/json.h"
#include "failover_impl.h"
#include "orchestrator/core/candidate.h"

enum {
    FOLLOW_WAIT_MS = 3000,
    CLEAN_FOLLOW_WAIT_MS = 100, /* of a switchover: who is late is counted in afterwards */
    PHASE_LIMIT_MS = 10000,
    LOSS_AFTER_MS = 5000,
    CLOSE_WAIT_MS = 5000,
    CLOSED_MOST_MS = 2000, /* before the primary opens by itself */
    FORCED_AFTER_MS = 2000,
};

bool failover_is_under_way(const Coord *c)
{
    const FailoverEdge *e = c->failover;
    return e->known && e->f.phase != FAILOVER_IDLE && e->f.phase != FAILOVER_DEPOSED;
}

bool failover_was_strict(const Coord *c)
{
    return json_bool(c->journal.failover, "strict");
}

NodeSet failover_nodes(Coord *c)
{
    NodeSet set = 0;
    for (size_t i = 0; i < c->n_agents; i++) {
        int node = failover_number(c, c->agents[i]->name);
        if (node != FAILOVER_NOBODY)
            set |= (NodeSet)1 << node;
    }
    return set;
}

void failover_candidates(Coord *c, const AgentLink *a, bool alone, StrList *never, StrList *avoid)
{
    AUTOFREE const Node **nodes = state_nodes(c);
    const AgentLink *primary = state_primary_agent(c);
    CandidateRules rules = {&c->conf.failover.never, &c->conf.failover.avoid, c->failover->only,
                            c->conf.max_lag_ms, alone};
    candidate_reasons(nodes, c->n_agents, primary ? &primary->node : NULL, &a->node, &rules, never, avoid);
}

void failover_rules(Coord *c, FailoverRules *ret)
{
    const FailoverEdge *e = c->failover;
    bool clean = e->f.clean && failover_is_under_way(c); /* of the last one it says nothing about the next */
    bool alone = !clean && (c->conf.failover.alone || e->old_is_off);
    *ret = (FailoverRules){.voters = failover_nodes(c),
                           .servers = failover_nodes(c),
                           .acks = (int)c->conf.failover.acks,
                           .alone = c->conf.failover.alone,
                           .loose = !failover_was_strict(c),
                           .loss_after_ms = e->takes_loss ? LOSS_AFTER_MS : 0,
                           .old_is_off = e->old_is_off,
                           .forced_after_ms = FORCED_AFTER_MS,
                           .fence_wait_ms =
                               c->conf.failover.fence_after_ms * 101 / 100 + c->conf.failover.close_ms,
                           .close_wait_ms = CLOSE_WAIT_MS + e->kill_after_ms,
                           .closed_most_ms = CLOSED_MOST_MS,
                           .follow_wait_ms = clean ? CLEAN_FOLLOW_WAIT_MS : FOLLOW_WAIT_MS,
                           .phase_limit_ms = PHASE_LIMIT_MS};
    for (size_t i = 0; i < c->n_agents; i++) {
        AUTO(strlist_done) StrList never = STRLIST_INIT, avoid = STRLIST_INIT;
        int node = failover_number(c, c->agents[i]->name);
        NodeSet bit = node == FAILOVER_NOBODY ? 0 : (NodeSet)1 << node;
        failover_candidates(c, c->agents[i], alone, &never, &avoid);
        /* Nobody waits closed until what a paused one holds back is applied. */
        const Node *known = &c->agents[i]->node;
        bool paused = known->agent.lease.owner != NULL, late = clean && paused;
        ret->never |= never.n || late ? bit : 0;
        ret->avoid |= avoid.n ? bit : 0;
        ret->partial |= candidate_log_is_partial(known) ? bit : 0;
        ret->slow |= paused || known->agent.server.delay_s > 0 || !known->agent.server.up ? bit : 0;
        ret->prefer |= strlist_has(&c->conf.failover.prefer, c->agents[i]->name) ? bit : 0;
    }
}
