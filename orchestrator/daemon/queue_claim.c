/* SPDX-License-Identifier: Apache-2.0
 * The claim: task running, run claimed, in one transaction behind a check of the term. Only when it is on
 * record does any agent hear of the run.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "events.h"
#include "queue_impl.h"
#include "run_inbox.h"

Run queue_new_run(const Coord *c, int64_t no, const StrList *nodes)
{
    Run r = {.state = CRUN_CLAIMED, .term = c->journal.term, .started_at = clock_wall_ms()};
    AUTOFREE char *unnumbered = xasprintf("0.%" PRId64, no);
    r.id = runkey_make(unnumbered, c->incarnation);
    strlist_add_all(&r.nodes, nodes);
    return r;
}

/* What a job on the primary sees needs no position. */
bool queue_store_start(Db *db, QueueStart *s, int64_t task, int64_t no, Err *err)
{
    AUTOFREE char *run = xasprintf("%" PRId64 ".%" PRId64, task, no);
    AUTOFREE char *old = s->run.id;
    s->run.id = runkey_make(run, runkey_incarnation(old));
    free(s->position);
    s->position = NULL;
    return qdb_insert_run(db, task, no, &s->run, err) && qdb_now(db, &s->now, err) &&
           (s->task.on == ROLE_PRIMARY || qdb_position(db, &s->position, err));
}

/* ---- a claim is on record --------------------------------------------------------------------------- */

static void say_where(Coord *c, const TaskEntry *e, const Run *r)
{
    AUTO(str_done) Str text = STR_INIT;
    for (size_t i = 0; i < r->nodes.n; i++)
        str_addf(&text, "%s%s", i ? ", " : "claimed: it runs on ", r->nodes.v[i]);
    events_add(c, "info", "run", e->t.id, r->id, r->nodes.v[0], "%s", str_z(&text));
}

/* A row that SQL has made, and that cannot run as it is: no agent hears of it. */
static void refuse_what_is_wrong(Coord *c, TaskEntry *e)
{
    Err err;
    if (queue_fill_in(c, &e->t, &err))
        return;
    for (size_t i = 0; i < e->run.n_parts; i++)
        e->run.parts[i].refused = err;
}

void queue_begin(Coord *c, QueueStart *s)
{
    if (s->task.request == ACTION_RUN)
        s->task.request = ACTION_NONE; /* so it is on record */
    TaskEntry *e = state_adopt(c, &s->task);
    Run *r = wire_list_add(&e->t.runs, sizeof *r);
    QueueSight *seen = c->conf.catch_up_between ? NULL : queue_sight(c, e->t.id);
    wire_copy(run_fields, r, &s->run);
    r->state = CRUN_WAITING; /* the letter leads it on */
    entry_set_parts(e, &r->nodes);
    free(e->after_gtid);
    e->after_gtid = seen ? STEAL(seen->gtid) : STEAL(s->position);
    e->claimed_at = seen ? seen->at : s->now;
    c->count.started++;
    say_where(c, e, r);
    refuse_what_is_wrong(c, e);
    RunLetter letter = {.task = e->t.id, .in = {.kind = CRUN_IN_CLAIMED}};
    snprintf(letter.run, sizeof letter.run, "%s", r->id);
    run_inbox_put(c, &letter);
}

/* ---- the claim -------------------------------------------------------------------------------------- */

typedef struct ClaimOp {
    StoreOp op;
    int64_t id;
    QueueStart start;
    WireList found;
} ClaimOp;

static int64_t next_no(const Task *t)
{
    int64_t task = 0, no = 0;
    if (t->runs.n)
        (void)!wire_run_id(((const Run *)t->runs.v)[t->runs.n - 1].id, &task, &no);
    return no + 1;
}

static bool claim_work(Db *db, StoreOp *op, Err *err)
{
    ClaimOp *o = (ClaimOp *)op;
    if (!qdb_lock_task(db, o->id, &o->found, err))
        return false;
    const Task *t = o->found.v;
    bool waits = t->state == TASK_WAITING || (!task_state_is_final(t->state) && !t->runs.n);
    if (!waits)
        return err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is no longer waiting", o->id);
    o->start.task.on = t->on;
    return qdb_start_task(db, o->id, err) && queue_store_start(db, &o->start, o->id, next_no(t), err);
}

static void claim_failed(Coord *c, const ClaimOp *o)
{
    const Err *err = &o->op.err;
    SlotTime now = queue_time();
    if (err->kind == ERR_NOT_FOUND) {
        slots_end(c->slots, o->id);
        events_add(c, "warn", "task", o->id, NULL, NULL, "its row was deleted by SQL");
    } else if (err->kind == ERR_CONFLICT && err->code == QDB_LOCKED) {
        slots_hold_back(c->slots, o->id, QUEUE_HELD_MS, "another session has locked its row", &now);
    } else {
        /* Taken back by SQL, or the outcome is not known: go on from what is on record. */
        slots_hold_back(c->slots, o->id, QUEUE_HELD_MS, "it is being written down", &now);
        queue_look_up(c, o->id);
    }
}

static void claim_done(Coord *c, StoreOp *op)
{
    ClaimOp *o = (ClaimOp *)op;
    queue_claim_drop(c, o->id);
    if (op->ok) {
        Task *t = o->found.v;
        wire_free(task_fields, &o->start.task);
        o->start.task = *t;
        *t = (Task){0};
        queue_begin(c, &o->start);
    } else {
        claim_failed(c, o);
    }
    qdb_free_tasks(&o->found);
    wire_free(task_fields, &o->start.task);
    wire_free(run_fields, &o->start.run);
    free(o->start.position);
    free(o);
}

void queue_claim(Coord *c, int64_t id, const StrList *nodes)
{
    ClaimOp *o = NEW(ClaimOp);
    o->op = (StoreOp){.kind = STORE_WRITE, .what = "claim a task", .work = claim_work, .done = claim_done};
    o->id = id;
    o->start.run = queue_new_run(c, 1, nodes);
    queue_claim_add(c, id, nodes);
    store_start(c, &o->op);
}
