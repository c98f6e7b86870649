/* SPDX-License-Identifier: Apache-2.0
 * What was asked for of a task, anew: its row keeps its id, its runs and its logs.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "events.h"
#include "queue_impl.h"

enum { AUDIT_TEXT = 200 };

typedef struct ReplaceOp {
    StoreOp op;
    Task t;
    bool revives, keeps_times;
    char *what, *by;
    int64_t now;
    WireList found;
    QueueDone done;
    void *arg;
} ReplaceOp;

static bool run_is_under_way(const Task *t)
{
    return t->runs.n && !coord_run_is_final(((const Run *)t->runs.v)[t->runs.n - 1].state);
}

static bool replace_work(Db *db, StoreOp *op, Err *err)
{
    ReplaceOp *o = (ReplaceOp *)op;
    char text[AUDIT_TEXT];
    if (!qdb_lock_task(db, o->t.id, &o->found, err))
        return false;
    const Task *old = o->found.v;
    bool ended = task_state_is_final(old->state), under_way = run_is_under_way(old);
    if (ended && !o->revives)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " has ended already: it is %s", old->id,
                       WIRE_TEXT(task_state_names, old, state));
    if (!str_eq(old->unique, o->t.unique))
        return err_set(err, ERR_USAGE, 0, "the unique name of a task does not change");
    if (ended && old->unique &&
        (!qdb_unique_is_free(db, old->unique, old->id, err) ||
         !qdb_take_unique(db, old->unique, old->id, err)))
        return false;
    if (o->keeps_times && !ended) {
        o->t.run_at = old->run_at;
        o->t.planned_at = old->planned_at;
        o->t.attempts = old->attempts;
    }
    snprintf(text, sizeof text, "%.100s by %.80s", o->what, o->by);
    return qdb_replace_task(db, &o->t, !under_way, err) && qdb_insert_event(db,
                                                                            &(QdbEvent){.at = o->now,
                                                                                        .task = o->t.id,
                                                                                        .level = "info",
                                                                                        .what = "audit",
                                                                                        .by = o->by,
                                                                                        .text = text},
                                                                            err);
}

/* While its run is under way memory has the task: what is asked for goes into it. */
static void take_over(Task *to, Task *from)
{
    EXCHANGE(to->name, from->name);
    EXCHANGE(to->args, from->args);
    EXCHANGE(to->options, from->options);
    EXCHANGE(to->plan, from->plan);
    EXCHANGE(to->window, from->window);
    EXCHANGE(to->host, from->host);
    EXCHANGE(to->on_error_text, from->on_error_text);
    EXCHANGE(to->preempt_text, from->preempt_text);
    EXCHANGE(to->at_window_end_text, from->at_window_end_text);
    to->on_error = from->on_error;
    to->preempt = from->preempt;
    to->at_window_end = from->at_window_end;
    to->priority = from->priority;
    to->replicas = from->replicas;
    to->sequence_id = from->sequence_id;
    to->sleeptime_ms = from->sleeptime_ms;
    to->fixed_time = from->fixed_time;
    to->max_attempts = from->max_attempts;
    to->pause_limit_ms = from->pause_limit_ms;
}

static void replace_done(Coord *c, StoreOp *op)
{
    ReplaceOp *o = (ReplaceOp *)op;
    int64_t id = o->t.id;
    TaskEntry *e = state_find(c, id);
    if (op->ok) {
        events_add(c, "info", "audit", id, NULL, NULL, "%s by %s", o->what, o->by);
        if (e && entry_is_active(e))
            take_over(&e->t, &o->t);
        else
            queue_look_up(c, id);
    }
    o->done(o->arg, c, op->ok, id, &op->err);
    wire_free(task_fields, &o->t);
    qdb_free_tasks(&o->found);
    free(o->what);
    free(o->by);
    free(o);
}

void queue_replace(Coord *c, QueueReplace *r, QueueDone done, void *arg)
{
    ReplaceOp *o = NEW(ReplaceOp);
    o->op =
        (StoreOp){.kind = STORE_WRITE, .what = "change a task", .work = replace_work, .done = replace_done};
    o->t = r->t;
    r->t = (Task){0};
    o->revives = r->revives;
    o->keeps_times = r->keeps_times;
    o->what = xstrdup(r->what);
    o->by = xstrdup(r->by);
    o->now = clock_wall_ms();
    o->done = done;
    o->arg = arg;
    store_start(c, &o->op);
}
