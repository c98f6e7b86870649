/* SPDX-License-Identifier: Apache-2.0
 * Schedules: recurring tasks that are kept by name. To apply one that is there replaces what was asked for of
 * its task, which keeps its id, runs and logs.
 */

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/wire/bounds.h"
#include "coord_store.h"
#include "handlers.h"
#include "orchestrator/core/recur.h"
#include "queue_db.h"
#include "task_queue.h"
#include "zones.h"

enum { MOST_TURNS = 200 }; /* of one task */

typedef void (*WithTasks)(HttpRequest *req, Coord *c, Task *tasks, size_t n);

typedef struct ScheduleOp {
    StoreOp op;
    char *name; /* NULL: all */
    bool recurring;
    HttpRequest *req;
    WithTasks then;
    WireList found;
} ScheduleOp;

static bool read_work(Db *db, StoreOp *op, Err *err)
{
    ScheduleOp *o = (ScheduleOp *)op;
    qdb_free_tasks(&o->found);
    return o->recurring ? qdb_recurring(db, &o->found, err) : qdb_schedules(db, o->name, &o->found, err);
}

static void read_done(Coord *c, StoreOp *op)
{
    ScheduleOp *o = (ScheduleOp *)op;
    if (op->ok)
        o->then(o->req, c, o->found.v, o->found.n);
    else
        http_reply_error(o->req, &op->err);
    qdb_free_tasks(&o->found);
    free(o->name);
    free(o);
}

static void with_tasks(HttpRequest *req, Coord *c, bool recurring, WithTasks then)
{
    ScheduleOp *o = NEW(ScheduleOp);
    o->op = (StoreOp){.kind = STORE_READ, .what = "read schedules", .work = read_work, .done = read_done};
    o->name = xstrdup(http_param(req, "name"));
    o->recurring = recurring;
    o->req = req;
    o->then = then;
    store_start(c, &o->op);
}

/* ---- what is shown ---------------------------------------------------------------------------------- */

/* What a file holds of it: nothing that is left out, and neither name nor times of its turns. */
static json_t *spec_of(const Task *t)
{
    json_t *body = queue_task_body(t), *plan = json_object_get(body, "plan");
    static const char *const own[] = {"run_at", "user", "key", "unique"};
    const char *key;
    json_t *v;
    void *next;
    for (size_t i = 0; i < COUNT(own); i++)
        json_object_del(body, own[i]);
    json_object_del(plan, "schedule");
    json_object_del(plan, "disabled");
    json_object_foreach_safe(body, next, key, v)
    {
        bool none = json_is_null(v) || json_is_false(v) || (json_is_integer(v) && !json_integer_value(v)) ||
                    ((json_is_array(v) || json_is_object(v)) && !json_object_size(v) && !json_array_size(v));
        if (none)
            json_object_del(body, key);
    }
    return body;
}

static json_t *shown(const Coord *c, const Task *stored)
{
    const TaskEntry *e = state_find(c, stored->id);
    const Task *t = e && state_is_newer(e) ? &e->t : stored;
    const Run *last = stored->runs.n ? (const Run *)stored->runs.v + (stored->runs.n - 1) : NULL;
    json_t *o = json_object();
    json_set_str(o, "name", recur_schedule(t));
    json_set_int(o, "task", t->id);
    json_set_str(o, "job", t->job);
    json_set_bool(o, "enabled", !json_bool(t->plan, "disabled"));
    json_set_str(o, "state", WIRE_TEXT(task_state_names, t, state));
    json_set_time(o, "next", t->state == TASK_WAITING ? t->run_at : 0);
    json_set_str(o, "error", t->error);
    json_set_str(o, "last_run", last ? last->id : NULL);
    json_set_str(o, "last_state", last ? WIRE_TEXT(coord_run_state_names, last, state) : NULL);
    json_set_time(o, "last_started", last ? last->started_at : 0);
    json_set_time(o, "last_finished", last ? last->finished_at : 0);
    json_set_int(o, "lasts_ms", recur_lasts_ms(stored));
    json_object_set_new(o, "spec", spec_of(t));
    return o;
}

static void reply_list(HttpRequest *req, Coord *c, Task *tasks, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, shown(c, &tasks[i]));
    http_reply_json(req, 200, list);
}

void handle_list_schedules(HttpRequest *req, void *context)
{
    with_tasks(req, context, false, reply_list);
}

static void reply_one(HttpRequest *req, Coord *c, Task *tasks, size_t n)
{
    if (n)
        http_reply_json(req, 200, shown(c, tasks));
    else
        handle_error(req, ERR_NOT_FOUND, "there is no schedule \"%s\"", http_param(req, "name"));
}

void handle_get_schedule(HttpRequest *req, void *context)
{
    with_tasks(req, context, false, reply_one);
}

/* ---- apply ------------------------------------------------------------------------------------------ */

static bool read_wish(HttpRequest *req, Coord *c, Task *ret, bool *dry_run, Err *err)
{
    json_t *body;
    TaskSpec spec = {0};
    if (!http_body(req, &body, err) || !bounds_check(task_bounds, DOOR_API, body, err) ||
        !json_opt_bool(body, "dry_run", false, dry_run, err) ||
        !wire_read_asked(task_spec_fields, body, &spec, err))
        return false;
    if (!spec.plan)
        spec.plan = json_object();
    json_set_str(spec.plan, "schedule", http_param(req, "name"));
    char *user = http_by(req, spec.user);
    free(spec.user);
    spec.user = user;
    bool ok = queue_make_task(c, &spec, ret, err);
    wire_free(task_spec_fields, &spec);
    if (ok && !recur_is(ret)) {
        err_set(err, ERR_USAGE, 0, "a schedule runs again: it needs a plan with cron, or sleeptime_ms");
    } else if (ok && (ret->unique || ret->key)) {
        err_set(err, ERR_USAGE, 0, "a schedule has a name: leave unique and key out");
    } else {
        return ok;
    }
    wire_free(task_fields, ret);
    return false;
}

static void add_changes(json_t *to, const json_t *from_spec, const json_t *to_spec, bool both)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)from_spec, key, v)
    {
        json_t *other = json_object_get(to_spec, key);
        if (json_equal(v, other) || (other && !both))
            continue;
        json_t *row = json_object();
        json_set_str(row, "field", key);
        json_object_set(row, both ? "old" : "new", v);
        json_object_set_new(row, both ? "new" : "old", other ? json_incref(other) : json_null());
        json_array_append_new(to, row);
    }
}

/* {"name", "change": "new", "changed" or "none", "fields": [{"field", "old", "new"}]} */
static json_t *changes(HttpRequest *req, const Task *old, const Task *new)
{
    AUTOJSON json_t *before = old ? spec_of(old) : json_object();
    AUTOJSON json_t *after = spec_of(new);
    json_t *o = json_object(), *fields = json_array();
    add_changes(fields, before, after, true);
    add_changes(fields, after, before, false);
    json_set_str(o, "name", http_param(req, "name"));
    json_set_str(o, "change", !old ? "new" : json_array_size(fields) ? "changed" : "none");
    json_object_set_new(o, "fields", fields);
    return o;
}

static void applied(void *arg, Coord *c, bool ok, int64_t task, const Err *err)
{
    HttpRequest *req = arg;
    (void)c;
    if (!ok) {
        http_reply_error(req, err);
        return;
    }
    http_about(req, task);
    json_t *o = json_object();
    json_set_str(o, "name", http_param(req, "name"));
    json_set_int(o, "task", task);
    http_reply_json(req, 200, o);
}

static bool has_other_rhythm(const Task *a, const Task *b)
{
    static const char *const keys[] = {"cron", "zone", "not_on", "jitter_ms"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        const json_t *x = json_object_get(a->plan, keys[i]), *y = json_object_get(b->plan, keys[i]);
        if (x != y && !(x && y && json_equal(x, y)))
            return true;
    }
    return a->sleeptime_ms != b->sleeptime_ms || a->fixed_time != b->fixed_time;
}

/* One that is applied anew stays disabled where it was. */
static void apply(HttpRequest *req, Coord *c, Task *tasks, size_t n)
{
    Task t = {0};
    bool dry_run = false;
    Err err;
    if (!read_wish(req, c, &t, &dry_run, &err)) {
        http_reply_error(req, &err);
        return;
    }
    if (dry_run) {
        http_reply_json(req, 200, changes(req, n ? tasks : NULL, &t));
    } else if (!n) {
        queue_submit(c, &t, false, applied, req);
    } else {
        if (json_bool(tasks->plan, "disabled"))
            json_set_bool(t.plan, "disabled", true);
        AUTOFREE char *by = xstrdup(t.user);
        t.id = tasks->id;
        QueueReplace r = {.t = t,
                          .revives = true,
                          .keeps_times = !has_other_rhythm(tasks, &t),
                          .what = "schedule applied",
                          .by = by};
        t = (Task){0};
        queue_replace(c, &r, applied, req);
    }
    wire_free(task_fields, &t);
}

void handle_apply_schedule(HttpRequest *req, void *context)
{
    Task t = {0};
    bool dry_run;
    Err err;
    if (!read_wish(req, context, &t, &dry_run, &err)) {
        http_reply_error(req, &err);
        return;
    }
    wire_free(task_fields, &t);
    with_tasks(req, context, false, apply);
}

/* ---- requests --------------------------------------------------------------------------------------- */

static void change_one(HttpRequest *req, Coord *c, Task *tasks, size_t n)
{
    json_t *body;
    const char *action = "", *by = "";
    Err err;
    if (!n) {
        reply_one(req, c, tasks, n);
        return;
    }
    if (!http_body(req, &body, &err) || !json_req_str(body, "action", &action, &err) ||
        !json_opt_str(body, "by", "", &by, &err)) {
        http_reply_error(req, &err);
        return;
    }
    AUTOFREE char *who = http_by(req, by), *what = xasprintf("schedule: %s", action);
    QueueReplace r = {.revives = true, .keeps_times = true, .what = what, .by = who};
    Task bare = *tasks;
    bare.runs = (WireList){NULL, 0};
    wire_copy(task_fields, &r.t, &bare);
    r.t.attempts = 0;
    if (str_eq(action, "run-now")) {
        r.keeps_times = false;
        r.t.run_at = clock_wall_ms();
    } else {
        json_set_bool(r.t.plan, "disabled", str_eq(action, "disable"));
    }
    /* What passed meanwhile is not made up for. */
    if (str_eq(action, "enable") && r.t.run_at < clock_wall_ms()) {
        r.keeps_times = false;
        (void)!recur_next(&r.t, zones_of_task(c, &r.t), clock_wall_ms());
    }
    queue_replace(c, &r, applied, req);
}

void handle_change_schedule(HttpRequest *req, void *context)
{
    json_t *body;
    Err err;
    if (!http_body(req, &body, &err) || !bounds_check(schedule_bounds, DOOR_API, body, &err))
        http_reply_error(req, &err);
    else
        with_tasks(req, context, false, change_one);
}

/* ---- the forecast ----------------------------------------------------------------------------------- */

typedef struct ForecastTurn {
    int64_t at, lasts_ms;
    const Task *t;
} ForecastTurn;

static int by_time(const void *a, const void *b)
{
    const ForecastTurn *x = a, *y = b;
    return x->at != y->at ? (x->at > y->at) - (x->at < y->at) : (x->t->id > y->t->id) - (x->t->id < y->t->id);
}

static json_t *turn_shown(const ForecastTurn *f)
{
    json_t *o = json_object();
    json_set_time(o, "at", f->at);
    json_set_int(o, "task", f->t->id);
    json_set_str(o, "name", recur_schedule(f->t) ? recur_schedule(f->t) : f->t->name);
    json_set_str(o, "job", f->t->job);
    json_set_int(o, "lasts_ms", f->lasts_ms);
    json_set_str(o, "window", f->t->window);
    return o;
}

static bool until_of(HttpRequest *req, int64_t *ret, Err *err)
{
    const char *text = http_query(req, "until");
    *ret = clock_wall_ms() + INT64_C(86400000);
    if (!text || clock_parse(text, ret))
        return true;
    return err_set(err, ERR_USAGE, 0, "parameter \"until\" is no time in UTC such as 2026-05-01T08:00:00Z");
}

static void forecast(HttpRequest *req, Coord *c, Task *tasks, size_t n)
{
    int64_t until, now = clock_wall_ms(), turns[MOST_TURNS];
    Err err;
    if (!until_of(req, &until, &err)) {
        http_reply_error(req, &err);
        return;
    }
    ForecastTurn *all = NULL;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (json_bool(tasks[i].plan, "disabled") || tasks[i].kind == KIND_UPLOAD ||
            tasks[i].priority < SLOT_LEAST_PRIORITY)
            continue;
        int64_t lasts = recur_lasts_ms(&tasks[i]);
        size_t k =
            recur_forecast(&tasks[i], zones_of_task(c, &tasks[i]), now, until, lasts, turns, MOST_TURNS);
        all = xrealloc(all, (count + k + 1) * sizeof *all);
        for (size_t j = 0; j < k; j++)
            all[count++] = (ForecastTurn){turns[j], lasts, &tasks[i]};
    }
    if (count)
        qsort(all, count, sizeof *all, by_time);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, turn_shown(&all[i]));
    free(all);
    http_reply_json(req, 200, list);
}

void handle_forecast(HttpRequest *req, void *context)
{
    int64_t until;
    Err err;
    if (until_of(req, &until, &err))
        with_tasks(req, context, true, forecast);
    else
        http_reply_error(req, &err);
}
