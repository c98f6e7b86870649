/* SPDX-License-Identifier: Apache-2.0
 * Submission, planning and the claim. The claim (task running, run claimed, event) is one transaction that
 * also checks the term; only when it is on record does any agent hear of the run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/wire/limits.h"
#include "coord_store.h"
#include "events.h"
#include "orchestrator/core/window.h"
#include "queue_db.h"
#include "run_inbox.h"
#include "task_queue.h"

enum { MAX_PRIORITY = 1000000, MAX_ATTEMPTS = 100 };

/* ---- what a task is --------------------------------------------------------------------------------- */

static const Node **node_list(const Coord *c)
{
    const Node **v = xcalloc(c->n_agents + 1, sizeof *v);
    for (size_t i = 0; i < c->n_agents; i++)
        v[i] = &c->agents[i]->node;
    return v;
}

static const JobInfo *find_job(const Coord *c, const char *name)
{
    AUTOFREE const Node **nodes = node_list(c);
    return choose_job(nodes, c->n_agents, name);
}

static bool unknown_job(const Coord *c, const char *name, Err *err)
{
    AUTOFREE const Node **nodes = node_list(c);
    return choose_unknown_job(nodes, c->n_agents, name, err);
}

static bool check_numbers(const Coord *c, const Task *t, Err *err)
{
    int64_t replicas = c->n_agents ? (int64_t)c->n_agents - 1 : 0;
    if (t->replicas < 1 && t->replicas != REPLICAS_ALL)
        return err_set(err, ERR_USAGE, 0, "replicas must be at least 1, or %d for all, not %" PRId64,
                       REPLICAS_ALL, t->replicas);
    if (t->on == ROLE_REPLICA && t->replicas > replicas)
        return err_set(err, ERR_REFUSED, 0, "%" PRId64 " replicas are asked for, the cluster has %" PRId64,
                       t->replicas, replicas);
    if (t->priority < -MAX_PRIORITY || t->priority > MAX_PRIORITY)
        return err_set(err, ERR_USAGE, 0, "priority must lie between -%d and %d", MAX_PRIORITY, MAX_PRIORITY);
    if (t->sleeptime_ms < 0 || t->pause_limit_ms < 0 || t->max_attempts < 1 || t->max_attempts > MAX_ATTEMPTS)
        return err_set(
            err, ERR_USAGE, 0,
            "sleeptime_ms and pause_limit_ms must not be negative, max_attempts lies between 1 and %d",
            MAX_ATTEMPTS);
    if (t->fixed_time && !t->sleeptime_ms)
        return err_set(err, ERR_USAGE, 0, "fixed_time needs a sleeptime");
    if (!limits_check(t->options, err))
        return false;
    Window ignored;
    return !t->window || window_parse(t->window, &ignored, err);
}

static bool check_shape(const Task *t, Err *err)
{
    bool several = t->replicas > 1 || t->replicas == REPLICAS_ALL;
    if (t->on != ROLE_REPLICA && t->on != ROLE_PRIMARY)
        return err_set(err, ERR_USAGE, 0, "\"on\" must be \"replica\" or \"primary\", not \"%s\"",
                       WIRE_TEXT(node_role_names, t, on));
    if (several && t->on == ROLE_PRIMARY)
        return err_set(err, ERR_USAGE, 0, "a job on the primary runs once: leave \"replicas\" out");
    if (t->options && !json_is_object(t->options))
        return err_set(err, ERR_USAGE, 0, "\"options\" must be an object");
    return true;
}

/* Rows inserted by SQL may leave kind and place open. */
static bool fill_in(const Coord *c, Task *t, Err *err)
{
    const JobInfo *job = find_job(c, t->job);
    if (t->kind == KIND_UPLOAD && !t->parent_run)
        return err_set(err, ERR_REFUSED, 0, "uploads are made by the runs whose results they load");
    if (t->kind == KIND_UPLOAD)
        return true;
    if (!job)
        return unknown_job(c, t->job, err);
    if (t->kind && t->kind != job->kind)
        return err_set(err, ERR_USAGE, 0, "job \"%s\" is of kind \"%s\", not \"%s\"", t->job,
                       WIRE_TEXT(task_kind_names, job, kind), WIRE_TEXT(task_kind_names, t, kind));
    if (!t->kind)
        t->kind = job->kind;
    if (!t->on)
        t->on = job->on ? job->on : ROLE_REPLICA;
    return check_shape(t, err) && check_numbers(c, t, err);
}

static bool from_spec(Coord *c, const TaskSpec *s, Task *t, Err *err)
{
    if (!s->job || !*s->job)
        return err_set(err, ERR_USAGE, 0, "field \"job\" is missing: the name of the job to run");
    int64_t now = clock_wall_ms();
    *t = (Task){.job = xstrdup(s->job),
                .kind = s->kind,
                .on = s->on,
                .name = xstrdup(s->name && *s->name ? s->name : s->job),
                .user = xstrdup(s->user && *s->user ? s->user : "unknown"),
                .state = TASK_WAITING,
                .priority = s->priority,
                .replicas = s->replicas ? s->replicas : 1,
                .submitted_at = now,
                .run_at = s->run_at ? s->run_at : now,
                .sleeptime_ms = s->sleeptime_ms,
                .fixed_time = s->fixed_time,
                .sequence_id = s->sequence_id,
                .window = xstrdup(s->window),
                .unique = xstrdup(s->unique),
                .max_attempts = s->max_attempts ? s->max_attempts : 1,
                .pause_limit_ms = s->pause_limit_ms,
                .options = s->options ? json_deep_copy(s->options) : NULL};
    for (size_t i = 0; i < s->args.n; i++)
        strlist_add(&t->args, s->args.v[i]);
    return fill_in(c, t, err);
}

bool queue_make_task(Coord *c, const TaskSpec *spec, Task *ret, Err *err)
{
    Task t = {0};
    if (!from_spec(c, spec, &t, err)) {
        wire_free(task_fields, &t);
        return false;
    }
    *ret = t;
    return true;
}

/* ---- submission ------------------------------------------------------------------------------------- */

typedef struct SubmitOp {
    StoreOp op;
    Task task;
    QueueDone done;
    void *arg;
} SubmitOp;

static bool submit_work(Db *db, StoreOp *op, Err *err)
{
    SubmitOp *o = (SubmitOp *)op;
    if (o->task.unique && !qdb_check_unique(db, o->task.unique, err))
        return false;
    return qdb_insert_task(db, &o->task, &o->task.id, err);
}

static void submit_done(Coord *c, StoreOp *op)
{
    SubmitOp *o = (SubmitOp *)op;
    int64_t id = o->task.id;
    if (op->ok) {
        c->count.submitted++;
        events_add(c, "info", "task", id, NULL, NULL, "submitted by %s: %s \"%s\"", o->task.user,
                   WIRE_TEXT(task_kind_names, &o->task, kind), o->task.name);
        state_adopt(c, &o->task);
    } else if (op->err.kind == ERR_LOST || op->err.kind == ERR_TIMEOUT) {
        err_prefix(&op->err, "it is not known whether the task was stored (see \"siding task list\")");
    } else if (op->err.kind == ERR_UNREACHABLE || op->err.kind == ERR_AUTH) {
        err_prefix(&op->err, "the task is not stored: the queue lives on the primary, %s",
                   c->journal.primary);
    }
    o->done(o->arg, c, op->ok, id, &op->err);
    wire_free(task_fields, &o->task);
    free(o);
}

void queue_submit(Coord *c, Task *t, QueueDone done, void *arg)
{
    SubmitOp *o = NEW(SubmitOp);
    o->op = (StoreOp){.what = "store a task", .work = submit_work, .done = submit_done, .transaction = true};
    o->task = *t;
    memset(t, 0, sizeof *t);
    o->done = done;
    o->arg = arg;
    Err err;
    if (c->fenced)
        err_set(&err, ERR_STALE_TERM, 0, "another coordinator has taken over this cluster");
    else if (!c->loaded)
        err_set(&err, ERR_UNREACHABLE, 0, "the queue cannot be read yet: %s",
                c->queue.load_error ? c->queue.load_error : store_error(c));
    else if (store_start(c, &o->op, &err))
        return;
    done(arg, c, false, 0, &err);
    wire_free(task_fields, &o->task);
    free(o);
}

/* ---- the claim -------------------------------------------------------------------------------------- */

typedef struct ClaimOp {
    StoreOp op;
    int64_t task, no;
    Run run;
    char *text;     /* of the event */
    int64_t now;    /* by the primary's clock */
    char *position; /* of the primary, later than that */
} ClaimOp;

static bool claim_work(Db *db, StoreOp *op, Err *err)
{
    ClaimOp *o = (ClaimOp *)op;
    const char *node = o->run.nodes.n ? o->run.nodes.v[0] : NULL;
    return qdb_check_term(db, o->run.term, err) && qdb_claim_task(db, o->task, err) &&
           qdb_insert_run(db, o->task, o->no, &o->run, err) &&
           qdb_insert_event(db, o->run.started_at, "info", "run", o->task, o->no, node, o->text, err) &&
           qdb_now(db, &o->now, err) && qdb_position(db, &o->position, err);
}

static void begin_run(Coord *c, TaskEntry *e, ClaimOp *o)
{
    Run *r = wire_list_add(&e->t.runs, sizeof *r);
    wire_copy(run_fields, r, &o->run);
    r->state = CRUN_WAITING; /* the letter leads it on */
    entry_set_parts(e, &r->nodes);
    free(e->after_gtid);
    bool at_once = !c->conf.catch_up_between && e->seen_gtid;
    e->after_gtid = at_once ? xstrdup(e->seen_gtid) : STEAL(o->position);
    e->claimed_at = at_once ? e->seen_at : o->now;
    c->count.started++;
    events_add(c, "info", "run", e->t.id, r->id, r->nodes.v[0], "%s", o->text);
    events_stored(c);
    RunLetter letter = {.task = e->t.id, .in = {.kind = CRUN_IN_CLAIMED}};
    snprintf(letter.run, sizeof letter.run, "%s", r->id);
    run_inbox_put(c, &letter);
}

static void claim_done(Coord *c, StoreOp *op)
{
    ClaimOp *o = (ClaimOp *)op;
    TaskEntry *e = state_find(c, o->task);
    if (e) {
        e->busy = false;
        if (op->ok)
            begin_run(c, e, o);
        else if (op->err.kind == ERR_STALE_TERM)
            c->fenced = true;
        else {
            /* Taken back by SQL, or the outcome is not known: go on from what is on record. */
            retry_failed(c, &e->save_retry, 500, 5000);
            queue_look_up(c, o->task);
        }
    }
    wire_free(run_fields, &o->run);
    free(o->text);
    free(o->position);
    free(o);
}

static void claim(Coord *c, TaskEntry *e, const StrList *nodes)
{
    ClaimOp *o = NEW(ClaimOp);
    int64_t task = 0, last = 0;
    Run *r = entry_run(e);
    if (r)
        (void)wire_run_id(r->id, &task, &last);
    o->op = (StoreOp){.what = "claim a task", .work = claim_work, .done = claim_done, .transaction = true};
    o->task = e->t.id;
    o->no = last + 1;
    o->run = (Run){.id = xasprintf("%" PRId64 ".%" PRId64, e->t.id, o->no),
                   .state = CRUN_CLAIMED,
                   .term = c->journal.term,
                   .started_at = clock_wall_ms()};
    AUTO(str_done) Str text = STR_INIT;
    for (size_t i = 0; i < nodes->n; i++) {
        strlist_add(&o->run.nodes, nodes->v[i]);
        str_addf(&text, "%s%s", i ? ", " : "claimed: it runs on ", nodes->v[i]);
    }
    o->text = str_take(&text);
    Err err;
    e->busy = true;
    if (!store_start(c, &o->op, &err)) {
        o->op.err = err;
        claim_done(c, &o->op);
    }
}

/* ---- planning --------------------------------------------------------------------------------------- */

static void look_at_parent(Coord *c, const Task *t, PlanTask *ret)
{
    int64_t task, no;
    ret->parent_run = t->parent_run;
    ret->parent = t->parent_run ? CRUN_ERROR : CRUN_WAITING;
    if (!t->parent_run || !wire_run_id(t->parent_run, &task, &no))
        return;
    const TaskEntry *parent = state_find(c, task);
    if (!parent) {
        queue_look_up(c, task);
        ret->parent = CRUN_RESUMING;
        return;
    }
    const Run *runs = parent->t.runs.v;
    for (size_t i = 0; i < parent->t.runs.n; i++)
        if (str_eq(runs[i].id, t->parent_run)) {
            ret->parent = runs[i].state;
            ret->scattered = wire_run_holders(&runs[i]) > 1;
        }
}

static PlanTask plan_task(Coord *c, TaskEntry *e)
{
    const Task *t = &e->t;
    bool active = entry_is_active(e);
    bool written = entry_is_saved(e) && !e->busy && retry_due(&e->save_retry);
    PlanTask p = {.id = t->id,
                  .kind = t->kind,
                  .name = t->name,
                  .job = t->job,
                  .on = t->on,
                  .window = t->window,
                  .priority = t->priority,
                  .replicas = t->replicas,
                  .run_at = t->run_at,
                  .submitted_at = t->submitted_at,
                  .sequence_id = t->sequence_id,
                  .waiting = t->state == TASK_WAITING && !active,
                  .active = active,
                  .failed = t->state == TASK_ERROR,
                  .busy = !written};
    look_at_parent(c, t, &p);
    return p;
}

static const char *taken_by(const Coord *c, const char *node)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        const TaskEntry *e = c->entries[i];
        CoordRunState free_from = c->conf.catch_up_between ? CRUN_CAUGHT_UP : CRUN_RESUMING;
        if (!entry_is_active(e) || entry_state(e) >= free_from || e->t.on != ROLE_REPLICA)
            continue;
        if (strlist_has(&entry_run(e)->nodes, node))
            return entry_run(e)->id;
    }
    return NULL;
}

static int week_minute(int64_t wall_ms)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm local;
    localtime_r(&t, &local);
    return (local.tm_wday * 24 + local.tm_hour) * 60 + local.tm_min;
}

static PlanInput make_input(Coord *c, PlanTask *tasks, ChooseNode *nodes)
{
    int64_t now = clock_wall_ms();
    for (size_t i = 0; i < c->n_agents; i++)
        nodes[i] = (ChooseNode){&c->agents[i]->node, taken_by(c, c->agents[i]->name)};
    return (PlanInput){
        .tasks = tasks,
        .nodes = nodes,
        .n_nodes = c->n_agents,
        .rules = {c->journal.primary, c->conf.min_serving, c->conf.max_lag_ms, c->conf.catch_up_between},
        .hold = c->fenced ? "another coordinator has taken over this cluster" : NULL,
        .now_ms = now,
        .week_minute = week_minute(now)};
}

static bool is_complete(Coord *c, TaskEntry *e)
{
    Err err;
    if (e->t.kind && e->t.on)
        return true;
    if (fill_in(c, &e->t, &err))
        return true;
    str_set(&e->t.why, err.text);
    return false;
}

void queue_plan(Coord *c)
{
    if (!c->loaded)
        return;
    AUTOFREE PlanTask *tasks = xcalloc(c->n_entries + 1, sizeof *tasks);
    AUTOFREE TaskEntry **entries = xcalloc(c->n_entries + 1, sizeof *entries);
    AUTOFREE ChooseNode *nodes = xcalloc(c->n_agents + 1, sizeof *nodes);
    size_t n = 0, waiting = 0;
    for (size_t i = 0; i < c->n_entries; i++) {
        TaskEntry *e = c->entries[i];
        if ((task_state_is_final(e->t.state) && e->t.state != TASK_ERROR) || !is_complete(c, e))
            continue;
        entries[n] = e;
        tasks[n] = plan_task(c, e);
        waiting += tasks[n++].waiting;
    }
    if (!waiting)
        return;
    PlanInput in = make_input(c, tasks, nodes);
    in.n_tasks = n;
    Plan plan;
    plan_make(&in, &plan);
    for (size_t i = 0; i < n; i++) {
        if (!tasks[i].waiting)
            continue;
        str_set(&entries[i]->t.why, plan.answers[i].why);
        if (plan.answers[i].start)
            claim(c, entries[i], &plan.answers[i].nodes);
    }
    if (plan.next_ms)
        coord_wake_at(c, clock_mono_ms() + (plan.next_ms - in.now_ms));
    plan_done(&plan);
}

void queue_try(Coord *c, const Task *t, PlanAnswer *ret)
{
    AUTOFREE PlanTask *tasks = xcalloc(c->n_entries + 2, sizeof *tasks);
    AUTOFREE ChooseNode *nodes = xcalloc(c->n_agents + 1, sizeof *nodes);
    size_t n = 0;
    for (size_t i = 0; i < c->n_entries; i++)
        if (!task_state_is_final(c->entries[i]->t.state) || c->entries[i]->t.state == TASK_ERROR)
            tasks[n++] = plan_task(c, c->entries[i]);
    TaskEntry wanted = {.t = *t};
    wanted.t.id = INT64_MAX;
    tasks[n++] = plan_task(c, &wanted);
    PlanInput in = make_input(c, tasks, nodes);
    in.n_tasks = n;
    Plan plan;
    plan_make(&in, &plan);
    *ret = plan.answers[n - 1];
    plan.answers[n - 1] = (PlanAnswer){0};
    plan_done(&plan);
}
