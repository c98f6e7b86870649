/* SPDX-License-Identifier: Apache-2.0 */
#include "task_queue.h"

#include <inttypes.h>

#include "common/base/log.h"
#include "events.h"
#include "queue_db.h"
#include "queue_impl.h"

void queue_free_tasks(WireList *list)
{
    for (size_t i = 0; i < list->n; i++)
        wire_free(task_fields, (Task *)list->v + i);
    free(list->v);
    *list = (WireList){NULL, 0};
}

void queue_adopt(Coord *c, WireList *list)
{
    for (size_t i = 0; i < list->n; i++)
        state_adopt(c, (Task *)list->v + i);
}

/* ---- looking up what memory does not hold ----------------------------------------------------------- */

typedef struct LookOp {
    StoreOp op;
    int64_t id;
    WireList found;
} LookOp;

static bool look_work(Db *db, StoreOp *op, Err *err)
{
    LookOp *o = (LookOp *)op;
    return qdb_task(db, o->id, &o->found, err);
}

static void look_done(Coord *c, StoreOp *op)
{
    LookOp *o = (LookOp *)op;
    c->queue.looking_up = 0;
    if (op->ok && !o->found.n) {
        if (c->queue.not_found != o->id)
            log_warn("an agent or a client names task %" PRId64 ", which is not in the queue", o->id);
        c->queue.not_found = o->id;
    }
    queue_adopt(c, &o->found);
    queue_free_tasks(&o->found);
    free(o);
}

void queue_look_up(Coord *c, int64_t task)
{
    if (!c->loaded || c->queue.looking_up || c->queue.not_found == task)
        return;
    LookOp *o = NEW(LookOp);
    o->op = (StoreOp){.what = "look up a task", .work = look_work, .done = look_done};
    o->id = task;
    Err err;
    c->queue.looking_up = task;
    if (!store_start(c, &o->op, &err))
        look_done(c, &o->op);
}

/* ---- when ------------------------------------------------------------------------------------------- */

void queue_save(Coord *c)
{
    if (c->fenced)
        return;
    queue_save_tasks(c);
    events_save(c);
}

void queue_step(Coord *c)
{
    if (c->fenced)
        return;
    queue_load(c);
    queue_poll(c);
}
