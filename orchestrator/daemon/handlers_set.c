/* SPDX-License-Identifier: Apache-2.0
 * POST /v1/tasks/ID/set: some of what was asked for of a task, anew.
 */
#include "common/file/json.h"
#include "common/wire/bounds.h"
#include "handlers.h"
#include "orchestrator/core/recur.h"
#include "task_queue.h"

static void reply_set(HttpRequest *req, Coord *c, const Task *t)
{
    (void)c;
    http_reply_json(req, 200, handle_task_json(t));
}

static void replaced(void *arg, Coord *c, bool ok, int64_t task, const Err *err)
{
    HttpRequest *req = arg;
    if (ok)
        handle_with_task(req, c, task, reply_set);
    else
        http_reply_error(req, err);
}

/* The whole as it could be submitted, with what is set in it; the task's own things stay. */
static bool patched(Coord *c, const Task *old, const json_t *patch, Task *ret, Err *err)
{
    AUTOJSON json_t *body = queue_task_body(old);
    TaskSpec spec = {0};
    json_object_update(body, (json_t *)patch);
    json_object_del(body, "by");
    bool ok = bounds_check(task_bounds, DOOR_API, body, err) &&
              wire_read_asked(task_spec_fields, body, &spec, err) && queue_make_task(c, &spec, ret, err);
    wire_free(task_spec_fields, &spec);
    if (!ok)
        return false;
    ret->id = old->id;
    ret->attempts = old->attempts;
    return true;
}

/* A new time of day is one of this turn; a new rhythm counts from now on. */
static bool set_times(const Task *old, const json_t *patch, Task *t, Err *err)
{
    int64_t run_at = t->run_at;
    bool rhythm = json_object_get(patch, "sleeptime_ms") != NULL;
    t->planned_at = old->planned_at;
    t->run_at = json_object_get(patch, "run_at") ? run_at : old->run_at;
    if (rhythm && recur_has_cron(t))
        return err_set(err, ERR_USAGE, 0, "a task with a cron line has no sleep time");
    if (rhythm)
        t->planned_at = 0;
    return true;
}

static void set_in(HttpRequest *req, Coord *c, const Task *old)
{
    json_t *patch;
    Err err;
    const char *by = "";
    QueueReplace r = {.what = "set"};
    if (!http_body(req, &patch, &err) || !json_opt_str(patch, "by", "", &by, &err) ||
        !patched(c, old, patch, &r.t, &err)) {
        http_reply_error(req, &err);
        return;
    }
    if (!set_times(old, patch, &r.t, &err)) {
        http_reply_error(req, &err);
        wire_free(task_fields, &r.t);
        return;
    }
    AUTOFREE char *who = http_by(req, by);
    r.by = who;
    queue_replace(c, &r, replaced, req);
}

void handle_set(HttpRequest *req, void *context)
{
    json_t *patch;
    Err err;
    long long id;
    const char *text = http_param(req, "id");
    if (!str_to_i64(text, 1, INT64_MAX, &id)) {
        handle_error(req, ERR_USAGE, "\"%s\" is no task id; ids are numbers", text);
        return;
    }
    if (!http_body(req, &patch, &err) || !bounds_check(set_bounds, DOOR_API, patch, &err)) {
        http_reply_error(req, &err);
        return;
    }
    http_about(req, id);
    handle_with_task(req, context, id, set_in);
}
