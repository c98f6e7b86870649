/* SPDX-License-Identifier: Apache-2.0
 * Every half second: tasks that came, changed or went by SQL, and requests made by SQL.
 */
#include <string.h>

#include "common/base/clock.h"
#include "events.h"
#include "queue_db.h"
#include "queue_impl.h"

enum { POLL_MS = 500 };

typedef struct PollOp {
    StoreOp op;
    QdbIds known; /* tasks that memory holds as not ended, ascending */
    WireList changed;
    QdbIds gone;
    WireList requests; /* QdbRequest */
    bool wants_position;
    int64_t now;    /* by the primary's clock */
    char *position; /* of the primary, later than that and behind all of these */
} PollOp;

static bool has_id(const QdbIds *ids, int64_t id)
{
    size_t low = 0, high = ids->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ids->v[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ids->n && ids->v[low] == id;
}

static bool fetch(Db *db, PollOp *o, int64_t id, Err *err)
{
    size_t before = o->changed.n;
    if (!qdb_task(db, id, &o->changed, err))
        return false;
    if (o->changed.n == before)
        qdb_ids_add(&o->gone, id);
    return true;
}

static bool poll_work(Db *db, StoreOp *op, Err *err)
{
    PollOp *o = (PollOp *)op;
    QdbIds live = {0};
    bool ok = qdb_live_ids(db, &live, err);
    for (size_t i = 0; ok && i < live.n; i++)
        if (!has_id(&o->known, live.v[i]))
            ok = fetch(db, o, live.v[i], err);
    for (size_t i = 0; ok && i < o->known.n; i++)
        if (!has_id(&live, o->known.v[i]))
            ok = fetch(db, o, o->known.v[i], err);
    free(live.v);
    return ok && qdb_requests(db, &o->requests, err) &&
           (!o->wants_position || (qdb_now(db, &o->now, err) && qdb_position(db, &o->position, err)));
}

static bool is_free(const TaskEntry *e)
{
    return !e->busy && !e->run.recording && entry_is_saved(e);
}

static void take_requests(Coord *c, PollOp *o)
{
    const QdbRequest *q = o->requests.v;
    for (size_t i = 0; i < o->requests.n; i++) {
        TaskEntry *e = state_find(c, q[i].id);
        if (!e || !is_free(e) || e->saved_request == q[i].request)
            continue;
        e->saved_request = q[i].request;
        queue_request(c, q[i].id, q[i].request, *q[i].by ? q[i].by : "sql", NULL, NULL);
    }
}

static void take_gone(Coord *c, PollOp *o)
{
    for (size_t i = 0; i < o->gone.n; i++) {
        TaskEntry *e = state_find(c, o->gone.v[i]);
        if (e && is_free(e) && !entry_is_active(e)) {
            events_add(c, "warn", "task", o->gone.v[i], NULL, NULL, "its row was deleted by SQL");
            state_remove(c, e);
        }
    }
}

/* Tasks that were there when the position was read. */
static void take_position(Coord *c, const PollOp *o)
{
    for (size_t i = 0; i < o->changed.n; i++) {
        TaskEntry *e = state_find(c, ((const Task *)o->changed.v)[i].id);
        if (e)
            e->seen_due = true;
    }
    for (size_t i = 0; i < c->n_entries; i++) {
        TaskEntry *e = c->entries[i];
        if (e->seen_due && o->position && !e->seen_gtid) {
            e->seen_gtid = xstrdup(o->position);
            e->seen_at = o->now;
        }
        e->seen_due = false;
    }
}

static void poll_done(Coord *c, StoreOp *op)
{
    PollOp *o = (PollOp *)op;
    c->queue.polling = false;
    if (op->ok) {
        queue_adopt(c, &o->changed);
        take_position(c, o);
        take_gone(c, o);
        take_requests(c, o);
        state_trim(c);
    }
    queue_free_tasks(&o->changed);
    QdbRequest *q = o->requests.v;
    for (size_t i = 0; i < o->requests.n; i++) {
        free(q[i].by);
    }
    free(q);
    free(o->known.v);
    free(o->gone.v);
    free(o->position);
    free(o);
}

void queue_poll(Coord *c)
{
    if (!c->loaded || c->queue.polling || clock_mono_ms() < c->queue.polled_ms + POLL_MS)
        return;
    PollOp *o = NEW(PollOp);
    o->op = (StoreOp){.what = "poll the queue", .work = poll_work, .done = poll_done};
    o->wants_position = !c->conf.catch_up_between;
    for (size_t i = 0; i < c->n_entries; i++)
        if (!task_state_is_final(c->entries[i]->t.state) && is_free(c->entries[i])) {
            qdb_ids_add(&o->known, c->entries[i]->t.id);
            c->entries[i]->seen_due = true;
        }
    Err err;
    c->queue.polling = true;
    c->queue.polled_ms = clock_mono_ms();
    if (!store_start(c, &o->op, &err))
        poll_done(c, &o->op);
}
