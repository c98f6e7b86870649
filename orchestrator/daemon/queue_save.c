/* SPDX-License-Identifier: Apache-2.0
 * Writing behind: a task that changed in memory is written with its last run.
 */
#include <inttypes.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "post_process.h"
#include "queue_impl.h"

typedef struct SaveOp {
    StoreOp op;
    Task task; /* while a run is under way with that one only */
    int64_t rev;
    TaskAction old_request;
    Task post; /* what follows a run that went well; job NULL: nothing */
    int64_t post_id;
} SaveOp;

static bool save_work(Db *db, StoreOp *op, Err *err)
{
    SaveOp *o = (SaveOp *)op;
    int64_t task, no;
    bool freed;
    if (!qdb_update_task(db, &o->task, o->old_request, err))
        return false;
    const Run *runs = o->task.runs.v;
    for (size_t i = 0; i < o->task.runs.n; i++)
        if (wire_run_id(runs[i].id, &task, &no) && !qdb_update_run(db, task, no, &runs[i], err))
            return false;
    if (o->post.job && !post_process_store(db, &o->post, &o->post_id, err))
        return false;
    /* A name that an application's transaction holds is freed later. */
    return !o->task.unique || !task_state_is_final(o->task.state) ||
           qdb_free_unique(db, o->task.unique, o->task.id, &freed, err);
}

static void save_done(Coord *c, StoreOp *op)
{
    SaveOp *o = (SaveOp *)op;
    TaskEntry *e = state_find(c, o->task.id);
    if (op->ok && o->post.job)
        post_process_stored(c, e, &o->post, o->post_id);
    if (e) {
        e->saving = false;
        if (op->ok) {
            e->saved_rev = o->rev;
            e->saved_ms = clock_mono_ms();
            e->ended_saved = task_state_is_final(o->task.state);
            retry_reset(&e->save_retry);
            e->saved_request = o->task.request;
        } else {
            retry_failed(c, &e->save_retry, QUEUE_RETRY_LEAST_MS, QUEUE_RETRY_MOST_MS);
            if (op->err.kind == ERR_DB)
                log_error("task %" PRId64 " cannot be written: %s", o->task.id, op->err.text);
        }
        if (op->ok && !e->post_run && entry_is_saved(e) && e->t.state == TASK_WAITING &&
            e->t.kind != KIND_UPLOAD)
            state_remove(c, e); /* it waits in its slot */
    }
    wire_free(task_fields, &o->task);
    wire_free(task_fields, &o->post);
    free(o);
}

/* Of an ended task any run may have changed: its result has expired. */
static void copy_changed(const TaskEntry *e, Task *to)
{
    Task shallow = e->t;
    if (entry_is_active(e) || !e->ended_saved)
        shallow.runs = (WireList){entry_run(e), e->t.runs.n ? 1 : 0};
    wire_copy(task_fields, to, &shallow);
}

static void save_entry(Coord *c, TaskEntry *e)
{
    SaveOp *o = NEW(SaveOp);
    o->op = (StoreOp){.kind = STORE_WRITE, .what = "write a task down", .work = save_work, .done = save_done};
    copy_changed(e, &o->task);
    o->rev = e->rev;
    o->old_request = e->saved_request;
    post_process_make(e, &o->post);
    e->saving = true;
    store_start(c, &o->op);
}

void queue_save_tasks(Coord *c)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        TaskEntry *e = c->entries[i];
        if (e->rev != e->saved_rev && !e->saving && !e->run.recording && retry_due(&e->save_retry))
            save_entry(c, e);
    }
}
