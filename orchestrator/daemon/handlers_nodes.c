/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/wire/bounds.h"
#include "coord_brakes.h"
#include "coord_store.h"
#include "handlers.h"
#include "orchestrator/core/topology.h"
#include "provisions.h"
#include "takeover.h"
#include "task_queue.h"

enum { PAUSE_TIMEOUT_MS = 10 * 60 * 1000, STATUS_TASKS = 200 };

static json_t *nodes_json(const Coord *c)
{
    json_t *a = json_array();
    for (size_t i = 0; i < c->n_agents; i++)
        json_array_append_new(a, wire_write(node_fields, &c->agents[i]->node));
    runkey_show(a);
    return a;
}

void handle_list_nodes(HttpRequest *req, void *context)
{
    http_reply_json(req, 200, nodes_json(context));
}

void handle_cluster(HttpRequest *req, void *context)
{
    Coord *c = context;
    json_t *o = json_object();
    json_set_str(o, "cluster_name", c->conf.cluster_name);
    json_set_int(o, "term", c->journal.term);
    json_set_str(o, "primary", c->journal.primary);
    json_object_set_new(o, "nodes", nodes_json(c));
    http_reply_json(req, 200, o);
}

/* ---- status ----------------------------------------------------------------------------------------- */

static void collect_warnings(Coord *c, StrList *ret)
{
    if (c->fenced)
        strlist_add(ret, "another coordinator has taken over this cluster: this one starts nothing any more");
    if (!c->journal.primary)
        strlist_addf(ret, "the primary is not known: %s",
                     c->topology_error ? c->topology_error : "no agent seen yet");
    else if (!store_is_up(c))
        strlist_addf(ret, "the queue's database cannot be used: %s", store_error(c));
    else if (c->queue.load_error)
        strlist_addf(ret, "the queue cannot be read: %s", c->queue.load_error);
    failover_warnings(c, ret);
    provisions_warnings(c, ret);
    if (c->certificate.warning)
        strlist_add(ret, c->certificate.warning);
    if (c->reload_trouble)
        strlist_add(ret, c->reload_trouble);
    for (size_t i = 0; i < c->n_agents; i++) {
        const Node *node = &c->agents[i]->node;
        AUTOFREE char *mixed = state_mixed(c, c->agents[i]);
        if (mixed)
            strlist_addf(ret, "%s %s", node->name, mixed);
        topology_warnings(node, c->journal.primary, clock_wall_ms(), ret);
    }
}

static json_t *database_json(const Coord *c)
{
    json_t *o = json_object();
    json_set_bool(o, "ok", store_is_up(c) && c->loaded);
    json_set_str(o, "error", c->queue.load_error ? c->queue.load_error : store_error(c));
    json_set_time(o, "since", store_since(c));
    return o;
}

static json_t *agents_json(const Coord *c)
{
    int64_t reachable = 0;
    for (size_t i = 0; i < c->n_agents; i++)
        reachable += c->agents[i]->fresh;
    return json_pack("{s:I, s:I}", "configured", (json_int_t)c->n_agents, "reachable", (json_int_t)reachable);
}

static void add_counts(const Coord *c, json_t *o)
{
    json_t *counts = json_object();
    for (int s = TASK_WAITING; s < TASK_UNKNOWN; s++) {
        int64_t n = queue_count(c, (TaskState)s);
        if (n)
            json_set_int(counts, wire_enum_name(&task_state_names, s), n);
    }
    json_object_set_new(o, "counts", counts);
}

/* Who asks, as it was proved, and whether more than looking is allowed: a screen offers no more. */
static json_t *you_json(const HttpRequest *req)
{
    json_t *o = json_object();
    json_set_str(o, "name", http_who(req));
    json_set_bool(o, "operator", (http_roles(req) & (ROLE_OPERATOR | ROLE_ADMIN)) != 0);
    return o;
}

static void reply_status(HttpRequest *req, Coord *c, const Task *const *found, size_t n, const char *partial)
{
    (void)partial; /* "database" says so */
    AUTO(strlist_done) StrList warnings = STRLIST_INIT;
    collect_warnings(c, &warnings);
    json_t *o = json_object(), *tasks = json_array();
    json_set_str(o, "version", SIDING_VERSION);
    json_set_str(o, "cluster_name", c->conf.cluster_name);
    json_set_int(o, "term", c->journal.term);
    json_set_str(o, "primary", c->journal.primary);
    json_set_time(o, "started_at", c->started_at);
    json_set_time(o, "now", clock_wall_ms());
    json_object_set_new(o, "you", you_json(req));
    json_object_set_new(o, "database", database_json(c));
    json_object_set_new(o, "agents", agents_json(c));
    json_set_strs(o, "warnings", &warnings);
    json_object_set_new(o, "nodes", nodes_json(c));
    json_object_set_new(o, "queue", coord_brakes_json(c));
    add_counts(c, o);
    for (size_t i = n; i-- > 0;)
        json_array_append_new(tasks, handle_task_in_list(found[i]));
    json_object_set_new(o, "tasks", tasks);
    http_reply_json(req, 200, o);
}

void handle_status(HttpRequest *req, void *context)
{
    AUTO(strlist_done) StrList states = STRLIST_INIT;
    for (int s = TASK_WAITING; s < TASK_DONE; s++)
        strlist_add(&states, wire_enum_name(&task_state_names, s));
    handle_with_tasks(req, context, &states, INT64_MAX, STATUS_TASKS, reply_status);
}

void handle_healthz(HttpRequest *req, void *context)
{
    Coord *c = context;
    json_t *o = json_object();
    json_set_bool(o, "ok", true);
    json_set_int(o, "term", c->journal.term);
    json_set_str(o, "primary", c->journal.primary);
    json_set_bool(o, "database", store_is_up(c) && c->loaded);
    http_reply_json(req, 200, o);
}

/* ---- pause and resume by hand ----------------------------------------------------------------------- */

static void passed_on(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    HttpRequest *req = ref->arg;
    if (ok)
        http_reply_json(req, 200, json_deep_copy(body));
    else
        http_reply_error(req, err);
}

static void send_on(HttpRequest *req, AgentLink *a, const char *word, json_t *body)
{
    AUTOFREE char *path = xasprintf("/v1/%s", word);
    AUTOFREE char *by = http_by(req, json_str(body, "by"));
    json_set_str(body, "by", by);
    CallRef ref = {.done = passed_on, .arg = req};
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    agents_call(a, "POST", path, body, PAUSE_TIMEOUT_MS, &ref);
}

static void pass_on(HttpRequest *req, Coord *c, const char *word, const Bound *known)
{
    const char *name = http_param(req, "name");
    AgentLink *a = state_agent(c, name);
    json_t *body;
    Err err;
    if (!a) {
        handle_error(req, ERR_NOT_FOUND, "there is no node \"%s\"", name);
        return;
    }
    if (!http_body(req, &body, &err) || !bounds_check(known, DOOR_API, body, &err)) {
        http_reply_error(req, &err);
        return;
    }
    if (str_eq(word, "pause") && str_eq(name, c->journal.primary)) {
        handle_error(req, ERR_REFUSED, "%s is the primary: only replicas can be paused", name);
        return;
    }
    AUTOFREE char *mixed = str_eq(word, "pause") ? state_mixed(c, a) : NULL;
    if (mixed) {
        handle_error(req, ERR_REFUSED, "%s %s", name, mixed);
        return;
    }
    send_on(req, a, word, body);
}

/* min_serving is a rule for jobs; by hand a person decides, and is told by the agent's preflight. */
void handle_pause(HttpRequest *req, void *context)
{
    pass_on(req, context, "pause", pause_bounds);
}

void handle_resume(HttpRequest *req, void *context)
{
    pass_on(req, context, "resume", resume_bounds);
}

/* Of the primary, whichever that is: its agent opens it only as such. */
void handle_open(HttpRequest *req, void *context)
{
    Coord *c = context;
    AgentLink *a = state_primary_agent(c);
    json_t *body;
    Err err;
    if (!http_body(req, &body, &err) || !bounds_check(resume_bounds, DOOR_API, body, &err))
        http_reply_error(req, &err);
    else if (!a || c->fenced)
        handle_error(req, ERR_CONFLICT,
                     c->fenced ? "another coordinator has taken over this cluster"
                               : "the primary is not known; siding check says why");
    else
        send_on(req, a, "open", body);
}
