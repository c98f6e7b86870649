/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "common/file/json.h"
#include "handlers.h"
#include "retention.h"

enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000, CALL_TIMEOUT_MS = 15000 };

static json_t *result_json(const Task *t, const Run *r, const char *node)
{
    json_t *o = json_object();
    json_set_str(o, "run", r->id);
    json_set_int(o, "task", t->id);
    json_set_str(o, "job", t->job);
    json_set_str(o, "kind", WIRE_TEXT(task_kind_names, t, kind));
    json_set_str(o, "node", node);
    json_set_str(o, "gtid", r->gtid);
    json_set_str(o, "state", WIRE_TEXT(coord_run_state_names, r, state));
    json_set_str(o, "path", r->result_dir);
    json_set_int(o, "bytes", json_int(r->detail, "result_bytes"));
    json_set_int(o, "compressed_bytes", json_int(r->detail, "result_compressed_bytes"));
    json_set_time(o, "sealed_at", r->resumed_at ? r->resumed_at : r->finished_at);
    json_set_time(o, "expired_at", retention_expired_at(r, node));
    return o;
}

void handle_list_results(HttpRequest *req, void *context)
{
    Coord *c = context;
    int64_t limit;
    Err err;
    if (!http_query_int(req, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT, &limit, &err)) {
        http_reply_error(req, &err);
        return;
    }
    json_t *a = json_array();
    for (size_t i = c->n_entries; i-- > 0;) {
        const Task *t = &c->entries[i]->t;
        const Run *runs = t->runs.v;
        for (size_t k = t->runs.n; k-- > 0 && (int64_t)json_array_size(a) < limit;)
            for (size_t n = 0; runs[k].result_dir && n < wire_run_holders(&runs[k]); n++)
                json_array_append_new(a, result_json(t, &runs[k], runs[k].nodes.v[n]));
    }
    http_reply_json(req, 200, a);
}

/* "12": the last run with a result, or the last; "12.1": that one. */
static const Run *find_run(const TaskEntry *e, int64_t no, const char *text)
{
    const Run *runs = e->t.runs.v;
    for (size_t i = e->t.runs.n; i-- > 0;)
        if (no ? str_eq(runs[i].id, text) : runs[i].result_dir != NULL)
            return &runs[i];
    return no ? NULL : entry_run(e);
}

typedef struct Wanted {
    HttpRequest *req;
    json_t *o;
} Wanted;

static void manifest_done(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    Wanted *w = ref->arg;
    if (ok) {
        json_object_set(w->o, "manifest", body);
        http_reply_json(w->req, 200, w->o);
    } else {
        Err told = *err;
        err_prefix(&told, "the result of run %s on %s", ref->run, ref->node);
        http_reply_error(w->req, &told);
        json_decref(w->o);
    }
    free(w);
}

static void fetch_manifest(HttpRequest *req, AgentLink *a, const Task *t, const Run *r)
{
    Wanted *w = NEW(Wanted);
    w->req = req;
    w->o = result_json(t, r, a->name);
    json_set_str(w->o, "url", a->url);
    CallRef ref = {.done = manifest_done, .arg = w};
    snprintf(ref.run, sizeof ref.run, "%s", r->id);
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    AUTOFREE char *path = xasprintf("/v1/results/%s/manifest.json", r->id);
    agents_call(a, "GET", path, NULL, CALL_TIMEOUT_MS, &ref);
}

static bool answers(const Coord *c, const Run *r, const char *node)
{
    const AgentLink *a = state_agent(c, node);
    return a && a->fresh && !retention_expired_at(r, node);
}

/* Its own node, as long as that answers; then one with a copy. */
static const char *best_holder(const Coord *c, const Run *r)
{
    const json_t *list = json_object_get(r->detail, "copies");
    for (size_t i = 0; !answers(c, r, r->nodes.v[0]) && i < json_array_size(list); i++) {
        const char *node = json_string_value(json_array_get(list, i));
        if (answers(c, r, node))
            return node;
    }
    return r->nodes.v[0];
}

void handle_get_result(HttpRequest *req, void *context)
{
    Coord *c = context;
    int64_t task, no;
    const char *text = http_param(req, "run");
    if (!wire_run_id(text, &task, &no)) {
        handle_error(req, ERR_USAGE, "\"%s\" is no run; runs are named 12.1, or 12 for the last of task 12",
                     text);
        return;
    }
    const TaskEntry *e = state_find(c, task);
    const Run *r = e ? find_run(e, no, text) : NULL;
    if (!r) {
        handle_error(req, ERR_NOT_FOUND, "there is no run %s", text);
        return;
    }
    if (!r->result_dir) {
        handle_error(req, ERR_NOT_FOUND, "run %s is %s and has no sealed result", r->id,
                     WIRE_TEXT(coord_run_state_names, r, state));
        return;
    }
    const char *node = http_query(req, "node") ? http_query(req, "node") : best_holder(c, r);
    AgentLink *a = strlist_has(&r->nodes, node) || json_has_str(json_object_get(r->detail, "copies"), node)
                       ? state_agent(c, node)
                       : NULL;
    if (!a)
        handle_error(req, ERR_NOT_FOUND, "run %s was not on \"%s\", or that node is no longer configured",
                     r->id, node);
    else if (retention_expired_at(r, node))
        handle_error(req, ERR_NOT_FOUND, "the result of run %s on %s has expired (see keep and keep_for)",
                     r->id, node);
    else
        fetch_manifest(req, a, &e->t, r);
}
