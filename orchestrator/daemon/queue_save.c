/* SPDX-License-Identifier: Apache-2.0
 * Writing behind: a task that changed in memory is written with its last run.
 */
#include <inttypes.h>

#include "common/base/log.h"
#include "queue_db.h"
#include "queue_impl.h"

typedef struct SaveOp {
    StoreOp op;
    Task task; /* with its last run only */
    int64_t rev;
    TaskAction old_request;
} SaveOp;

static bool save_work(Db *db, StoreOp *op, Err *err)
{
    SaveOp *o = (SaveOp *)op;
    int64_t task, no;
    if (!qdb_update_task(db, &o->task, o->old_request, err))
        return false;
    const Run *r = o->task.runs.v;
    return !o->task.runs.n || !wire_run_id(r->id, &task, &no) || qdb_update_run(db, task, no, r, err);
}

static void save_done(Coord *c, StoreOp *op)
{
    SaveOp *o = (SaveOp *)op;
    TaskEntry *e = state_find(c, o->task.id);
    if (e) {
        e->saving = false;
        if (op->ok) {
            e->saved_rev = o->rev;
            retry_reset(&e->save_retry);
            e->saved_request = o->task.request;
        } else {
            retry_failed(c, &e->save_retry, QUEUE_RETRY_LEAST_MS, QUEUE_RETRY_MOST_MS);
            if (op->err.kind == ERR_DB)
                log_error("task %" PRId64 " cannot be written: %s", o->task.id, op->err.text);
        }
    }
    wire_free(task_fields, &o->task);
    free(o);
}

static void copy_with_last_run(const TaskEntry *e, Task *to)
{
    Task shallow = e->t;
    shallow.runs = (WireList){entry_run(e), e->t.runs.n ? 1 : 0};
    wire_copy(task_fields, to, &shallow);
}

static void save_entry(Coord *c, TaskEntry *e)
{
    SaveOp *o = NEW(SaveOp);
    o->op = (StoreOp){.what = "write a task down", .work = save_work, .done = save_done, .transaction = true};
    copy_with_last_run(e, &o->task);
    o->rev = e->rev;
    o->old_request = e->saved_request;
    Err err;
    e->saving = true;
    if (!store_start(c, &o->op, &err)) {
        o->op.err = err;
        save_done(c, &o->op);
    }
}

void queue_save_tasks(Coord *c)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        TaskEntry *e = c->entries[i];
        if (e->rev != e->saved_rev && !e->saving && !e->busy && !e->run.recording &&
            retry_due(&e->save_retry))
            save_entry(c, e);
    }
}
