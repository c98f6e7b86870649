/* SPDX-License-Identifier: Apache-2.0
 * What people ask of a task: stop, kill, sleep, wake, retry, ack, delete. Requests to a run under way take
 * effect at once and are written down behind; what changes the queue alone is written down first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "coord_store.h"
#include "events.h"
#include "queue_db.h"
#include "run_inbox.h"
#include "task_queue.h"

static const char *action_name(TaskAction a)
{
    return wire_enum_text(&task_action_names, (int)a, NULL);
}

/* ---- changes that are written down first ------------------------------------------------------------ */

typedef struct ChangeOp {
    StoreOp op;
    Task task; /* as it shall be, without runs */
    TaskAction old_request, action;
    char *by;
    QueueDone done;
    void *arg;
} ChangeOp;

static bool change_work(Db *db, StoreOp *op, Err *err)
{
    ChangeOp *o = (ChangeOp *)op;
    if (o->action == ACTION_DELETE)
        return qdb_delete_runs(db, o->task.id, err) && qdb_delete_task(db, o->task.id, err);
    if (o->action == ACTION_ACK && !qdb_acknowledge(db, o->task.id, o->by, err))
        return false;
    return qdb_update_task(db, &o->task, o->old_request, err);
}

static void take_change(TaskEntry *e, const Task *t)
{
    e->t.state = t->state;
    str_set(&e->t.error, t->error);
    e->t.request = t->request;
    str_set(&e->t.request_by, t->request_by);
    e->saved_request = t->request;
    str_set(&e->t.why, NULL);
    e->t.run_at = t->run_at;
    e->t.finished_at = t->finished_at;
    e->t.attempts = t->attempts;
}

/* An upload that is tried again takes its run back to uploading. */
static void revive_parent(Coord *c, const TaskEntry *upload)
{
    int64_t no;
    RunLetter letter = {.in = {.kind = CRUN_IN_REVIVED}};
    if (!wire_run_id(upload->t.parent_run, &letter.task, &no))
        return;
    snprintf(letter.run, sizeof letter.run, "%s", upload->t.parent_run);
    run_inbox_put(c, &letter);
}

static void change_done(Coord *c, StoreOp *op)
{
    ChangeOp *o = (ChangeOp *)op;
    TaskEntry *e = state_find(c, o->task.id);
    if (e)
        e->busy = false;
    if (e && op->ok) {
        events_add(c, "info", "task", e->t.id, NULL, NULL, "%s by %s: %s", action_name(o->action), o->by,
                   o->action == ACTION_DELETE ? "gone" : WIRE_TEXT(task_state_names, &o->task, state));
        if (o->action == ACTION_DELETE) {
            state_remove(c, e);
        } else {
            take_change(e, &o->task);
            if (o->action == ACTION_RETRY && e->t.parent_run)
                revive_parent(c, e);
        }
    }
    if (o->done)
        o->done(o->arg, c, op->ok, o->task.id, &op->err);
    wire_free(task_fields, &o->task);
    free(o->by);
    free(o);
}

static void change(Coord *c, TaskEntry *e, TaskState state, TaskAction action, const char *by, QueueDone done,
                   void *arg)
{
    ChangeOp *o = NEW(ChangeOp);
    o->op = (StoreOp){.what = "change a task", .work = change_work, .done = change_done, .transaction = true};
    Task without_runs = e->t;
    without_runs.runs = (WireList){NULL, 0};
    wire_copy(task_fields, &o->task, &without_runs);
    o->task.state = state;
    o->task.request = ACTION_NONE;
    o->task.finished_at = state == TASK_WAITING ? 0 : clock_wall_ms();
    if (action == ACTION_RETRY) {
        o->task.run_at = clock_wall_ms();
        o->task.attempts = 0;
        str_set(&o->task.error, NULL);
    }
    o->old_request = e->saved_request;
    o->action = action;
    o->by = xstrdup(by);
    o->done = done;
    o->arg = arg;
    Err err;
    e->busy = true;
    if (!store_start(c, &o->op, &err)) {
        o->op.err = err;
        change_done(c, &o->op);
    }
}

/* ---- the rules -------------------------------------------------------------------------------------- */

static TaskEntry *upload_of(const Coord *c, const TaskEntry *e)
{
    const Run *r = entry_run(e);
    return r && r->upload_task ? state_find(c, r->upload_task) : NULL;
}

/* A later, weaker request never overwrites a stronger one. */
static int strength(TaskAction action)
{
    return action == ACTION_KILL ? 3 : action == ACTION_STOP ? 2 : 1;
}

static bool ask_run(Coord *c, TaskEntry *e, TaskAction action, const char *by, Err *err)
{
    if (action == ACTION_WAKE && entry_state(e) != CRUN_SLEEPING && e->t.request != ACTION_SLEEP)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " does not sleep", e->t.id);
    if (action == ACTION_SLEEP && entry_state(e) >= CRUN_SLEEPING)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s: there is nothing to put to sleep",
                       e->t.id, coord_run_state_name(entry_state(e)));
    if (e->t.request && strength(action) < strength(e->t.request))
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " has been asked to %s already", e->t.id,
                       action_name(e->t.request));
    e->t.request = action;
    str_set(&e->t.request_by, by);
    if (strength(action) > 1)
        e->t.state = TASK_STOPPING;
    for (size_t i = 0; i < e->run.n_parts; i++) {
        e->run.parts[i].request_sent = ACTION_NONE;
        retry_reset(&e->run.parts[i].retry);
    }
    entry_touch(e);
    events_add(c, "info", "task", e->t.id, NULL, NULL, "%s asked for by %s", action_name(action), by);
    return true;
}

static bool check(const TaskEntry *e, TaskAction action, Err *err)
{
    bool final = task_state_is_final(e->t.state);
    if (action == ACTION_NONE || action == ACTION_UNKNOWN) /* by SQL: nobody else gets so far */
        return err_set(err, ERR_USAGE, 0, "task %" PRId64 " is asked for something that is not known here",
                       e->t.id);
    bool on_run = action <= ACTION_WAKE;
    if (on_run && final)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " has ended already: it is %s", e->t.id,
                       WIRE_TEXT(task_state_names, &e->t, state));
    if (!on_run && entry_is_active(e))
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s: first stop or kill it", e->t.id,
                       WIRE_TEXT(task_state_names, &e->t, state));
    if (action == ACTION_ACK && e->t.state != TASK_ERROR && e->t.state != TASK_DONE_WITH_ERRORS)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s: there is no error to acknowledge",
                       e->t.id, WIRE_TEXT(task_state_names, &e->t, state));
    if (action == ACTION_RETRY && (!final || e->t.state == TASK_DONE))
        return err_set(err, ERR_CONFLICT, 0,
                       "task %" PRId64 " is %s: only what failed or was stopped is tried again", e->t.id,
                       WIRE_TEXT(task_state_names, &e->t, state));
    if ((action == ACTION_SLEEP || action == ACTION_WAKE) && !entry_is_active(e))
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s", e->t.id,
                       WIRE_TEXT(task_state_names, &e->t, state));
    if (e->busy)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is just being changed: try again", e->t.id);
    return true;
}

static void answer(Coord *c, QueueDone done, void *arg, bool ok, int64_t task, const Err *err)
{
    if (done)
        done(arg, c, ok, task, err);
    coord_step_soon(c);
}

/* While a run's result is being loaded, what is asked of its task is asked of the upload. */
static bool find_asked(const Coord *c, int64_t task, TaskAction action, TaskEntry **ret, Err *err)
{
    TaskEntry *e = state_find(c, task);
    if (!e)
        return err_set(err, ERR_NOT_FOUND, 0, "there is no task %" PRId64, task);
    if (!check(e, action, err))
        return false;
    TaskEntry *upload = entry_state(e) == CRUN_UPLOADING && entry_is_active(e) ? upload_of(c, e) : NULL;
    *ret = upload ? upload : e;
    return !upload || check(upload, action, err);
}

static TaskState state_wished(const TaskEntry *e, TaskAction action)
{
    return action == ACTION_KILL     ? TASK_KILLED
           : action == ACTION_STOP   ? TASK_STOPPED
           : action == ACTION_DELETE ? e->t.state
                                     : TASK_ACKNOWLEDGED;
}

void queue_request(Coord *c, int64_t task, TaskAction action, const char *by, QueueDone done, void *arg)
{
    TaskEntry *e = NULL;
    Err err = {0};
    if (!find_asked(c, task, action, &e, &err)) {
        answer(c, done, arg, false, task, &err);
    } else if (action == ACTION_RETRY) {
        /* Where the result is there, only its loading failed. */
        TaskEntry *upload = upload_of(c, e);
        bool failed = upload && task_state_is_final(upload->t.state) && upload->t.state != TASK_DONE;
        change(c, failed ? upload : e, TASK_WAITING, action, by, done, arg);
    } else if (!entry_is_active(e)) {
        change(c, e, state_wished(e, action), action, by, done, arg);
    } else {
        answer(c, done, arg, ask_run(c, e, action, by, &err), e->t.id, &err);
    }
}
