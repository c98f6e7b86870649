/* SPDX-License-Identifier: Apache-2.0
 * What the agents' votes say of failovers: whose they are, and whether one is unfinished.
 */
#include "common/file/json.h"
#include "failover_impl.h"
#include "orchestrator/core/topology.h"
#include "provisions.h"

bool failover_is_ours(const FailoverEdge *e, Ballot b)
{
    return e->f.mine.term && ballot_same(b, e->f.mine);
}

size_t failover_heard(const Coord *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_agents; i++)
        n += state_heard_lately(c->agents[i]);
    return n;
}

bool failover_hears_majority(const Coord *c)
{
    return 2 * failover_heard(c) > c->n_agents;
}

bool failover_follows_primary(Coord *c, const AgentLink *a)
{
    AUTOFREE const Node **nodes = state_nodes(c);
    return str_eq(topology_source(nodes, c->n_agents, &a->node), c->journal.primary);
}

/* Of a ballot before ours, whose decision stands: it gets that. */
static bool is_tidied(const FailoverEdge *e, Ballot promised)
{
    return failover_is_ours(e, e->f.base.ballot) && promised.term < e->f.mine.term;
}

/* The agents have another primary than our journal, or one that still has a source: nobody has opened it.
 * What a person has closed has none. */
static bool was_never_opened(const Coord *c, const AgentLink *a)
{
    const WireDecision *d = &a->node.agent.vote.accepted;
    if (!str_eq(d->primary, c->journal.primary))
        return true;
    return str_eq(d->primary, a->name) && a->node.agent.server.up && a->node.agent.server.is_replica;
}

/* A vote that no finished failover leaves, or of another than the others' decision, or a server that has not
 * followed the last. */
bool failover_is_unfinished(Coord *c)
{
    const VoteState *first = NULL;
    for (size_t i = 0; i < c->n_agents; i++) {
        const AgentLink *a = c->agents[i];
        const VoteState *v = &a->node.agent.vote;
        Ballot promised = ballot_read(&v->promised), accepted = ballot_read(&v->accepted.ballot);
        if (!a->fresh || failover_is_ours(c->failover, promised) || is_tidied(c->failover, promised))
            continue;
        if (v->shut || (promised.term && !ballot_same(promised, accepted)) ||
            (v->accepted.version && !v->accepted.open))
            return true;
        if (v->accepted.version && was_never_opened(c, a))
            return true;
        if (first && !ballot_same(accepted, ballot_read(&first->accepted.ballot)))
            return true;
        first = v;
        if (accepted.term && a->node.agent.server.up && !str_eq(a->name, c->journal.primary) &&
            !failover_follows_primary(c, a) && !state_is_being_made(c, a))
            return true;
    }
    return false;
}

NodeRole failover_role(Coord *c, const char *node)
{
    const FailoverEdge *e = c->failover;
    bool is_over = json_int(c->journal.failover, "ballot") <= e->f.base.ballot.term;
    if (!e->known || failover_is_under_way(c) || failover_is_unfinished(c) ||
        !(is_over || failover_hears_majority(c)))
        return ROLE_NONE;
    return state_role(c, node);
}
