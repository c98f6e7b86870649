/* SPDX-License-Identifier: Apache-2.0 */
#include "uploads.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "coord_store.h"
#include "queue_db.h"
#include "run_inbox.h"
#include "task_queue.h"

typedef struct RecordOp {
    StoreOp op;
    int64_t task;
    char *run;
    Task upload;
    WireList stored;
} RecordOp;

static bool record_work(Db *db, StoreOp *op, Err *err)
{
    RecordOp *o = (RecordOp *)op;
    int64_t id;
    return qdb_insert_upload(db, &o->upload, &id, err) && qdb_set_upload(db, o->run, id, err) &&
           qdb_task(db, id, &o->stored, err);
}

static void record_done(Coord *c, StoreOp *op)
{
    RecordOp *o = (RecordOp *)op;
    RunLetter letter = {.task = o->task, .in = {.kind = CRUN_IN_RECORDED, .ok = op->ok, .err = op->err}};
    snprintf(letter.run, sizeof letter.run, "%s", o->run);
    if (op->ok && o->stored.n) {
        letter.in.upload_task = ((Task *)o->stored.v)->id;
        state_adopt(c, o->stored.v);
    }
    run_inbox_put(c, &letter);
    wire_free(task_fields, &o->upload);
    for (size_t i = 0; i < o->stored.n; i++)
        wire_free(task_fields, (Task *)o->stored.v + i);
    free(o->stored.v);
    free(o->run);
    free(o);
}

void uploads_record(Coord *c, const TaskEntry *e)
{
    const Run *r = entry_run(e);
    RecordOp *o = NEW(RecordOp);
    o->op =
        (StoreOp){.what = "record an upload", .work = record_work, .done = record_done, .transaction = true};
    o->task = e->t.id;
    o->run = xstrdup(r->id);
    int64_t now = clock_wall_ms();
    o->upload = (Task){.kind = KIND_UPLOAD,
                       .job = xstrdup(e->t.job),
                       .name = xstrdup(e->t.name),
                       .on = ROLE_PRIMARY,
                       .user = xstrdup(e->t.user),
                       .state = TASK_WAITING,
                       .priority = e->t.priority,
                       .replicas = 1,
                       .submitted_at = now,
                       .run_at = now,
                       .max_attempts = 1,
                       .parent_task = e->t.id,
                       .parent_run = xstrdup(r->id)};
    Err err;
    if (!store_start(c, &o->op, &err)) {
        o->op.err = err;
        record_done(c, &o->op);
    }
}

void uploads_step(Coord *c)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        TaskEntry *up = c->entries[i];
        int64_t task, no;
        if (up->t.kind != KIND_UPLOAD || up->t.state != TASK_WAITING || up->busy || !entry_is_saved(up) ||
            !wire_run_id(up->t.parent_run, &task, &no))
            continue;
        TaskEntry *parent = state_find(c, task);
        Run *r = parent ? entry_run(parent) : NULL;
        if (r && str_eq(r->id, up->t.parent_run) && coord_run_is_final(r->state) && r->state != CRUN_DONE)
            queue_request(c, up->t.id, ACTION_KILL, "siding", NULL, NULL);
    }
}
