/* SPDX-License-Identifier: Apache-2.0
 * GET /v1/check: what every agent's preflight finds, gathered at once, and what the coordinator sees itself.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "cluster.h"
#include "common/base/clock.h"
#include "common/db/flavor.h"
#include "common/file/json.h"
#include "common/net/coordcheck.h"
#include "common/net/peermend.h"
#include "common/wire/finding.h"
#include "coord_store.h"
#include "handlers.h"
#include "orchestrator/core/cluster_check.h"

enum { CALL_TIMEOUT_MS = 15000, SETTLE_MS = 10000, SETTLE_LOOK_MS = 100 };

typedef struct CheckRound {
    Coord *c;
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

/* By its cause. A replica without an agent stays stopped after its next restart: its server is told not to
 * start it. */
static void agent_finding(json_t *list, const AgentLink *a)
{
    DbFlavor flavor;
    const Node *n = &a->node;
    if (!n->agent_error) {
        add(list, n->name, "agent", "ok", n->url, NULL);
        return;
    }
    bool known = n->agent.server.flavor && flavor_from_name(n->agent.server.flavor, &flavor);
    bool waits = a->error.kind == ERR_UNREACHABLE && (n->agent.server.is_replica || !known);
    const char *skip =
        known ? flavor_of(flavor)->skip_start_option : "skip_slave_start (MySQL: skip_replica_start)";
    AUTOFREE char *text =
        xasprintf("%s%s%s%s", n->agent_error, waits ? "; while it does not run, a server with " : "",
                  waits ? skip : "", waits ? " does not start its replication after a restart" : "");
    AUTOFREE char *mend = peer_mend(&a->error, n->name, n->url);
    add(list, n->name, "agent", "error", text, mend);
}

static void add_all(json_t *list, const WireList *findings)
{
    const Finding *f = findings->v;
    for (size_t i = 0; i < findings->n; i++)
        add(list, f[i].node, f[i].name, f[i].level, f[i].text, f[i].mend);
}

static void cluster_findings(Coord *c, json_t *list)
{
    WireList findings = {0};
    AUTOFREE const Node **nodes = state_nodes(c);
    AUTOFREE int64_t *ahead = xcalloc(c->n_agents + 1, sizeof *ahead);
    AUTOFREE char *address =
        c->journal.address ? xasprintf("%s:%" PRId64, c->journal.address, c->journal.port) : NULL;
    for (size_t i = 0; i < c->n_agents; i++)
        ahead[i] = c->agents[i]->clock_ahead_ms;
    ClusterView v = {nodes, c->n_agents, c->journal.primary, address, c->topology_error, ahead};
    cluster_check(&v, &findings);
    add_all(list, &findings);
    finding_free(&findings);
}

/* Files of this host, as they are now: a client may look from another one, or as another user. */
static void host_findings(Coord *c, json_t *list)
{
    WireList findings = {0};
    coordcheck_files(&c->conf, &findings);
    if (c->reload_trouble)
        finding_add(&findings, "sidingd.conf", "warning",
                    "systemctl restart sidingd; jobs go on under their agents", "%s", c->reload_trouble);
    add_all(list, &findings);
    finding_free(&findings);
}

static void node_findings(Coord *c, const AgentLink *a, json_t *list)
{
    const Node *n = &a->node;
    agent_finding(list, a);
    AUTOFREE char *mixed = state_mixed(c, a);
    if (mixed)
        add(list, n->name, "flavor", "error", mixed, "replace the server, or take it out of \"agents\"");
    if (n->note)
        add(list, n->name, "new data", "warning", n->note, NULL);
    if (!n->agent_error && n->agent.node && !n->agent.jobs.n)
        add(list, n->name, "jobs", "warning", "its agent knows no job", "add job files to its jobs_dir");
    for (size_t k = 0; k < n->agent.warnings.n; k++)
        add(list, n->name, "agent", "warning", n->agent.warnings.v[k], NULL);
}

static void own_findings(Coord *c, json_t *list)
{
    bool database = store_is_up(c) && c->loaded;
    host_findings(c, list);
    cluster_findings(c, list);
    add(list, NULL, "queue", database ? "ok" : "error",
        database ? "schema siding on the primary is read and written" : store_trouble(c),
        database ? NULL
        : c->queue.load_error
            ? "siding bootstrap"
            : "see that the primary's server runs and lets the account of database_defaults_file in, over "
              "TLS unless it is on this host; siding bootstrap makes that account");
    if (c->fenced)
        add(list, NULL, "term", "error", "another coordinator has taken over this cluster",
            "stop one of the two, then restart the other");
    for (size_t i = 0; i < c->n_agents; i++)
        node_findings(c, c->agents[i], list);
}

/* Those that a job, or a person, has taken for a while come back: that none is left meanwhile is no fault. */
static int64_t count_leased(const Coord *c)
{
    int64_t n = 0;
    for (size_t i = 0; i < c->n_agents; i++)
        n += !c->agents[i]->node.agent_error && c->agents[i]->node.agent.lease.owner != NULL;
    return n;
}

static void serving_finding(Coord *c, json_t *list)
{
    int64_t serving = cluster_serving(c), spare = serving - c->conf.min_serving;
    int64_t leased = count_leased(c);
    bool well = spare + leased > 0;
    AUTO(str_done) Str text = STR_INIT;
    str_addf(&text,
             "%" PRId64 " replicas serve, min_serving = %" PRId64 " of them must go on: %" PRId64
             " may be paused at once",
             serving, c->conf.min_serving, spare > 0 ? spare : 0);
    if (leased)
        str_addf(&text, "; %" PRId64 " are paused or catch up", leased);
    add(list, NULL, "min_serving", well ? "ok" : "warning", text.p,
        well ? NULL : "add a replica, wait for one to catch up, or lower min_serving");
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

/* Just started, it is not wrong that agents and queue have not answered yet. */
static bool is_settling(const Coord *c)
{
    int64_t age_ms = clock_wall_ms() - c->started_at;
    return age_ms >= 0 && age_ms < SETTLE_MS && !(c->journal.primary && store_is_up(c) && c->loaded);
}

static void begin(Coord *c, CheckRound *g)
{
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

static void look_again(evutil_socket_t fd, short what, void *arg)
{
    CheckRound *g = arg;
    struct timeval soon = {0, SETTLE_LOOK_MS * 1000};
    (void)fd;
    (void)what;
    if (!is_settling(g->c) || event_base_once(g->c->base, -1, EV_TIMEOUT, look_again, g, &soon) < 0)
        begin(g->c, g);
}

void handle_check(HttpRequest *req, void *context)
{
    CheckRound *g = NEW(CheckRound);
    g->c = context;
    g->req = req;
    g->findings = json_array();
    look_again(-1, 0, g);
}
