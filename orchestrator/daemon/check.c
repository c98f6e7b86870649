/* SPDX-License-Identifier: Apache-2.0
 * GET /v1/check: what every agent's preflight finds, gathered at once, and what the coordinator sees itself.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "common/db/flavor.h"
#include "common/file/json.h"
#include "coord_store.h"
#include "handlers.h"
#include "orchestrator/core/choose.h"
#include "orchestrator/core/topology.h"

enum { CALL_TIMEOUT_MS = 15000 };

typedef struct CheckRound {
    HttpRequest *req;
    json_t *findings;
    size_t missing; /* answers */
} CheckRound;

static void add(json_t *list, const char *node, const char *name, const char *level, const char *text,
                const char *mend)
{
    json_t *o = json_object();
    json_set_str(o, "node", node);
    json_set_str(o, "name", name);
    json_set_str(o, "level", level);
    json_set_str(o, "text", text);
    json_set_str(o, "mend", mend);
    json_array_append_new(list, o);
}

/* A replica without an agent stays stopped after its next restart: its server is told not to start it. */
static void agent_finding(json_t *list, const Node *n)
{
    DbFlavor flavor;
    bool known = n->agent.server.flavor && flavor_from_name(n->agent.server.flavor, &flavor);
    const char *skip =
        known ? flavor_of(flavor)->skip_start_option : "skip_slave_start (MySQL: skip_replica_start)";
    if (!n->agent_error) {
        add(list, n->name, "agent", "ok", n->url, NULL);
        return;
    }
    AUTOFREE char *text =
        xasprintf("%s%s%s%s", n->agent_error, n->agent.server.is_replica || !known ? "; a server with " : "",
                  n->agent.server.is_replica || !known ? skip : "",
                  n->agent.server.is_replica || !known
                      ? " demands an agent: without one nothing starts its replication after a restart"
                      : "");
    AUTOFREE char *mend =
        xasprintf("start siding-agent on that host, see its log; to remove Siding there, take %s out "
                  "of the server's option file",
                  skip);
    add(list, n->name, "agent", "error", text, mend);
}

static void own_findings(Coord *c, json_t *list)
{
    bool database = store_is_up(c) && c->loaded;
    add(list, NULL, "primary", c->journal.primary ? "ok" : "error",
        c->journal.primary  ? c->journal.primary
        : c->topology_error ? c->topology_error
                            : "no agent has been seen yet",
        NULL);
    add(list, NULL, "queue", database ? "ok" : "error",
        database ? "schema siding on the primary is read and written"
                 : (c->queue.load_error ? c->queue.load_error : store_error(c)),
        database ? NULL : "siding bootstrap");
    if (c->fenced)
        add(list, NULL, "term", "error", "another coordinator has taken over this cluster",
            "stop one of the two, then restart the other");
    for (size_t i = 0; i < c->n_agents; i++) {
        const Node *n = &c->agents[i]->node;
        agent_finding(list, n);
        AUTOFREE char *mixed = state_mixed(c, c->agents[i]);
        if (mixed)
            add(list, n->name, "flavor", "error", mixed, "replace the server, or take it out of \"agents\"");
        if (!n->agent_error && n->agent.node && !n->agent.jobs.n)
            add(list, n->name, "jobs", "warning", "its agent knows no job", "add job files to its jobs_dir");
        for (size_t k = 0; k < n->agent.warnings.n; k++)
            add(list, n->name, "agent", "warning", n->agent.warnings.v[k], NULL);
    }
}

static void serving_finding(Coord *c, json_t *list)
{
    AUTOFREE ChooseNode *nodes = xcalloc(c->n_agents + 1, sizeof *nodes);
    ChooseRules rules = {c->journal.primary, c->conf.min_serving, c->conf.max_lag_ms,
                         c->conf.catch_up_between};
    for (size_t i = 0; i < c->n_agents; i++)
        nodes[i].node = &c->agents[i]->node;
    int64_t serving = choose_serving(nodes, c->n_agents, &rules), spare = serving - rules.min_serving;
    AUTOFREE char *text = xasprintf("%" PRId64 " replicas serve, min_serving = %" PRId64
                                    " of them must go on: %" PRId64 " may be paused at once",
                                    serving, rules.min_serving, spare > 0 ? spare : 0);
    add(list, NULL, "min_serving", spare > 0 ? "ok" : "warning", text,
        spare > 0 ? NULL : "add a replica, wait for one to catch up, or lower min_serving");
}

static void finish(CheckRound *g)
{
    if (g->missing)
        return;
    http_reply_json(g->req, 200, g->findings);
    free(g);
}

/* Agents answer with `ok`, clients read `level`. */
static void take_finding(json_t *list, const char *node, const json_t *f)
{
    const char *level = json_str(f, "level");
    if (!*level)
        level = json_bool(f, "ok") ? "ok" : "error";
    add(list, node, json_str(f, "name"), level, json_str(f, "text"),
        *json_str(f, "mend") ? json_str(f, "mend") : NULL);
}

static void preflight_done(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    CheckRound *g = ref->arg;
    const json_t *list = json_is_array(body) ? body : json_object_get(body, "findings");
    for (size_t i = 0; ok && i < json_array_size(list); i++)
        take_finding(g->findings, ref->node, json_array_get(list, i));
    if (!ok)
        add(g->findings, ref->node, "preflight", "error", err->text, NULL);
    g->missing--;
    finish(g);
}

void handle_check(HttpRequest *req, void *context)
{
    Coord *c = context;
    CheckRound *g = NEW(CheckRound);
    g->req = req;
    g->findings = json_array();
    own_findings(c, g->findings);
    serving_finding(c, g->findings);
    g->missing = 1;
    for (size_t i = 0; i < c->n_agents; i++) {
        AgentLink *a = c->agents[i];
        if (a->node.agent_error || !a->node.agent.node)
            continue;
        CallRef ref = {.done = preflight_done, .arg = g};
        snprintf(ref.node, sizeof ref.node, "%s", a->name);
        g->missing++;
        agents_call(a, "GET", "/v1/preflight", NULL, CALL_TIMEOUT_MS, &ref);
    }
    g->missing--;
    finish(g);
}
