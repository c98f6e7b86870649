/* SPDX-License-Identifier: Apache-2.0 */
#include "uploads.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "queue_impl.h"
#include "run_inbox.h"

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
    qdb_free_tasks(&o->stored);
    return qdb_insert_upload(db, &o->upload, &id, err) && qdb_set_upload(db, o->run, id, err) &&
           qdb_task(db, id, &o->stored, err);
}

static void record_done(Coord *c, StoreOp *op)
{
    RecordOp *o = (RecordOp *)op;
    RunLetter letter = {.task = o->task, .in = {.kind = CRUN_IN_RECORDED, .ok = op->ok, .err = op->err}};
    snprintf(letter.run, sizeof letter.run, "%s", o->run);
    if (op->ok && o->stored.n)
        letter.in.upload_task = ((Task *)o->stored.v)->id;
    if (op->ok)
        queue_take_all(c, &o->stored, true, INT64_MAX);
    run_inbox_put(c, &letter);
    wire_free(task_fields, &o->upload);
    qdb_free_tasks(&o->stored);
    free(o->run);
    free(o);
}

/* What it loads into, as the manifest says; the job's name where that names nothing. */
static char *lane_of(const Coord *c, const TaskEntry *e)
{
    const AgentLink *a = state_agent(c, entry_run(e)->nodes.v[0]);
    const AgentRun *run = a ? state_agent_run(a, entry_run(e)->id) : NULL;
    const json_t *upload = run ? json_object_get(run->manifest, "upload") : NULL;
    const char *target = json_str(upload, "target");
    return xstrndup(*target ? target : e->t.job, 128);
}

void uploads_record(Coord *c, const TaskEntry *e)
{
    const Run *r = entry_run(e);
    RecordOp *o = NEW(RecordOp);
    o->op =
        (StoreOp){.kind = STORE_WRITE, .what = "record an upload", .work = record_work, .done = record_done};
    o->task = e->t.id;
    o->run = xstrdup(r->id);
    int64_t now = clock_wall_ms();
    o->upload = (Task){.kind = KIND_UPLOAD,
                       .job = xstrdup(e->t.job),
                       .name = xstrdup(e->t.name),
                       .lane = lane_of(c, e),
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
    store_start(c, &o->op);
}
