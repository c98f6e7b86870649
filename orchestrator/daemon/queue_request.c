/* SPDX-License-Identifier: Apache-2.0
 * What people ask of a task: stop, kill, sleep, wake, retry, ack, delete. Requests to a run under way take
 * effect at once and are written down behind; what changes the queue alone is written down first.
 */
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "events.h"
#include "queue.h"
#include "queue_db.h"
#include "runs.h"
#include "store.h"

/* ---- changes that are written down first
 * -------------------------------------------------------------------- */

typedef struct ChangeOp {
    StoreOp op;
    Task task; /* as it shall be, without runs */
    char *old_request, *action, *by;
    QueueDone done;
    void *arg;
} ChangeOp;

static bool change_work(Db *db, StoreOp *op, Err *err)
{
    ChangeOp *o = (ChangeOp *)op;
    if (str_eq(o->action, "delete"))
        return qdb_delete_runs(db, o->task.id, err) && qdb_delete_task(db, o->task.id, err);
    if (str_eq(o->action, "ack") && !qdb_acknowledge(db, o->task.id, o->by, err))
        return false;
    return qdb_update_task(db, &o->task, o->old_request, err);
}

static void take_change(Entry *e, const Task *t)
{
    state_set_text(&e->t.state, t->state);
    state_set_text(&e->t.error, t->error);
    state_set_text(&e->t.request, t->request);
    state_set_text(&e->t.request_by, t->request_by);
    state_set_text(&e->saved_request, t->request);
    state_set_text(&e->t.why, NULL);
    e->t.run_at = t->run_at;
    e->t.finished_at = t->finished_at;
    e->t.attempts = t->attempts;
}

/* An upload that is tried again takes its run back to uploading. */
static void revive_parent(Coord *c, const Entry *upload)
{
    int64_t task, no;
    Entry *parent = wire_run_id(upload->t.parent_run, &task, &no) ? state_find(c, task) : NULL;
    Run *r = parent ? entry_run(parent) : NULL;
    if (r && str_eq(r->id, upload->t.parent_run) && run_state_is_final(parent->state) &&
        parent->state != RUN_DONE)
        runs_event(c, parent, RUN_EV_UPLOAD, NULL);
}

static void change_done(Coord *c, StoreOp *op)
{
    ChangeOp *o = (ChangeOp *)op;
    Entry *e = state_find(c, o->task.id);
    if (e)
        e->busy = false;
    if (e && op->ok) {
        events_add(c, "info", "task", e->t.id, NULL, NULL, "%s by %s: %s", o->action, o->by,
                   str_eq(o->action, "delete") ? "gone" : o->task.state);
        if (str_eq(o->action, "delete")) {
            state_remove(c, e);
        } else {
            take_change(e, &o->task);
            if (str_eq(o->action, "retry") && e->t.parent_run)
                revive_parent(c, e);
        }
    }
    if (o->done)
        o->done(o->arg, c, op->ok, o->task.id, &op->err);
    wire_free(task_fields, &o->task);
    free(o->old_request);
    free(o->action);
    free(o->by);
    free(o);
}

static void change(Coord *c, Entry *e, const char *state, const char *action, const char *by, QueueDone done,
                   void *arg)
{
    ChangeOp *o = NEW(ChangeOp);
    o->op = (StoreOp){.what = "change a task", .work = change_work, .done = change_done, .transaction = true};
    Task without_runs = e->t;
    without_runs.runs = (WireList){NULL, 0};
    wire_copy(task_fields, &o->task, &without_runs);
    state_set_text(&o->task.state, state);
    state_set_text(&o->task.request, NULL);
    o->task.finished_at = str_eq(state, "waiting") ? 0 : clock_wall_ms();
    if (str_eq(action, "retry")) {
        o->task.run_at = clock_wall_ms();
        o->task.attempts = 0;
        state_set_text(&o->task.error, NULL);
    }
    o->old_request = xstrdup(e->saved_request);
    o->action = xstrdup(action);
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

/* ---- the rules
 * ------------------------------------------------------------------------------------------------- */

static Entry *upload_of(const Coord *c, const Entry *e)
{
    const Run *r = entry_run(e);
    return r && r->upload_task ? state_find(c, r->upload_task) : NULL;
}

/* A later, weaker request never overwrites a stronger one. */
static int strength(const char *action)
{
    return str_eq(action, "kill") ? 3 : str_eq(action, "stop") ? 2 : 1;
}

static bool ask_run(Coord *c, Entry *e, const char *action, const char *by, Err *err)
{
    if (str_eq(action, "wake") && e->state != RUN_SLEEPING && !str_eq(e->t.request, "sleep"))
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " does not sleep", e->t.id);
    if (str_eq(action, "sleep") && (e->state == RUN_SLEEPING || e->state > RUN_SLEEPING))
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s: there is nothing to put to sleep",
                       e->t.id, run_state_name(e->state));
    if (e->t.request && strength(action) < strength(e->t.request))
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " has been asked to %s already", e->t.id,
                       e->t.request);
    state_set_text(&e->t.request, action);
    state_set_text(&e->t.request_by, by);
    if (strength(action) > 1)
        state_set_text(&e->t.state, "stopping");
    for (size_t i = 0; i < e->n_parts; i++) {
        state_set_text(&e->parts[i].request_sent, NULL);
        retry_reset(&e->parts[i].retry);
    }
    entry_touch(e);
    events_add(c, "info", "task", e->t.id, NULL, NULL, "%s asked for by %s", action, by);
    return true;
}

static bool check(const Entry *e, const char *action, Err *err)
{
    static const char *const known[] = {"stop", "kill", "sleep", "wake", "retry", "ack", "delete", NULL};
    bool final = task_state_is_final(e->t.state), found = false;
    for (size_t i = 0; known[i]; i++)
        found = found || str_eq(action, known[i]);
    if (!found) {
        const char *near = str_nearest(action, known);
        return err_set(err, ERR_USAGE, 0,
                       "no action \"%s\"%s%s%s; known: stop, kill, sleep, wake, retry, ack, delete", action,
                       near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
    }
    bool on_run = strength(action) > 1 || str_eq(action, "sleep") || str_eq(action, "wake");
    if (on_run && final)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " has ended already: it is %s", e->t.id,
                       e->t.state);
    if (!on_run && entry_is_active(e))
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s: first stop or kill it", e->t.id,
                       e->t.state);
    if (str_eq(action, "ack") && !str_eq(e->t.state, "error") && !str_eq(e->t.state, "done_with_errors"))
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s: there is no error to acknowledge",
                       e->t.id, e->t.state);
    if (str_eq(action, "retry") && (!final || str_eq(e->t.state, "done")))
        return err_set(err, ERR_CONFLICT, 0,
                       "task %" PRId64 " is %s: only what failed or was stopped is tried again", e->t.id,
                       e->t.state);
    if ((str_eq(action, "sleep") || str_eq(action, "wake")) && !entry_is_active(e))
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is %s", e->t.id, e->t.state);
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

void queue_request(Coord *c, int64_t task, const char *action, const char *by, QueueDone done, void *arg)
{
    Entry *e = state_find(c, task);
    Err err = {0};
    bool ok = false;
    if (!e)
        err_set(&err, ERR_NOT_FOUND, 0, "there is no task %" PRId64, task);
    else if (check(e, action, &err)) {
        Entry *upload = upload_of(c, e);
        bool upload_failed =
            upload && task_state_is_final(upload->t.state) && !str_eq(upload->t.state, "done");
        if (e->state == RUN_UPLOADING && upload && entry_is_active(e)) {
            queue_request(c, upload->t.id, action, by, done, arg);
            return;
        }
        if (str_eq(action, "retry")) {
            /* The result is there; only its loading failed. */
            change(c, upload_failed ? upload : e, "waiting", action, by, done, arg);
            return;
        }
        if (!entry_is_active(e)) {
            const char *state = str_eq(action, "kill")   ? "killed"
                                : str_eq(action, "stop") ? "stopped"
                                                         : "acknowledged";
            change(c, e, str_eq(action, "delete") ? e->t.state : state, action, by, done, arg);
            return;
        }
        ok = ask_run(c, e, action, by, &err);
    }
    answer(c, done, arg, ok, task, &err);
}
