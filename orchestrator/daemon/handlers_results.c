/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "common/file/json.h"
#include "coord_store.h"
#include "handlers.h"
#include "queue_db.h"
#include "result_stream.h"
#include "retention.h"

enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000, CALL_TIMEOUT_MS = 15000 };

static json_t *result_json(const Task *t, const Run *r, const char *node)
{
    json_t *o = json_object();
    AUTOFREE char *run = runkey_short(r->id);
    json_set_str(o, "run", run);
    json_set_str(o, "incarnation", runkey_incarnation(r->id));
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

/* ---- the list --------------------------------------------------------------------------------------- */

typedef struct ResultsOp {
    StoreOp op;
    int64_t limit;
    HttpRequest *req;
    WireList found;
} ResultsOp;

static bool results_work(Db *db, StoreOp *op, Err *err)
{
    ResultsOp *o = (ResultsOp *)op;
    qdb_free_tasks(&o->found);
    return qdb_result_tasks(db, o->limit, &o->found, err);
}

static void add_results(json_t *to, const Task *t, int64_t limit)
{
    const Run *runs = t->runs.v;
    for (size_t k = t->runs.n; k-- > 0 && (int64_t)json_array_size(to) < limit;)
        for (size_t n = 0; runs[k].result_dir && n < wire_run_holders(&runs[k]); n++)
            json_array_append_new(to, result_json(t, &runs[k], runs[k].nodes.v[n]));
}

/* Newest first: what is not written down yet, then what the database has. */
static void results_done(Coord *c, StoreOp *op)
{
    ResultsOp *o = (ResultsOp *)op;
    json_t *a = json_array();
    for (size_t i = c->n_entries; i-- > 0;)
        if (!op->ok || state_is_newer_than(c->entries[i], op->begun_ms))
            add_results(a, &c->entries[i]->t, o->limit);
    const Task *t = o->found.v;
    for (size_t i = 0; op->ok && i < o->found.n; i++) {
        const TaskEntry *e = state_find(c, t[i].id);
        if (!e || !state_is_newer_than(e, op->begun_ms))
            add_results(a, &t[i], o->limit);
    }
    if (!op->ok)
        http_reply_header(o->req, "X-Siding-Partial", op->err.text);
    http_reply_json(o->req, 200, a);
    qdb_free_tasks(&o->found);
    free(o);
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
    ResultsOp *o = NEW(ResultsOp);
    o->op = (StoreOp){.kind = STORE_READ, .what = "list results", .work = results_work, .done = results_done};
    o->limit = limit;
    o->req = req;
    store_start(c, &o->op);
}

/* ---- one -------------------------------------------------------------------------------------------- */

/* "12": the last run with a result, or the last; "12.1": that one. */
static const Run *find_run(const Task *t, int64_t no, const char *text)
{
    const Run *runs = t->runs.v;
    for (size_t i = t->runs.n; i-- > 0;)
        if (no ? runkey_is(runs[i].id, text) : runs[i].result_dir != NULL)
            return &runs[i];
    return no || !t->runs.n ? NULL : &runs[t->runs.n - 1];
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
        err_prefix(&told, "the result of run %.*s on %s", RUN_TEXT(ref->run), ref->node);
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

/* The run that the path names, and the agent that has its result; NULL: answered. */
static AgentLink *holder_of(HttpRequest *req, Coord *c, const Task *t, const Run **ret)
{
    int64_t task, no = 0;
    const char *text = http_param(req, "run");
    (void)wire_run_id(text, &task, &no);
    const Run *r = find_run(t, no, text);
    if (!r) {
        handle_error(req, ERR_NOT_FOUND, "there is no run %s", text);
        return NULL;
    }
    if (!r->result_dir) {
        handle_error(req, ERR_NOT_FOUND, "run %.*s is %s and has no sealed result", RUN_TEXT(r->id),
                     WIRE_TEXT(coord_run_state_names, r, state));
        return NULL;
    }
    const char *node = http_query(req, "node") ? http_query(req, "node") : best_holder(c, r);
    AgentLink *a = strlist_has(&r->nodes, node) || json_has_str(json_object_get(r->detail, "copies"), node)
                       ? state_agent(c, node)
                       : NULL;
    *ret = r;
    if (a && !retention_expired_at(r, node))
        return a;
    if (!a)
        handle_error(req, ERR_NOT_FOUND, "run %.*s was not on \"%s\", or that node is no longer configured",
                     RUN_TEXT(r->id), node);
    else
        handle_error(req, ERR_NOT_FOUND, "the result of run %.*s on %s has expired (see keep and keep_for)",
                     RUN_TEXT(r->id), node);
    return NULL;
}

static void send_result(HttpRequest *req, Coord *c, const Task *t)
{
    const Run *r;
    AgentLink *a = holder_of(req, c, t, &r);
    if (a)
        fetch_manifest(req, a, t, r);
}

static void send_file(HttpRequest *req, Coord *c, const Task *t)
{
    const Run *r;
    const AgentLink *a = holder_of(req, c, t, &r);
    if (a)
        result_stream(c, req, a, r->id, http_param(req, "file"));
}

static void with_task_of_run(HttpRequest *req, Coord *c, HandleTask then)
{
    int64_t task, no;
    const char *text = http_param(req, "run");
    if (wire_run_id(text, &task, &no))
        handle_with_task(req, c, task, then);
    else
        handle_error(req, ERR_USAGE, "\"%s\" is no run; runs are named 12.1, or 12 for the last of task 12",
                     text);
}

void handle_get_result(HttpRequest *req, void *context)
{
    with_task_of_run(req, context, send_result);
}

void handle_get_result_file(HttpRequest *req, void *context)
{
    with_task_of_run(req, context, send_file);
}
