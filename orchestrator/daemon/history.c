/* SPDX-License-Identifier: Apache-2.0
 * What has ended long ago goes from the database, by key and a few hundred rows at a time: tasks with their
 * runs and ledger, events, receipts of siding.enqueue, unique names that nobody has any more. Rows that
 * another session has locked stay for the next time.
 */
#include "history.h"

#include "common/base/clock.h"
#include "coord_store.h"
#include "queue_db.h"
#include "queue_impl.h"

enum { EVERY_MS = 60000, SOON_MS = 1000, AT_ONCE = 300 };

typedef struct HistoryOp {
    StoreOp op;
    QdbHistory before;
    bool more;
    int64_t gone[TASK_UNKNOWN + 1]; /* tasks by state */
} HistoryOp;

static bool free_names(Db *db, Err *err)
{
    WireList spent = {0};
    bool ok = qdb_spent_uniques(db, AT_ONCE, &spent, err), freed;
    QdbUnique *u = spent.v;
    for (size_t i = 0; ok && i < spent.n; i++)
        ok = qdb_free_unique(db, u[i].name, u[i].task, &freed, err);
    for (size_t i = 0; i < spent.n; i++)
        free(u[i].name);
    free(u);
    return ok;
}

static bool history_work(Db *db, StoreOp *op, Err *err)
{
    HistoryOp *o = (HistoryOp *)op;
    int64_t tasks = 0, events = 0, receipts = 0;
    bool ok = free_names(db, err) && qdb_forget_tasks(db, &o->before, AT_ONCE, o->gone, err) &&
              qdb_forget_rows(db, "event", o->before.events, AT_ONCE, &events, err) &&
              qdb_forget_rows(db, "enqueue", o->before.events, AT_ONCE, &receipts, err);
    for (int s = 0; s <= TASK_UNKNOWN; s++)
        tasks += o->gone[s];
    o->more = tasks == AT_ONCE || events == AT_ONCE || receipts == AT_ONCE;
    return ok;
}

static void history_done(Coord *c, StoreOp *op)
{
    HistoryOp *o = (HistoryOp *)op;
    int64_t *ended = c->queue.memory->ended;
    for (int s = 0; op->ok && s <= TASK_UNKNOWN; s++)
        ended[s] -= o->gone[s] < ended[s] ? o->gone[s] : ended[s];
    c->queue.memory->forgetting = false;
    c->queue.memory->forget_ms = clock_mono_ms() + (op->ok && o->more ? SOON_MS : EVERY_MS);
    free(o);
}

void history_step(Coord *c)
{
    QueueMemory *m = c->queue.memory;
    if (!c->loaded || c->fenced || m->forgetting || clock_mono_ms() < m->forget_ms)
        return;
    HistoryOp *o = NEW(HistoryOp);
    int64_t now = clock_wall_ms();
    o->op = (StoreOp){
        .kind = STORE_WRITE, .what = "forget what is old", .work = history_work, .done = history_done};
    o->before = (QdbHistory){.done = now - c->conf.retention.done_ms,
                             .others = now - c->conf.retention.failed_ms,
                             .events = now - c->conf.retention.events_ms};
    m->forgetting = true;
    store_start(c, &o->op);
}
