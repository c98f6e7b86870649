/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "common/base/clock.h"
#include "common/file/json.h"
#include "coord_store.h"
#include "handlers.h"
#include "orchestrator/core/topology.h"
#include "task_queue.h"

enum { PAUSE_TIMEOUT_MS = 10 * 60 * 1000 };

static json_t *nodes_json(const Coord *c)
{
    json_t *a = json_array();
    for (size_t i = 0; i < c->n_agents; i++)
        json_array_append_new(a, wire_write(node_fields, &c->agents[i]->node));
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
    for (size_t i = 0; i < c->n_agents; i++) {
        const Node *node = &c->agents[i]->node;
        AUTOFREE char *mixed = state_mixed(c, c->agents[i]);
        if (mixed)
            strlist_addf(ret, "%s %s", node->name, mixed);
        topology_warnings(node, c->journal.primary, ret);
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

static void add_tasks(const Coord *c, json_t *o)
{
    json_t *counts = json_object(), *tasks = json_array();
    for (size_t i = 0; i < c->n_entries; i++) {
        const Task *t = &c->entries[i]->t;
        const char *state = WIRE_TEXT(task_state_names, t, state);
        json_set_int(counts, state, json_int(counts, state) + 1);
        if (!task_state_is_final(t->state) && json_array_size(tasks) < 200)
            json_array_append_new(tasks, wire_write(task_fields, t));
    }
    json_object_set_new(o, "counts", counts);
    json_object_set_new(o, "tasks", tasks);
}

void handle_status(HttpRequest *req, void *context)
{
    Coord *c = context;
    AUTO(strlist_done) StrList warnings = STRLIST_INIT;
    collect_warnings(c, &warnings);
    json_t *o = json_object();
    json_set_str(o, "version", SIDING_VERSION);
    json_set_str(o, "cluster_name", c->conf.cluster_name);
    json_set_int(o, "term", c->journal.term);
    json_set_str(o, "primary", c->journal.primary);
    json_set_time(o, "started_at", c->started_at);
    json_set_time(o, "now", clock_wall_ms());
    json_object_set_new(o, "database", database_json(c));
    json_object_set_new(o, "agents", agents_json(c));
    json_set_strs(o, "warnings", &warnings);
    json_object_set_new(o, "nodes", nodes_json(c));
    add_tasks(c, o);
    http_reply_json(req, 200, o);
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

static void pass_on(HttpRequest *req, Coord *c, const char *word, const char *const *known)
{
    const char *name = http_param(req, "name");
    AgentLink *a = state_agent(c, name);
    json_t *body;
    Err err;
    if (!a) {
        handle_error(req, ERR_NOT_FOUND, "there is no node \"%s\"", name);
        return;
    }
    if (!http_body(req, &body, &err) || !json_only_keys(body, known, &err)) {
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
    AUTOFREE char *path = xasprintf("/v1/%s", word);
    CallRef ref = {.done = passed_on, .arg = req};
    snprintf(ref.node, sizeof ref.node, "%s", name);
    agents_call(a, "POST", path, body, PAUSE_TIMEOUT_MS, &ref);
}

/* min_serving is a rule for jobs; by hand a person decides, and is told by the agent's preflight. */
void handle_pause(HttpRequest *req, void *context)
{
    static const char *const known[] = {"for_s", "reason", "hold", "by", "allow", NULL};
    pass_on(req, context, "pause", known);
}

void handle_resume(HttpRequest *req, void *context)
{
    static const char *const known[] = {"by", "reason", NULL};
    pass_on(req, context, "resume", known);
}
