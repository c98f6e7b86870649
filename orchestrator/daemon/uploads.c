/* SPDX-License-Identifier: Apache-2.0 */
#include "uploads.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "events.h"
#include "queue.h"
#include "queue_db.h"
#include "runs.h"
#include "store.h"

static const char *mode_of(const AgentRun *seen)
{
    return seen && seen->sealed ? json_str(json_object_get(seen->manifest, "upload"), "mode") : "";
}

bool uploads_wanted(const Entry *e, const AgentRun *seen)
{
    const Run *r = entry_run(e);
    const char *mode = mode_of(seen);
    return r->upload_task || e->sealing || (*mode && !str_eq(mode, "none"));
}

typedef struct SealOp {
    StoreOp op;
    int64_t task;
    char *run;
    Task upload;
    WireList stored;
} SealOp;

static bool seal_work(Db *db, StoreOp *op, Err *err)
{
    SealOp *o = (SealOp *)op;
    int64_t id;
    return qdb_insert_upload(db, &o->upload, &id, err) && qdb_set_upload(db, o->run, id, err) &&
           qdb_task(db, id, &o->stored, err);
}

static void seal_done(Coord *c, StoreOp *op)
{
    SealOp *o = (SealOp *)op;
    Entry *e = state_find(c, o->task);
    if (e) {
        e->sealing = false;
        if (!op->ok) {
            retry_failed(c, &e->save_retry, 250, 3000);
        } else if (o->stored.n) {
            Run *r = entry_run(e);
            r->upload_task = ((Task *)o->stored.v)->id;
            entry_touch(e);
            events_add(c, "info", "run", e->t.id, r->id, r->nodes.v[0],
                       "sealed; task %" PRId64 " uploads it once the replica has caught up", r->upload_task);
            state_adopt(c, o->stored.v);
        }
    }
    wire_free(task_fields, &o->upload);
    for (size_t i = 0; i < o->stored.n; i++)
        wire_free(task_fields, (Task *)o->stored.v + i);
    free(o->stored.v);
    free(o->run);
    free(o);
}

void uploads_record(Coord *c, Entry *e, const AgentRun *seen)
{
    Run *r = entry_run(e);
    if (r->upload_task || e->sealing || e->saving || !uploads_wanted(e, seen) || !retry_due(&e->save_retry))
        return;
    SealOp *o = NEW(SealOp);
    o->op = (StoreOp){.what = "record an upload", .work = seal_work, .done = seal_done, .transaction = true};
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
    e->sealing = true;
    if (!store_start(c, &o->op, &err)) {
        o->op.err = err;
        seal_done(c, &o->op);
    }
}

void uploads_settle(Coord *c, Entry *e, const AgentRun *seen)
{
    Run *r = entry_run(e);
    if (!r->upload_task) {
        uploads_record(c, e, seen);
        return;
    }
    Entry *up = state_find(c, r->upload_task);
    if (!up) {
        queue_look_up(c, r->upload_task);
        return;
    }
    if (r->state != CRUN_UPLOADING && !runs_event(c, e, CRUN_EV_UPLOAD, NULL))
        return;
    Run *ur = entry_run(up);
    if (ur && ur->detail && json_is_object(r->detail) &&
        !json_equal(json_object_get(r->detail, "upload"), ur->detail)) {
        json_object_set_new(r->detail, "upload", json_deep_copy(ur->detail));
        entry_touch(e);
    }
    if (!task_state_is_final(up->t.state))
        return;
    if (up->t.state == TASK_DONE) {
        runs_event(c, e, CRUN_EV_OK, NULL);
        return;
    }
    AUTOFREE char *text = xasprintf("its upload (task %" PRId64 ") ended as %s%s%s", up->t.id,
                                    WIRE_TEXT(task_state_names, &up->t, state), up->t.error ? ": " : "",
                                    up->t.error ? up->t.error : "");
    state_set_text(&r->error, text);
    runs_event(c, e, CRUN_EV_FAILED, text);
}

void uploads_step(Coord *c)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        Entry *up = c->entries[i];
        int64_t task, no;
        if (up->t.kind != KIND_UPLOAD || up->t.state != TASK_WAITING || up->busy || !entry_is_saved(up) ||
            !wire_run_id(up->t.parent_run, &task, &no))
            continue;
        Entry *parent = state_find(c, task);
        Run *r = parent ? entry_run(parent) : NULL;
        if (r && str_eq(r->id, up->t.parent_run) && coord_run_is_final(r->state) && r->state != CRUN_DONE)
            queue_request(c, up->t.id, ACTION_KILL, "siding", NULL, NULL);
    }
}
