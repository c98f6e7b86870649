/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/json.h"
#include "coord_journal.h"
#include "events.h"
#include "orchestrator/core/choose.h"
#include "orchestrator/core/topology.h"
#include "takeover.h"

enum { CALL_TIMEOUT_MS = 10000, RETRY_LEAST_MS = 250, RETRY_MOST_MS = 5000 };

static void topology_failed(Coord *c, const Err *err)
{
    if (str_eq(c->topology_error, err->text))
        return;
    /* At the start the agents come one by one: that is no news. */
    if (err->kind != ERR_UNREACHABLE)
        events_add(c, "warn", "cluster", 0, NULL, NULL, "the primary is not known: %s", err->text);
    free(c->topology_error);
    c->topology_error = xstrdup(err->text);
}

static void set_primary(Coord *c, const Node *node)
{
    const ServerState *s = &node->agent.server;
    Err err;
    if (!coord_journal_set_primary(c, node->name, s->address, s->port, &err)) {
        topology_failed(c, &err);
        return;
    }
    free(c->topology_error);
    c->topology_error = NULL;
    events_add(c, "info", "cluster", 0, NULL, node->name, "the primary is %s (%s:%" PRId64 "), term %" PRId64,
               node->name, s->address, s->port, c->journal.term);
}

static void find_primary(Coord *c)
{
    const char *name = NULL;
    Err err;
    AUTOFREE const Node **nodes = state_nodes(c);
    if (!topology_primary(nodes, c->n_agents, &name, &err))
        topology_failed(c, &err);
    else
        set_primary(c, &state_agent(c, name)->node);
}

static void follow_address(Coord *c)
{
    AgentLink *a = state_primary_agent(c);
    if (!a) {
        Err err;
        err_set(&err, ERR_CONFIG, 0, "the journal names %s as the primary, which is not among \"agents\"",
                c->journal.primary);
        topology_failed(c, &err);
        return;
    }
    const ServerState *s = &a->node.agent.server;
    if (s->address && *s->address && s->port &&
        (!str_eq(s->address, c->journal.address) || s->port != c->journal.port))
        set_primary(c, &a->node);
}

/* An agent that has seen a later term: before the queue is read our own journal was lost, and the next term
 * is above it; after that another coordinator is at work, and this one stands back. */
static void meet_term(Coord *c, const AgentLink *a)
{
    Err err;
    if (!agents_has_other_term(a) || c->fenced)
        return;
    if (!c->loaded) {
        if (!coord_journal_set_term(c, a->node.agent.term + 1, &err))
            log_error("%s", err.text);
        return;
    }
    c->fenced = true;
    events_add(c, "error", "cluster", 0, NULL, a->name,
               "%s has seen term %" PRId64 " of another coordinator, this one has %" PRId64
               ": it has been taken over. This one starts nothing any more",
               a->name, a->node.agent.term, c->journal.term);
}

/* Whoever points a replica elsewhere is told of it, and so is everybody else. */
static void watch_source(Coord *c, AgentLink *a)
{
    const ServerState *s = &a->node.agent.server;
    const AgentLink *primary = state_primary_agent(c);
    bool known = a->fresh && s->up && s->is_replica && s->source_host && primary && primary->fresh;
    if (!known)
        return;
    AUTOFREE char *now = xasprintf("%s:%" PRId64, s->source_host, s->source_port);
    if (str_eq(now, a->source))
        return;
    AUTOFREE const Node **nodes = state_nodes(c);
    const char *from = topology_source(nodes, c->n_agents, &a->node);
    bool ours = str_eq(from, c->journal.primary);
    if (!ours || a->source)
        events_add(c, ours ? "info" : "warn", "cluster", 0, NULL, a->name,
                   "%s replicates from %s (%s)%s%s, which is %s", a->name, from ? from : "an unknown server",
                   now, a->source ? " now, before from " : "", a->source ? a->source : "",
                   ours ? "the primary" : "not the primary");
    free(a->source);
    a->source = STEAL(now);
}

/* Somebody has written on a replica: that is told before its replication breaks by it. */
static void watch_errant(Coord *c, AgentLink *a)
{
    DbFlavor flavor;
    const AgentLink *primary = state_primary_agent(c);
    if (!a->fresh || !primary || !primary->fresh || a == primary || !state_primary_flavor(c, &flavor))
        return;
    ErrantNews news = errant_look(&a->errant, flavor, &a->node, &primary->node, clock_mono_ms());
    if (news == ERRANT_FOUND)
        events_add(c, "error", "cluster", 0, NULL, a->name,
                   "%s has transactions that the primary does not have (errant): %.300s. They may stop its "
                   "replication later, and it must not be promoted: see errant transactions in the runbook",
                   a->name, a->errant.known);
    else if (news == ERRANT_GONE)
        events_add(c, "info", "cluster", 0, NULL, a->name, "%s has no errant transactions any more", a->name);
    free(a->node.errant);
    a->node.errant = a->errant.known && *a->errant.known ? xstrdup(a->errant.known) : NULL;
}

/* Before the watcher beside the pause releases it, and where there is none. */
static void watch_pause(Coord *c, AgentLink *a)
{
    AUTOFREE char *trouble = topology_pause_trouble(&a->node, clock_wall_ms());
    if (trouble && !a->pause_told)
        events_add(c, "error", "pause", 0, NULL, a->name, "%s %s", a->name, trouble);
    a->pause_told = trouble != NULL;
}

static void role_told(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    AgentLink *a = state_agent(ref->c, ref->node);
    if (!a)
        return;
    a->role_busy = false;
    /* The agent's next state shows the effect. */
    retry_failed(ref->c, &a->role_retry, RETRY_LEAST_MS, RETRY_MOST_MS);
    if (!ok && err->kind != ERR_CANCELLED)
        log_warn("%s does not take the role %s: %s", ref->node, ref->word, err->text);
}

static void tell_role(Coord *c, AgentLink *a)
{
    NodeRole role = failover_role(c, a->name);
    const char *name = wire_enum_name(&node_role_names, (int)role);
    if (!a->fresh || !role)
        return;
    if (a->node.agent.role == role && a->node.agent.term == c->journal.term) {
        retry_reset(&a->role_retry);
        return;
    }
    if (a->role_busy || !retry_due(&a->role_retry))
        return;
    AUTOJSON json_t *body = json_object();
    json_set_str(body, "role", name);
    json_set_int(body, "term", c->journal.term);
    json_set_str(body, "cluster_name", c->conf.cluster_name);
    CallRef ref = {.done = role_told};
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    snprintf(ref.word, sizeof ref.word, "%s", name);
    a->role_busy = true;
    agents_call(a, "POST", "/v1/role", body, CALL_TIMEOUT_MS, &ref);
}

int64_t cluster_serving(const Coord *c)
{
    AUTOFREE ChooseNode *nodes = xcalloc(c->n_agents + 1, sizeof *nodes);
    ChooseRules rules = {c->journal.primary, c->conf.min_serving, c->conf.max_lag_ms,
                         c->conf.catch_up_between};
    for (size_t i = 0; i < c->n_agents; i++)
        nodes[i].node = &c->agents[i]->node;
    return choose_serving(nodes, c->n_agents, &rules);
}

void cluster_step(Coord *c)
{
    for (size_t i = 0; i < c->n_agents; i++)
        meet_term(c, c->agents[i]);
    if (!c->journal.primary)
        find_primary(c);
    else
        follow_address(c);
    if (!c->journal.primary || c->fenced || failover_is_under_way(c))
        return;
    for (size_t i = 0; i < c->n_agents; i++)
        tell_role(c, c->agents[i]);
    for (size_t i = 0; i < c->n_agents; i++)
        watch_source(c, c->agents[i]);
    for (size_t i = 0; i < c->n_agents; i++)
        watch_errant(c, c->agents[i]);
    for (size_t i = 0; i < c->n_agents; i++)
        watch_pause(c, c->agents[i]);
}
