/* SPDX-License-Identifier: Apache-2.0
 * What others put into the queue. Every 50 ms the inbox, behind the last row that was seen; every half second
 * requests made by SQL, and the inbox from its beginning, where rows of transactions that were committed late
 * stand; every second a page of all that is not ended, which finds what was inserted, changed or deleted by
 * hand. Rows of the inbox go with the next transaction of ours.
 */
#include <inttypes.h>

#include "common/base/clock.h"
#include "events.h"
#include "queue_impl.h"

enum { TAKE_MS = 50, ASK_MS = 500, SWEEP_MS = 1000, AT_ONCE = 500, SWEEP_PAGE = 5000 };

/* ---- rows that have been taken ---------------------------------------------------------------------- */

typedef struct ClearOp {
    StoreOp op;
    QdbIds rows;
} ClearOp;

static bool clear_work(Db *db, StoreOp *op, Err *err)
{
    return qdb_clear_inbox(db, &((ClearOp *)op)->rows, err);
}

static void clear_done(Coord *c, StoreOp *op)
{
    (void)c; /* what stays is seen again from the inbox's beginning */
    free(((ClearOp *)op)->rows.v);
    free(op);
}

static void clear(Coord *c, QdbIds *rows)
{
    ClearOp *o = NEW(ClearOp);
    o->op = (StoreOp){.kind = STORE_WRITE, .what = "clear the inbox", .work = clear_work, .done = clear_done};
    o->rows = *rows;
    *rows = (QdbIds){0};
    store_start(c, &o->op);
}

/* ---- the intake ------------------------------------------------------------------------------------- */

typedef struct IntakeOp {
    StoreOp op;
    int64_t inbox_after, sweep_after;
    bool asks, sweeps, sees;
    QdbIds rows, tasks, live;
    WireList found, requests; /* Task, QdbRequest */
    char *position;
    int64_t now;
} IntakeOp;

static void clear_op(IntakeOp *o)
{
    QdbRequest *q = o->requests.v;
    qdb_free_tasks(&o->found);
    for (size_t i = 0; i < o->requests.n; i++)
        free(q[i].by);
    free(q);
    free(o->rows.v);
    free(o->tasks.v);
    free(o->live.v);
    free(o->position);
    o->requests = (WireList){0};
    o->rows = o->tasks = o->live = (QdbIds){0};
    o->position = NULL;
}

static bool intake_work(Db *db, StoreOp *op, Err *err)
{
    IntakeOp *o = (IntakeOp *)op;
    clear_op(o);
    return qdb_inbox(db, o->inbox_after, AT_ONCE, &o->rows, &o->tasks, err) &&
           qdb_tasks(db, &o->tasks, &o->found, err) && (!o->asks || qdb_requests(db, &o->requests, err)) &&
           (!o->sweeps || qdb_live_ids(db, o->sweep_after, SWEEP_PAGE, &o->live, err)) &&
           (!o->sees || !o->found.n || (qdb_now(db, &o->now, err) && qdb_position(db, &o->position, err)));
}

static void take_requests(Coord *c, const IntakeOp *o)
{
    const QdbRequest *q = o->requests.v;
    for (size_t i = 0; i < o->requests.n; i++) {
        TaskEntry *e = state_find(c, q[i].id);
        if (!e || !entry_is_active(e) || !entry_is_saved(e) || e->run.recording ||
            e->saved_request == q[i].request)
            continue;
        e->saved_request = q[i].request;
        queue_request(c, q[i].id, q[i].request, *q[i].by ? q[i].by : "sql", NULL, NULL);
    }
}

static void end_round(Coord *c)
{
    size_t n;
    AUTOFREE int64_t *gone = slots_unseen(c->slots, &n);
    for (size_t i = 0; i < n; i++)
        if (gone[i] < INT64_C(1) << QUEUE_NUMBERS)
            queue_look_up(c, gone[i]);
    slots_round(c->slots);
    c->queue.sweep_after = 0;
}

/* What is in the database and not here, and the other way round. */
static void take_sweep(Coord *c, const IntakeOp *o)
{
    for (size_t i = 0; i < o->live.n; i++)
        if (!slots_seen(c->slots, o->live.v[i]))
            queue_look_up(c, o->live.v[i]);
    if (o->live.n < SWEEP_PAGE)
        end_round(c);
    else
        c->queue.sweep_after = o->live.v[o->live.n - 1];
}

static void take_found(Coord *c, IntakeOp *o)
{
    const Task *t = o->found.v;
    for (size_t i = 0; o->position && i < o->found.n; i++)
        queue_sight_set(c, t[i].id, xstrdup(o->position), o->now);
    if (o->rows.n && o->rows.v[o->rows.n - 1] > c->queue.inbox_after)
        c->queue.inbox_after = o->rows.v[o->rows.n - 1];
    queue_take_all(c, &o->found, false, o->op.begun_ms);
    if (o->rows.n)
        clear(c, &o->rows);
}

static void intake_done(Coord *c, StoreOp *op)
{
    IntakeOp *o = (IntakeOp *)op;
    c->queue.taking = false;
    if (op->ok && c->loaded && !c->fenced) {
        take_found(c, o);
        take_requests(c, o);
        if (o->sweeps)
            take_sweep(c, o);
        state_trim(c);
    }
    coord_wake_at(c, c->queue.taken_ms + TAKE_MS);
    clear_op(o);
    free(o);
}

static bool is_time(int64_t *last_ms, int64_t every_ms)
{
    if (clock_mono_ms() < *last_ms + every_ms)
        return false;
    *last_ms = clock_mono_ms();
    return true;
}

void queue_intake(Coord *c)
{
    int64_t every = store_is_up(c) ? TAKE_MS : ASK_MS;
    if (!c->loaded || c->queue.taking || !is_time(&c->queue.taken_ms, every))
        return;
    IntakeOp *o = NEW(IntakeOp);
    o->op = (StoreOp){
        .kind = STORE_INTAKE, .what = "look into the inbox", .work = intake_work, .done = intake_done};
    o->asks = is_time(&c->queue.asked_ms, ASK_MS);
    o->sweeps = is_time(&c->queue.swept_ms, SWEEP_MS);
    o->inbox_after = o->asks ? 0 : c->queue.inbox_after;
    o->sweep_after = c->queue.sweep_after;
    o->sees = !c->conf.catch_up_between;
    c->queue.taking = true;
    store_start(c, &o->op);
}
