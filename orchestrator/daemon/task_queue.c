/* SPDX-License-Identifier: Apache-2.0 */
#include "task_queue.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "events.h"
#include "queue_after.h"
#include "queue_impl.h"
#include "run_inbox.h"

enum { LOOK_AT_ONCE = 200, LOOK_PAUSE_MS = 500, TERM_MS = 2000 };

/* ---- looking up what memory does not hold ----------------------------------------------------------- */

typedef struct LookOp {
    StoreOp op;
    QdbIds ids;
    WireList found;
} LookOp;

static bool look_work(Db *db, StoreOp *op, Err *err)
{
    LookOp *o = (LookOp *)op;
    qdb_free_tasks(&o->found);
    return qdb_tasks(db, &o->ids, &o->found, err);
}

static bool was_found(const LookOp *o, int64_t id)
{
    const Task *t = o->found.v;
    for (size_t i = 0; i < o->found.n; i++)
        if (t[i].id == id)
            return true;
    return false;
}

static void note_absent(Coord *c, int64_t id)
{
    TaskEntry *e = state_find(c, id);
    queue_note_absent(c, id);
    slots_end(c->slots, id);
    if (e && !state_is_newer(e))
        state_remove(c, e);
    log_warn("task %" PRId64 " is not in the queue", id);
}

/* An upload is tried again whose run was not in memory. */
static void revive(Coord *c)
{
    RunLetter letter = {.task = c->queue.memory->reviving, .in = {.kind = CRUN_IN_REVIVED}};
    const TaskEntry *e = letter.task ? state_find(c, letter.task) : NULL;
    if (!e || !entry_run(e))
        return;
    c->queue.memory->reviving = 0;
    snprintf(letter.run, sizeof letter.run, "%s", entry_run(e)->id);
    run_inbox_put(c, &letter);
}

static void look_done(Coord *c, StoreOp *op)
{
    LookOp *o = (LookOp *)op;
    QueueMemory *m = c->queue.memory;
    m->looking = false;
    for (size_t i = 0; i < o->ids.n; i++)
        if (!op->ok)
            qdb_ids_add(&m->wanted, o->ids.v[i]);
        else if (!was_found(o, o->ids.v[i]))
            note_absent(c, o->ids.v[i]);
    queue_take_all(c, &o->found, true, op->begun_ms);
    revive(c);
    coord_wake_at(c, clock_mono_ms() + (op->ok ? 0 : LOOK_PAUSE_MS));
    free(o->ids.v);
    free(o);
}

void queue_look_for_wanted(Coord *c)
{
    QueueMemory *m = c->queue.memory;
    if (m->looking || !m->wanted.n || clock_mono_ms() < m->looked_ms + (store_is_up(c) ? 10 : LOOK_PAUSE_MS))
        return;
    LookOp *o = NEW(LookOp);
    o->op = (StoreOp){.kind = STORE_READ, .what = "look up tasks", .work = look_work, .done = look_done};
    while (m->wanted.n && o->ids.n < LOOK_AT_ONCE)
        qdb_ids_add(&o->ids, m->wanted.v[--m->wanted.n]);
    m->looking = true;
    m->looked_ms = clock_mono_ms();
    store_start(c, &o->op);
}

/* ---- what others ask -------------------------------------------------------------------------------- */

char *queue_why(Coord *c, int64_t task)
{
    SlotTime now = queue_time();
    if (c->fenced)
        return xstrdup("another coordinator has taken over this cluster");
    return slots_why(c->slots, task, &now);
}

int64_t queue_count(const Coord *c, TaskState state)
{
    int64_t n = 0;
    if (task_state_is_final(state))
        return c->queue.memory->ended[state];
    for (size_t i = 0; i < c->n_entries; i++)
        n += c->entries[i]->t.state == state && state != TASK_WAITING;
    if (state == TASK_WAITING)
        n = (int64_t)(slots_count(c->slots, SLOT_PLACES) - slots_count(c->slots, SLOT_ACTIVE) -
                      slots_count(c->slots, SLOT_FAILED));
    return n;
}

/* ---- whose queue it is ------------------------------------------------------------------------------- */

static bool only_the_term(Db *db, StoreOp *op, Err *err)
{
    (void)db;
    (void)op;
    return err_set(err, ERR_REFUSED, 0, "nothing to be written");
}

static void term_looked_at(Coord *c, StoreOp *op)
{
    (void)c;
    free(op);
}

/* A coordinator that has nothing to write finds out too that another one has taken over, or that the history
 * of its database has gone back: what comes before each transaction's work is all that there is here. */
static void look_at_term(Coord *c)
{
    int64_t now = clock_mono_ms();
    if (!c->loaded || now < c->queue.term_ms + TERM_MS)
        return;
    c->queue.term_ms = now;
    StoreOp *op = NEW(StoreOp);
    *op = (StoreOp){
        .kind = STORE_WRITE, .what = "look at the term", .work = only_the_term, .done = term_looked_at};
    store_start(c, op);
}

/* ---- when ------------------------------------------------------------------------------------------- */

void queue_save(Coord *c)
{
    if (!c->fenced) {
        queue_save_tasks(c);
        events_save(c);
    }
    store_send(c);
}

void queue_step(Coord *c)
{
    queue_asked_step(c);
    if (c->fenced)
        return;
    queue_load(c);
    queue_intake(c);
    queue_after_step(c);
    queue_look_for_wanted(c);
    look_at_term(c);
}
