/* SPDX-License-Identifier: Apache-2.0
 * A submission by the API. One that can start now is stored as running with its run, in one transaction.
 */
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/wire/queue_unread.h"
#include "events.h"
#include "queue_impl.h"
#include "queue_turn.h"

typedef struct SubmitOp {
    StoreOp op;
    QueueStart start;
    int64_t number; /* in the slots, while it has no id; 0: it waits */
    int64_t id;
    bool takes_existing; /* one of its unique name is the answer */
    bool existed;
    bool sees; /* what its job is to see is read at once */
    char *seen;
    int64_t seen_at;
    QueueDone done;
    void *arg;
} SubmitOp;

static bool submit_work(Db *db, StoreOp *op, Err *err)
{
    SubmitOp *o = (SubmitOp *)op;
    Task *t = &o->start.task;
    if (!qdb_find_submitted(db, t->key, o->takes_existing ? t->unique : NULL, &o->id, err))
        return false;
    o->existed = o->id != 0;
    if (o->existed)
        return true;
    if (t->unique && !qdb_check_unique(db, t->unique, err))
        return false;
    t->state = o->number ? TASK_RUNNING : TASK_WAITING;
    t->attempts = o->number ? 1 : 0;
    free(o->seen);
    o->seen = NULL;
    return qdb_insert_task(db, t, &o->id, err) &&
           (!o->number || queue_store_start(db, &o->start, o->id, 1, err)) &&
           (!o->sees || (qdb_now(db, &o->seen_at, err) && qdb_position(db, &o->seen, err)));
}

static void stored(Coord *c, SubmitOp *o)
{
    Task *t = &o->start.task;
    t->id = o->id;
    t->attempts = 0; /* the claim counts it */
    t->state = TASK_WAITING;
    c->count.submitted++;
    if (o->id > c->queue.memory->greatest)
        c->queue.memory->greatest = o->id;
    events_add(c, "info", "task", o->id, NULL, NULL, "submitted by %s: %s \"%s\"", t->user,
               WIRE_TEXT(task_kind_names, t, kind), t->name);
    if (o->seen)
        queue_sight_set(c, o->id, STEAL(o->seen), o->seen_at);
    if (o->number) {
        slots_rename(c->slots, o->number, o->id);
        queue_begin(c, &o->start);
        return;
    }
    Task copy = {0};
    wire_copy(task_fields, &copy, t);
    queue_take(c, &copy, true);
}

static void explain(const Coord *c, Err *err)
{
    if (err->kind == ERR_LOST || err->kind == ERR_TIMEOUT)
        err_prefix(err, "it is not known whether the task was stored (see \"siding task list\")");
    else if (err->kind == ERR_UNREACHABLE || err->kind == ERR_AUTH)
        err_prefix(err, "the task is not stored: the queue lives on the primary, %s", c->journal.primary);
}

static void submit_done(Coord *c, StoreOp *op)
{
    SubmitOp *o = (SubmitOp *)op;
    queue_claim_drop(c, o->number);
    if (op->ok && o->existed) {
        slots_end(c->slots, o->number);
    } else if (op->ok) {
        stored(c, o);
    } else {
        slots_end(c->slots, o->number);
        if (c->loaded)
            explain(c, &op->err);
    }
    o->done(o->arg, c, op->ok, o->id, &op->err);
    wire_free(task_fields, &o->start.task);
    wire_free(run_fields, &o->start.run);
    free(o->start.position);
    free(o->seen);
    free(o);
}

/* Put among the others with a number of its own: if it is its turn, it starts with its submission. */
static void try_to_start(Coord *c, SubmitOp *o)
{
    AUTO(strlist_done) StrList nodes = STRLIST_INIT;
    int64_t number = c->queue.memory->next_number++;
    if (!queue_turn_with(c, &o->start.task, number, &nodes))
        return;
    o->number = number;
    o->start.run = queue_new_run(c, 1, &nodes);
    queue_claim_add(c, number, &nodes);
}

void queue_submit(Coord *c, Task *t, bool takes_existing, QueueDone done, void *arg)
{
    SubmitOp *o = NEW(SubmitOp);
    o->op = (StoreOp){.kind = STORE_WRITE, .what = "store a task", .work = submit_work, .done = submit_done};
    o->start.task = *t;
    memset(t, 0, sizeof *t);
    o->sees = !c->conf.catch_up_between;
    o->takes_existing = takes_existing;
    o->done = done;
    o->arg = arg;
    if (c->fenced) {
        err_set(&o->op.err, ERR_STALE_TERM, 0, "another coordinator has taken over this cluster");
    } else if (!c->loaded) {
        queue_unread(&o->op.err, store_trouble(c));
    } else {
        try_to_start(c, o);
        store_start(c, &o->op);
        return;
    }
    submit_done(c, &o->op);
}
