/* SPDX-License-Identifier: Apache-2.0
 * Replicas that are given new data without a person (core/reprovision.h): what is seen of them, and what is
 * begun.
 */
#include "cluster.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "coord_brakes.h"
#include "events.h"
#include "orchestrator/core/topology.h"
#include "provisions.h"
#include "takeover.h"

enum { AGAIN_LEAST_MS = 1000, AGAIN_MOST_MS = 60000 };

/* Why nothing is decided on now; NULL: it may be. Owned. */
static char *held(Coord *c)
{
    const AgentLink *primary = state_primary_agent(c);
    if (c->fenced)
        return xstrdup("another coordinator has taken over this cluster");
    if (!primary || !primary->fresh || !primary->node.agent.server.up)
        return xstrdup("the primary is not known, or does not answer");
    if (!c->loaded)
        return xstrdup("the queue has not been read, and so not who is cordoned");
    return failover_unrest(c);
}

static ReprovisionNode node_of(Coord *c, const Node *const *nodes, const AgentLink *a)
{
    const AgentLink *donor = provisions_donor(c, a);
    return (ReprovisionNode){.node = &a->node,
                             .donor = donor ? &donor->node : NULL,
                             .fresh = a->fresh,
                             .follows =
                                 str_eq(topology_source(nodes, c->n_agents, &a->node), c->journal.primary),
                             .cordoned = coord_brakes_find(c, BRAKE_NODE, a->name) != NULL};
}

static void begin(Coord *c, const ReprovisionOut *out, Retry *retry)
{
    Err err;
    AgentLink *node = state_agent(c, out->begin->node->name);
    ProvisionWish w = {.node = node,
                       .donor = state_agent(c, out->begin->donor->name),
                       .replaces = true,
                       .max_rate = c->conf.provision.max_rate,
                       .by = "sidingd",
                       .why = out->why};
    if (!retry_due(retry) || provisions_begin(c, &w, &err))
        return;
    retry_failed(c, retry, AGAIN_LEAST_MS, AGAIN_MOST_MS);
    log_error("%s is not given new data: %s", node->name, err.text);
}

void reprovisions_step(Coord *c, Reprovision *s, Retry *retry)
{
    ReprovisionOut out;
    ReprovisionRules rules = {c->conf.provision.automatic, c->conf.provision.after_ms,
                              c->conf.provision.per_day};
    AUTOFREE const Node **nodes = state_nodes(c);
    AUTOFREE ReprovisionNode *seen = xcalloc(c->n_agents + 1, sizeof *seen);
    for (size_t i = 0; rules.automatic && i < c->n_agents; i++)
        seen[i] = node_of(c, nodes, c->agents[i]);
    AUTOFREE char *why_held = rules.automatic ? held(c) : NULL;
    const AgentLink *primary = state_primary_agent(c);
    ReprovisionView v = {.nodes = seen,
                         .n = c->n_agents,
                         .primary = primary ? &primary->node : NULL,
                         .held = why_held,
                         .spare = cluster_serving(c) - c->conf.min_serving,
                         .record = c->provision,
                         .now_ms = clock_mono_ms(),
                         .wall_ms = clock_wall_ms()};
    reprovision_step(s, &rules, &v, &out);
    for (size_t i = 0; i < out.n; i++)
        events_add(c, out.news[i].level, "replica", 0, NULL, out.news[i].node, "%s", out.news[i].text);
    if (out.begin)
        begin(c, &out, retry);
    reprovision_out_done(&out);
}
