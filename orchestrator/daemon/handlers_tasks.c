/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "coord_store.h"
#include "handlers.h"
#include "queue_db.h"
#include "task_queue.h"

enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000, LOG_TIMEOUT_MS = 30000, LOG_MAX_BYTES = 4 << 20 };

/* ---- submit ----------------------------------------------------------------------------------------- */

static bool only_known(const json_t *body, Err *err)
{
    static const char *const known[] = {
        "job",          "kind",    "on",           "name",           "user",   "args",        "priority",
        "replicas",     "run_at",  "sleeptime_ms", "fixed_time",     "window", "sequence_id", "unique",
        "max_attempts", "options", "dry_run",      "pause_limit_ms", NULL};
    return json_only_keys(body, known, err);
}

static bool read_spec(HttpRequest *req, json_t *body, TaskSpec *spec, bool *dry_run, Err *err)
{
    if (!only_known(body, err) || !json_opt_bool(body, "dry_run", false, dry_run, err))
        return false;
    if (!wire_read(task_spec_fields, body, spec, err)) {
        err->kind = ERR_USAGE;
        return false;
    }
    if (!wire_check_names(task_spec_fields, spec, err))
        return false;
    if (!spec->user)
        spec->user = xstrdup(http_peer(req));
    return true;
}

static void reply_task(HttpRequest *req, int status, const Task *t)
{
    http_reply_json(req, status, wire_write(task_fields, t));
}

static void submitted(void *arg, Coord *c, bool ok, int64_t task, const Err *err)
{
    HttpRequest *req = arg;
    TaskEntry *e = ok ? state_find(c, task) : NULL;
    if (!ok)
        http_reply_error(req, err);
    else if (e)
        reply_task(req, 201, &e->t);
    else
        handle_error(req, ERR_NOT_FOUND, "task %" PRId64 " is gone already", task);
}

static void reply_plan(HttpRequest *req, Coord *c, const Task *t)
{
    PlanAnswer a = {0};
    queue_try(c, t, &a);
    json_t *o = json_object();
    json_set_str(o, "job", t->job);
    json_set_str(o, "kind", wire_enum_name(&task_kind_names, (int)t->kind));
    json_set_str(o, "on", wire_enum_name(&node_role_names, (int)t->on));
    json_set_strs(o, "nodes", &a.nodes);
    json_set_str(o, "starts", a.start ? "now" : "later");
    json_set_str(o, "why", a.why);
    strlist_done(&a.nodes);
    free(a.why);
    http_reply_json(req, 200, o);
}

void handle_submit(HttpRequest *req, void *context)
{
    Coord *c = context;
    json_t *body;
    TaskSpec spec = {0};
    Task t = {0};
    bool dry_run;
    Err err;
    if (!http_body(req, &body, &err) || !read_spec(req, body, &spec, &dry_run, &err) ||
        !queue_make_task(c, &spec, &t, &err))
        http_reply_error(req, &err);
    else if (dry_run)
        reply_plan(req, c, &t);
    else
        queue_submit(c, &t, submitted, req);
    wire_free(task_spec_fields, &spec);
    wire_free(task_fields, &t);
}

/* ---- one task --------------------------------------------------------------------------------------- */

/* History that memory has let go of. */
typedef struct FetchOp {
    StoreOp op;
    int64_t id;
    HttpRequest *req;
    WireList found;
} FetchOp;

static bool fetch_work(Db *db, StoreOp *op, Err *err)
{
    FetchOp *o = (FetchOp *)op;
    return qdb_task(db, o->id, &o->found, err);
}

static void free_tasks(WireList *list)
{
    for (size_t i = 0; i < list->n; i++)
        wire_free(task_fields, (Task *)list->v + i);
    free(list->v);
}

static void fetch_done(Coord *c, StoreOp *op)
{
    (void)c;
    FetchOp *o = (FetchOp *)op;
    if (!op->ok)
        http_reply_error(o->req, &op->err);
    else if (!o->found.n)
        handle_error(o->req, ERR_NOT_FOUND, "there is no task %" PRId64, o->id);
    else
        reply_task(o->req, 200, o->found.v);
    free_tasks(&o->found);
    free(o);
}

static bool read_id(HttpRequest *req, int64_t *ret)
{
    long long id;
    const char *text = http_param(req, "id");
    if (str_to_i64(text, 1, INT64_MAX, &id)) {
        *ret = id;
        return true;
    }
    handle_error(req, ERR_USAGE, "\"%s\" is no task id; ids are numbers", text);
    return false;
}

static void absent(HttpRequest *req, Coord *c, int64_t id)
{
    if (c->loaded)
        handle_error(req, ERR_NOT_FOUND, "there is no task %" PRId64, id);
    else
        handle_error(req, ERR_UNREACHABLE, "the queue cannot be read yet: %s",
                     c->queue.load_error ? c->queue.load_error : store_error(c));
}

TaskEntry *handle_entry(HttpRequest *req, Coord *c)
{
    int64_t id;
    if (!read_id(req, &id))
        return NULL;
    TaskEntry *e = state_find(c, id);
    if (!e)
        absent(req, c, id);
    return e;
}

void handle_get_task(HttpRequest *req, void *context)
{
    Coord *c = context;
    int64_t id;
    if (!read_id(req, &id))
        return;
    TaskEntry *e = state_find(c, id);
    if (e || !c->loaded) {
        if (e)
            reply_task(req, 200, &e->t);
        else
            absent(req, c, id);
        return;
    }
    FetchOp *o = NEW(FetchOp);
    o->op = (StoreOp){.what = "fetch a task", .work = fetch_work, .done = fetch_done};
    o->id = id;
    o->req = req;
    if (!store_start(c, &o->op, &o->op.err))
        fetch_done(c, &o->op);
}

static char *why_text(const TaskEntry *e)
{
    const Run *r = entry_run(e);
    if (e->t.state == TASK_WAITING)
        return xstrdup(e->t.why ? e->t.why : "it starts now");
    if (task_state_is_final(e->t.state))
        return xasprintf("it has ended: %s%s%s", WIRE_TEXT(task_state_names, &e->t, state),
                         e->t.error ? ": " : "", e->t.error ? e->t.error : "");
    return xasprintf("run %s is %s on %s%s%s", r ? r->id : "?", WIRE_TEXT(coord_run_state_names, r, state),
                     r && r->nodes.n ? r->nodes.v[0] : "?", r && r->note ? ": " : "",
                     r && r->note ? r->note : "");
}

void handle_get_why(HttpRequest *req, void *context)
{
    TaskEntry *e = handle_entry(req, context);
    if (!e)
        return;
    AUTOFREE char *why = why_text(e);
    json_t *o = json_object();
    json_set_int(o, "task", e->t.id);
    json_set_str(o, "state", WIRE_TEXT(task_state_names, &e->t, state));
    json_set_str(o, "why", why);
    http_reply_json(req, 200, o);
}

static void requested(void *arg, Coord *c, bool ok, int64_t task, const Err *err)
{
    HttpRequest *req = arg;
    TaskEntry *e = ok ? state_find(c, task) : NULL;
    if (!ok)
        http_reply_error(req, err);
    else if (e)
        reply_task(req, 200, &e->t);
    else
        http_reply_json(req, 200, json_pack("{s:I, s:s}", "id", (json_int_t)task, "state", "deleted"));
}

void handle_request(HttpRequest *req, void *context)
{
    Coord *c = context;
    static const char *const known[] = {"action", "by", NULL};
    const char *word, *by;
    int action;
    json_t *body;
    Err err;
    if (!http_body(req, &body, &err) || !json_only_keys(body, known, &err) ||
        !json_req_str(body, "action", &word, &err) ||
        !wire_enum_read(&task_action_names, "action", word, &action, &err) ||
        !json_opt_str(body, "by", http_peer(req), &by, &err)) {
        http_reply_error(req, &err);
        return;
    }
    TaskEntry *e = handle_entry(req, c);
    if (e)
        queue_request(c, e->t.id, (TaskAction)action, by, requested, req);
}

/* ---- lists ------------------------------------------------------------------------------------------ */

typedef struct ListOp {
    StoreOp op;
    int64_t before, limit;
    json_t *so_far;
    HttpRequest *req;
    WireList found;
} ListOp;

static bool list_work(Db *db, StoreOp *op, Err *err)
{
    ListOp *o = (ListOp *)op;
    return qdb_ended_tasks(db, o->before, o->limit, &o->found, err);
}

static void list_done(Coord *c, StoreOp *op)
{
    (void)c;
    ListOp *o = (ListOp *)op;
    const Task *t = o->found.v;
    for (size_t i = 0; op->ok && i < o->found.n; i++)
        json_array_append_new(o->so_far, wire_write(task_fields, &t[i]));
    if (op->ok || json_array_size(o->so_far)) {
        http_reply_json(o->req, 200, o->so_far);
    } else {
        json_decref(o->so_far);
        http_reply_error(o->req, &op->err);
    }
    free_tasks(&o->found);
    free(o);
}

static bool state_wanted(const StrList *states, const Task *t)
{
    return states->n == 0 || strlist_has(states, WIRE_TEXT(task_state_names, t, state));
}

/* Memory holds all that are not ended and the newest that are; older pages come from the database. */
void handle_list_tasks(HttpRequest *req, void *context)
{
    Coord *c = context;
    int64_t limit, before;
    Err err;
    if (!http_query_int(req, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT, &limit, &err) ||
        !http_query_int(req, "before", 1, INT64_MAX, INT64_MAX, &before, &err)) {
        http_reply_error(req, &err);
        return;
    }
    AUTO(strlist_done) StrList states = STRLIST_INIT;
    if (http_query(req, "state"))
        strlist_split(&states, http_query(req, "state"), ',');
    json_t *a = json_array();
    for (size_t i = c->n_entries; i-- > 0 && (int64_t)json_array_size(a) < limit;) {
        const Task *t = &c->entries[i]->t;
        if (t->id < before && state_wanted(&states, t))
            json_array_append_new(a, wire_write(task_fields, t));
    }
    int64_t missing = limit - (int64_t)json_array_size(a);
    int64_t oldest = c->n_entries ? c->entries[0]->t.id : INT64_MAX;
    if (!missing || states.n || before == INT64_MAX || !c->loaded) {
        http_reply_json(req, 200, a);
        return;
    }
    ListOp *o = NEW(ListOp);
    o->op = (StoreOp){.what = "fetch history", .work = list_work, .done = list_done};
    *o = (ListOp){o->op, oldest < before ? oldest : before, missing, a, req, {NULL, 0}};
    if (!store_start(c, &o->op, &o->op.err))
        list_done(c, &o->op);
}

/* ---- logs ------------------------------------------------------------------------------------------- */

typedef struct LogJob {
    HttpRequest *req;
    char *url, *path;
    Tls tls;
    Str text;
    bool ok;
    Err err;
} LogJob;

static bool take_bytes(void *arg, const char *bytes, size_t n)
{
    LogJob *j = arg;
    if (j->text.len + n > LOG_MAX_BYTES)
        n = LOG_MAX_BYTES - j->text.len;
    str_add(&j->text, bytes, n);
    return j->text.len < LOG_MAX_BYTES;
}

static void log_work(void *arg)
{
    LogJob *j = arg;
    j->ok = httpc_download(&(HttpCall){.base_url = j->url,
                                       .method = "GET",
                                       .path = j->path,
                                       .timeout_ms = LOG_TIMEOUT_MS,
                                       .tls = j->tls.ca_file ? &j->tls : NULL},
                           NULL, NULL, take_bytes, j, &j->err) ||
            (j->err.kind == ERR_CANCELLED && j->text.len);
}

static void log_done(void *arg)
{
    LogJob *j = arg;
    if (j->ok)
        http_reply_text(j->req, 200, "text/plain; charset=utf-8", str_z(&j->text), j->text.len);
    else
        http_reply_error(j->req, &j->err);
    free(j->url);
    free(j->path);
    free(j->tls.ca_file);
    free(j->tls.certificate_file);
    free(j->tls.key_file);
    str_done(&j->text);
    free(j);
}

static const Run *wanted_run(HttpRequest *req, const TaskEntry *e)
{
    const char *no = http_query(req, "run");
    if (!no)
        return entry_run(e);
    AUTOFREE char *id = xasprintf("%" PRId64 ".%s", e->t.id, no);
    const Run *runs = e->t.runs.v;
    for (size_t i = 0; i < e->t.runs.n; i++)
        if (str_eq(runs[i].id, id))
            return &runs[i];
    return NULL;
}

void handle_get_log(HttpRequest *req, void *context)
{
    Coord *c = context;
    TaskEntry *e = handle_entry(req, c);
    if (!e)
        return;
    int64_t offset;
    Err err;
    const char *stream = http_query(req, "stream") ? http_query(req, "stream") : "log";
    if (!http_query_int(req, "offset", 0, INT64_MAX, 0, &offset, &err)) {
        http_reply_error(req, &err);
        return;
    }
    if (!str_eq(stream, "log") && !str_eq(stream, "err")) {
        handle_error(req, ERR_USAGE, "parameter \"stream\" must be \"log\" or \"err\", not \"%s\"", stream);
        return;
    }
    const Run *r = wanted_run(req, e);
    if (!r || !r->nodes.n) {
        handle_error(req, ERR_NOT_FOUND, "task %" PRId64 " has no such run yet", e->t.id);
        return;
    }
    const char *node = http_query(req, "node") ? http_query(req, "node") : r->nodes.v[0];
    AgentLink *a = strlist_has(&r->nodes, node) ? state_agent(c, node) : NULL;
    if (!a) {
        handle_error(req, ERR_NOT_FOUND, "run %s was not on \"%s\"", r->id, node);
        return;
    }
    LogJob *j = NEW(LogJob);
    j->req = req;
    j->url = xstrdup(a->url);
    j->path = xasprintf("/v1/runs/%s/log?stream=%s&offset=%" PRId64, r->id, stream, offset);
    j->tls = (Tls){xstrdup(c->conf.tls.certificate_file), xstrdup(c->conf.tls.key_file),
                   xstrdup(c->conf.tls.ca_file)};
    if (!work_submit(c->files, (WorkJob){log_work, log_done, j}, &j->err))
        log_done(j);
}
