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
#include "queue_impl.h"
#include "run_inbox.h"

static const char *action_name(TaskAction a)
{
    return wire_enum_text(&task_action_names, (int)a, NULL);
}

/* ---- changes that are written down first ------------------------------------------------------------ */

/* Beside ERR_CONFLICT: it has a run under way by now, the request is one to that. */
enum { IS_ACTIVE = 2, TIMES = 5, AUDIT_TEXT = 200 };

typedef struct ChangeOp {
    StoreOp op;
    int64_t id;
    TaskAction action;
    char *by;
    int64_t now;
    TaskState before;
    WireList found; /* the task as it was; its state and what follows from it as they shall be */
    QueueDone done;
    void *arg;
    int times;
} ChangeOp;

static bool check(const Task *t, bool active, TaskAction action, Err *err);

static TaskState state_wished(const Task *t, TaskAction action)
{
    return action == ACTION_KILL                                                    ? TASK_KILLED
           : action == ACTION_STOP                                                  ? TASK_STOPPED
           : action == ACTION_RETRY                                                 ? TASK_WAITING
           : action == ACTION_DELETE || action == ACTION_RUN || task_turn_failed(t) ? t->state
                                                                                    : TASK_ACKNOWLEDGED;
}

static bool run_is_under_way(const Task *t)
{
    return t->runs.n && !coord_run_is_final(((const Run *)t->runs.v)[t->runs.n - 1].state);
}

static const Run *last_run(const Task *t)
{
    return t->runs.n ? (const Run *)t->runs.v + (t->runs.n - 1) : NULL;
}

/* Where the result is there, only its loading failed: that is what is tried again. */
static bool lock_what_is_meant(Db *db, ChangeOp *o, Err *err)
{
    Err ignored;
    WireList upload = {0};
    if (!qdb_lock_task(db, o->id, &o->found, err))
        return false;
    const Run *r = last_run(o->found.v);
    if (o->action != ACTION_RETRY || !r || !r->upload_task)
        return true;
    if (!qdb_lock_task(db, r->upload_task, &upload, &ignored)) {
        *err = ignored;
        return ignored.kind == ERR_NOT_FOUND;
    }
    const Task *u = upload.v;
    bool failed = task_state_is_final(u->state) && u->state != TASK_DONE;
    WireList other = failed ? o->found : upload;
    if (failed)
        o->found = upload;
    qdb_free_tasks(&other);
    return true;
}

static void set_wished(const ChangeOp *o, Task *t)
{
    t->state = state_wished(t, o->action);
    t->request = o->action == ACTION_RUN ? ACTION_RUN : ACTION_NONE;
    if (o->action == ACTION_RUN)
        str_set(&t->request_by, o->by);
    t->finished_at = t->state == TASK_WAITING ? 0 : o->now;
    if (o->action == ACTION_RETRY || (o->action == ACTION_ACK && t->state == TASK_WAITING))
        str_set(&t->error, NULL);
    if (o->action != ACTION_RETRY)
        return;
    t->run_at = o->now;
    t->attempts = 0;
}

static bool write_audit(Db *db, const ChangeOp *o, const Task *t, Err *err)
{
    char text[AUDIT_TEXT];
    snprintf(text, sizeof text, "%s by %.80s: %s", action_name(o->action), o->by,
             o->action == ACTION_DELETE ? "gone" : WIRE_TEXT(task_state_names, t, state));
    return qdb_insert_event(
        db,
        &(QdbEvent){.at = o->now, .task = t->id, .level = "info", .what = "audit", .by = o->by, .text = text},
        err);
}

static bool keep_unique(Db *db, const Task *t, TaskAction action, Err *err)
{
    bool freed;
    if (!t->unique || action == ACTION_RUN || (action == ACTION_ACK && t->state == TASK_WAITING))
        return true;
    if (action == ACTION_RETRY)
        return qdb_take_unique(db, t->unique, t->id, err);
    return qdb_free_unique(db, t->unique, t->id, &freed, err);
}

static bool change_work(Db *db, StoreOp *op, Err *err)
{
    ChangeOp *o = (ChangeOp *)op;
    if (!lock_what_is_meant(db, o, err))
        return false;
    Task *t = o->found.v;
    if (run_is_under_way(t))
        return err_set(err, ERR_CONFLICT, IS_ACTIVE, "task %" PRId64 " is under way", t->id);
    if (o->action == ACTION_RETRY && task_turn_failed(t))
        o->action = ACTION_RUN; /* once more now; its next turn stays */
    if (!check(t, false, o->action, err) ||
        (o->action == ACTION_RETRY && t->unique && !qdb_unique_is_free(db, t->unique, t->id, err)))
        return false;
    TaskAction old = t->request;
    o->before = t->state;
    set_wished(o, t);
    QdbIds one = {&t->id, 1, 1};
    bool ok = o->action == ACTION_DELETE ? qdb_delete_tasks(db, &one, err) : qdb_update_task(db, t, old, err);
    return ok && (o->action != ACTION_ACK || qdb_acknowledge(db, t->id, o->by, err)) &&
           keep_unique(db, t, o->action, err) && write_audit(db, o, t, err);
}

/* An upload that is tried again takes its run back to uploading. */
static void revive_parent(Coord *c, const Task *upload)
{
    int64_t no;
    RunLetter letter = {.in = {.kind = CRUN_IN_REVIVED}};
    if (!wire_run_id(upload->parent_run, &letter.task, &no))
        return;
    snprintf(letter.run, sizeof letter.run, "%s", upload->parent_run);
    if (state_find(c, letter.task)) {
        run_inbox_put(c, &letter);
        return;
    }
    c->queue.memory->reviving = letter.task;
    queue_look_up(c, letter.task);
}

/* What has ended is counted by state: an error that is seen to is none any more. */
static void count_change(Coord *c, const ChangeOp *o)
{
    int64_t *ended = c->queue.memory->ended;
    TaskState after = ((const Task *)o->found.v)->state;
    if (task_state_is_final(o->before) && ended[o->before] > 0)
        ended[o->before]--;
    if (task_state_is_final(after) && o->action != ACTION_DELETE)
        ended[after]++;
}

static void changed(Coord *c, ChangeOp *o)
{
    Task *t = o->found.v;
    int64_t id = t->id;
    count_change(c, o);
    events_add(c, "info", "audit", id, NULL, NULL, "%s by %s: %s", action_name(o->action), o->by,
               o->action == ACTION_DELETE ? "gone" : WIRE_TEXT(task_state_names, t, state));
    TaskEntry *e = state_find(c, id);
    if (o->action == ACTION_DELETE) {
        slots_end(c->slots, id);
        queue_note_absent(c, id);
        if (e)
            state_remove(c, e);
        return;
    }
    if (o->action == ACTION_RETRY && t->kind == KIND_UPLOAD && t->parent_run)
        revive_parent(c, t);
    Task copy = {0};
    wire_copy(task_fields, &copy, t);
    queue_take(c, &copy, true);
}

static void change_begin(Coord *c, ChangeOp *o);

/* Claimed meanwhile: by now it is in memory, or about to be. */
static bool ask_again(Coord *c, ChangeOp *o)
{
    if (o->op.ok || o->op.err.kind != ERR_CONFLICT || o->op.err.code != IS_ACTIVE || o->times++ >= TIMES)
        return false;
    TaskEntry *e = state_find(c, o->id);
    if (!e)
        queue_look_up(c, o->id);
    if (e && entry_is_active(e))
        return false;
    change_begin(c, o);
    return true;
}

static void change_done(Coord *c, StoreOp *op)
{
    ChangeOp *o = (ChangeOp *)op;
    TaskEntry *e = state_find(c, o->id);
    if (e)
        e->changing = false;
    if (ask_again(c, o))
        return;
    if (op->ok)
        changed(c, o);
    if (!op->ok && op->err.code == IS_ACTIVE && op->err.kind == ERR_CONFLICT)
        queue_request(c, o->id, o->action, o->by, o->done, o->arg);
    else if (o->done)
        o->done(o->arg, c, op->ok, op->ok ? ((Task *)o->found.v)->id : o->id, &op->err);
    qdb_free_tasks(&o->found);
    free(o->by);
    free(o);
}

static void change_begin(Coord *c, ChangeOp *o)
{
    TaskEntry *e = state_find(c, o->id);
    o->op = (StoreOp){.kind = STORE_WRITE, .what = "change a task", .work = change_work, .done = change_done};
    o->now = clock_wall_ms();
    if (e)
        e->changing = true;
    store_start(c, &o->op);
}

static void change(Coord *c, int64_t id, TaskAction action, const char *by, QueueDone done, void *arg)
{
    ChangeOp *o = NEW(ChangeOp);
    o->id = id;
    o->action = action;
    o->by = xstrdup(by);
    o->done = done;
    o->arg = arg;
    change_begin(c, o);
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
    return action == ACTION_KILL ? 3 : action == ACTION_STOP || action == ACTION_REQUEUE ? 2 : 1;
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
        e->run.parts[i].request_sent = e->run.parts[i].request_taken = ACTION_NONE;
        retry_reset(&e->run.parts[i].retry);
    }
    entry_touch(e);
    events_add(c, "info", "task", e->t.id, NULL, NULL, "%s asked for by %s", action_name(action), by);
    return true;
}

static bool check(const Task *t, bool active, TaskAction action, Err *err)
{
    bool final = task_state_is_final(t->state);
    const char *state = WIRE_TEXT(task_state_names, t, state);
    if (action == ACTION_NONE || action == ACTION_UNKNOWN) /* by SQL: nobody else gets so far */
        return err_set(err, ERR_USAGE, 0, "task %" PRId64 " is asked for something that is not known here",
                       t->id);
    if (action == ACTION_RUN && (active || final))
        return err_set(err, ERR_CONFLICT, 0,
                       "task %" PRId64 " is %s: only one that waits is started by hand%s", t->id, state,
                       final && t->state != TASK_DONE ? "; retry it" : "");
    if (action == ACTION_REQUEUE && t->kind == KIND_UPLOAD)
        return err_set(err, ERR_CONFLICT, 0,
                       "task %" PRId64 " is an upload, which keeps its turn: stop or kill it", t->id);
    bool on_run = action <= ACTION_WAKE || action == ACTION_REQUEUE;
    if (on_run && final)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " has ended already: it is %s", t->id, state);
    if (!on_run && active)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s: first stop or kill it", t->id, state);
    bool turn_failed = task_turn_failed(t);
    if (action == ACTION_ACK && t->state != TASK_ERROR && t->state != TASK_DONE_WITH_ERRORS && !turn_failed)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s: there is no error to acknowledge",
                       t->id, state);
    if (action == ACTION_RETRY && (!final || t->state == TASK_DONE) && !turn_failed)
        return err_set(err, ERR_CONFLICT, 0,
                       "task %" PRId64 " is %s: only what failed or was stopped is tried again", t->id,
                       state);
    if ((action == ACTION_SLEEP || action == ACTION_WAKE || action == ACTION_REQUEUE) && !active)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s", t->id, state);
    return true;
}

static void answer(Coord *c, QueueDone done, void *arg, bool ok, int64_t task, const Err *err)
{
    if (done)
        done(arg, c, ok, task, err);
    coord_step_soon(c);
}

/* While a run's result is being loaded, what is asked of its task is asked of the upload. */
static int64_t task_asked(const Coord *c, int64_t task)
{
    TaskEntry *e = state_find(c, task);
    TaskEntry *upload = e && entry_is_active(e) && entry_state(e) == CRUN_UPLOADING ? upload_of(c, e) : NULL;
    return upload ? upload->t.id : task;
}

static bool may_ask(const Coord *c, Err *err)
{
    if (c->fenced)
        return err_set(err, ERR_STALE_TERM, 0,
                       "another coordinator has taken over this cluster: ask that one");
    return true;
}

void queue_request(Coord *c, int64_t task, TaskAction action, const char *by, QueueDone done, void *arg)
{
    Err err = {0};
    int64_t asked = task_asked(c, task);
    TaskEntry *e = state_find(c, asked);
    bool active = e && entry_is_active(e);
    if (!may_ask(c, &err) || (active && !check(&e->t, active, action, &err)))
        answer(c, done, arg, false, asked, &err);
    else if (active && ask_run(c, e, action, by, &err))
        queue_asked_add(c, asked, action, done, arg);
    else if (active)
        answer(c, done, arg, false, asked, &err);
    else
        change(c, asked, action, by, done, arg);
}
