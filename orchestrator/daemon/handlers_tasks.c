/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/wire/bounds.h"
#include "coord_store.h"
#include "handlers.h"
#include "job_check.h"
#include "task_queue.h"

enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000, MAX_USER = 128 };

/* ---- submit ----------------------------------------------------------------------------------------- */

/* The column takes no more: then who it was counts for more than who it is said to be. */
static void name_user(const HttpRequest *req, TaskSpec *spec)
{
    char *user = http_by(req, spec->user);
    if (strlen(user) > MAX_USER) {
        free(user);
        user = xstrdup(http_who(req));
    }
    free(spec->user);
    spec->user = user;
}

static bool read_spec(HttpRequest *req, json_t *body, TaskSpec *spec, bool *dry_run, Err *err)
{
    if (!bounds_check(task_bounds, DOOR_API, body, err) ||
        !json_opt_bool(body, "dry_run", false, dry_run, err) ||
        !wire_read_asked(task_spec_fields, body, spec, err))
        return false;
    name_user(req, spec);
    return true;
}

json_t *handle_task_json(const Task *t)
{
    json_t *o = wire_write(task_fields, t);
    runkey_show(o);
    return o;
}

static void reply_task(HttpRequest *req, int status, const Task *t)
{
    http_reply_json(req, status, handle_task_json(t));
}

static void reply_found(HttpRequest *req, Coord *c, const Task *t)
{
    Task shown = *t; /* borrows all but the reason */
    shown.why = t->state == TASK_WAITING ? queue_why(c, t->id) : NULL;
    reply_task(req, 200, &shown);
    free(shown.why);
}

static void reply_stored(HttpRequest *req, Coord *c, const Task *t)
{
    (void)c;
    reply_task(req, 201, t);
}

static void submitted(void *arg, Coord *c, bool ok, int64_t task, const Err *err)
{
    if (ok) {
        http_about(arg, task);
        handle_with_task(arg, c, task, reply_stored);
    } else
        http_reply_error(arg, err);
}

static void reply_plan(HttpRequest *req, Coord *c, const Task *t)
{
    AUTO(strlist_done) StrList nodes = STRLIST_INIT;
    AUTOFREE char *why = NULL;
    queue_try(c, t, &nodes, &why);
    json_t *o = json_object();
    json_set_str(o, "job", t->job);
    json_set_str(o, "kind", wire_enum_name(&task_kind_names, (int)t->kind));
    json_set_str(o, "on", wire_enum_name(&node_role_names, (int)t->on));
    json_set_strs(o, "nodes", &nodes);
    json_set_str(o, "starts", nodes.n ? "now" : "later");
    json_set_str(o, "why", why);
    job_check_plan(c, t, o, req);
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
        queue_submit(c, &t, spec.unique_existing, submitted, req);
    wire_free(task_spec_fields, &spec);
    wire_free(task_fields, &t);
}

/* ---- one task --------------------------------------------------------------------------------------- */

bool handle_read_id(HttpRequest *req, int64_t *ret)
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

void handle_get_task(HttpRequest *req, void *context)
{
    int64_t id;
    if (handle_read_id(req, &id))
        handle_with_task(req, context, id, reply_found);
}

static char *why_text(Coord *c, const Task *t)
{
    const Run *r = t->runs.n ? (const Run *)t->runs.v + (t->runs.n - 1) : NULL;
    char *why = t->state == TASK_WAITING || t->state == TASK_SLEEPING ? queue_why(c, t->id) : NULL;
    if (t->state == TASK_WAITING || why)
        return why ? why : xstrdup("it starts now");
    if (task_state_is_final(t->state))
        return xasprintf("it has ended: %s%s%s", WIRE_TEXT(task_state_names, t, state), t->error ? ": " : "",
                         t->error ? t->error : "");
    return xasprintf("run %.*s is %s on %s%s%s", RUN_TEXT(r ? r->id : "?"),
                     WIRE_TEXT(coord_run_state_names, r, state), r && r->nodes.n ? r->nodes.v[0] : "?",
                     r && r->note ? ": " : "", r && r->note ? r->note : "");
}

static void reply_why(HttpRequest *req, Coord *c, const Task *t)
{
    AUTOFREE char *why = why_text(c, t);
    json_t *o = json_object();
    json_set_int(o, "task", t->id);
    json_set_str(o, "state", WIRE_TEXT(task_state_names, t, state));
    json_set_str(o, "why", why);
    http_reply_json(req, 200, o);
}

void handle_get_why(HttpRequest *req, void *context)
{
    int64_t id;
    if (handle_read_id(req, &id))
        handle_with_task(req, context, id, reply_why);
}

static void requested(void *arg, Coord *c, bool ok, int64_t task, const Err *err)
{
    HttpRequest *req = arg;
    if (!ok)
        http_reply_error(req, err);
    else if (queue_is_absent(c, task))
        http_reply_json(req, 200, json_pack("{s:I, s:s}", "id", (json_int_t)task, "state", "deleted"));
    else
        handle_with_task(req, c, task, reply_found);
}

void handle_request(HttpRequest *req, void *context)
{
    Coord *c = context;
    const char *word, *by;
    int action;
    json_t *body;
    Err err;
    if (!http_body(req, &body, &err) || !bounds_check(request_bounds, DOOR_API, body, &err) ||
        !json_req_str(body, "action", &word, &err) ||
        !wire_enum_read(&task_action_names, "action", word, &action, &err) ||
        !json_opt_str(body, "by", "", &by, &err)) {
        http_reply_error(req, &err);
        return;
    }
    int64_t id;
    AUTOFREE char *who = http_by(req, by);
    if (!handle_read_id(req, &id))
        return;
    http_about(req, id);
    queue_request(c, id, (TaskAction)action, who, requested, req);
}

/* ---- lists ------------------------------------------------------------------------------------------ */

static void reply_list(HttpRequest *req, Coord *c, const Task *const *tasks, size_t n, const char *partial)
{
    (void)c;
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, handle_task_in_list(tasks[i]));
    if (partial)
        http_reply_header(req, "X-Siding-Partial", partial);
    http_reply_json(req, 200, a);
}

json_t *handle_task_in_list(const Task *t)
{
    json_t *o = handle_task_json(t);
    json_object_del(o, "args");
    json_object_del(o, "options");
    return o;
}

static bool read_states(HttpRequest *req, StrList *ret, Err *err)
{
    int ignored;
    const char *text = http_query(req, "state");
    if (!text)
        return true;
    strlist_split(ret, text, ',');
    if (!ret->n)
        return err_set(err, ERR_USAGE, 0, "parameter \"state\" names none");
    for (size_t i = 0; i < ret->n; i++)
        if (!wire_enum_read(&task_state_names, "state", ret->v[i], &ignored, err))
            return false;
    return true;
}

void handle_list_tasks(HttpRequest *req, void *context)
{
    int64_t limit, before;
    AUTO(strlist_done) StrList states = STRLIST_INIT;
    Err err;
    if (!read_states(req, &states, &err) ||
        !http_query_int(req, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT, &limit, &err) ||
        !http_query_int(req, "before", 1, INT64_MAX, INT64_MAX, &before, &err)) {
        http_reply_error(req, &err);
        return;
    }
    handle_with_tasks(req, context, &states, before, limit, reply_list);
}
