/* SPDX-License-Identifier: Apache-2.0 */
#include "queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "events.h"
#include "journal.h"
#include "queue_db.h"
#include "store.h"

enum {
    POLL_MS = 500,
    HISTORY_AT_START = 200,
    EVENTS_AT_ONCE = 200,
    RETRY_LEAST_MS = 250,
    RETRY_MOST_MS = 3000,
    SCHEMA_VERSION = 1,
};

static void tasks_free(WireList *list)
{
    for (size_t i = 0; i < list->n; i++)
        wire_free(task_fields, (Task *)list->v + i);
    free(list->v);
    *list = (WireList){NULL, 0};
}

static void adopt_all(Coord *c, WireList *list)
{
    for (size_t i = 0; i < list->n; i++)
        state_adopt(c, (Task *)list->v + i);
}

/* ---- reading the queue once ------------------------------------------------------------------------- */

typedef struct LoadOp {
    StoreOp op;
    char *cluster_name;
    int64_t term;
    WireList nodes; /* Node, names, urls and roles */
    WireList live, ended;
} LoadOp;

static bool check_schema(Db *db, const LoadOp *o, Err *err)
{
    int64_t version;
    char *name = NULL;
    if (!qdb_schema_version(db, &version, err)) {
        if (err->kind == ERR_DB || err->kind == ERR_NOT_FOUND)
            err_prefix(err, "schema siding is not there or not readable; run \"siding bootstrap\"");
        return false;
    }
    if (version < SCHEMA_VERSION)
        return err_set(err, ERR_REFUSED, 0,
                       "schema siding has version %" PRId64
                       ", this sidingd needs %d; run \"siding bootstrap\"",
                       version, SCHEMA_VERSION);
    if (!qdb_cluster_name(db, &name, err))
        return false;
    bool ours = str_eq(name, o->cluster_name);
    if (!ours)
        err_set(err, ERR_CONFIG, 0, "schema siding belongs to cluster \"%s\", the configuration says \"%s\"",
                name, o->cluster_name);
    free(name);
    return ours;
}

static bool load_work(Db *db, StoreOp *op, Err *err)
{
    LoadOp *o = (LoadOp *)op;
    int64_t there;
    if (!check_schema(db, o, err) || !qdb_term(db, &there, err))
        return false;
    if (there >= o->term)
        o->term = there + 1;
    if (!qdb_set_term(db, o->term, err))
        return false;
    const Node *nodes = o->nodes.v;
    for (size_t i = 0; i < o->nodes.n; i++)
        if (!qdb_set_node(db, nodes[i].name, nodes[i].role, nodes[i].url, o->term, err))
            return false;
    return qdb_live_tasks(db, &o->live, err) &&
           qdb_ended_tasks(db, INT64_MAX, HISTORY_AT_START, &o->ended, err);
}

static void set_load_error(Coord *c, const char *text)
{
    if (text && !str_eq(c->queue.load_error, text))
        events_add(c, "error", "database", 0, NULL, NULL, "the queue cannot be read: %s", text);
    free(c->queue.load_error);
    c->queue.load_error = xstrdup(text);
}

static void take_queue(Coord *c, LoadOp *o)
{
    Err err;
    if (o->term > c->journal.term && !journal_set_term(c, o->term, &err)) {
        set_load_error(c, err.text);
        retry_failed(c, &c->queue.load_retry, RETRY_LEAST_MS, RETRY_MOST_MS);
        return;
    }
    adopt_all(c, &o->ended);
    adopt_all(c, &o->live);
    set_load_error(c, NULL);
    c->loaded = true;
    events_add(c, "info", "cluster", 0, NULL, NULL, "the queue is read: %zu tasks not ended; term %" PRId64,
               o->live.n, c->journal.term);
}

static void load_done(Coord *c, StoreOp *op)
{
    LoadOp *o = (LoadOp *)op;
    c->queue.loading = false;
    if (op->ok) {
        take_queue(c, o);
    } else {
        set_load_error(c, op->err.text);
        retry_failed(c, &c->queue.load_retry, RETRY_LEAST_MS, RETRY_MOST_MS);
    }
    tasks_free(&o->live);
    tasks_free(&o->ended);
    for (size_t i = 0; i < o->nodes.n; i++)
        wire_free(node_fields, (Node *)o->nodes.v + i);
    free(o->nodes.v);
    free(o->cluster_name);
    free(o);
}

static void load_queue(Coord *c)
{
    if (c->loaded || c->queue.loading || !c->journal.primary || !retry_due(&c->queue.load_retry))
        return;
    LoadOp *o = NEW(LoadOp);
    o->op = (StoreOp){.what = "read the queue", .work = load_work, .done = load_done, .transaction = true};
    o->cluster_name = xstrdup(c->conf.cluster_name);
    o->term = c->journal.term;
    for (size_t i = 0; i < c->n_agents; i++) {
        Node *n = wire_list_add(&o->nodes, sizeof *n);
        n->name = xstrdup(c->agents[i]->name);
        n->url = xstrdup(c->agents[i]->url);
        n->role = state_role(c, n->name);
    }
    Err err;
    c->queue.loading = true;
    if (!store_start(c, &o->op, &err)) {
        o->op.ok = false;
        o->op.err = err;
        load_done(c, &o->op);
    }
}

/* ---- polling: rows that came or changed by SQL ------------------------------------------------------ */

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

static bool is_free(const Entry *e)
{
    return !e->busy && !e->run.recording && entry_is_saved(e);
}

static void take_requests(Coord *c, PollOp *o)
{
    const QdbRequest *q = o->requests.v;
    for (size_t i = 0; i < o->requests.n; i++) {
        Entry *e = state_find(c, q[i].id);
        if (!e || !is_free(e) || e->saved_request == q[i].request)
            continue;
        e->saved_request = q[i].request;
        queue_request(c, q[i].id, q[i].request, *q[i].by ? q[i].by : "sql", NULL, NULL);
    }
}

static void take_gone(Coord *c, PollOp *o)
{
    for (size_t i = 0; i < o->gone.n; i++) {
        Entry *e = state_find(c, o->gone.v[i]);
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
        Entry *e = state_find(c, ((const Task *)o->changed.v)[i].id);
        if (e)
            e->seen_due = true;
    }
    for (size_t i = 0; i < c->n_entries; i++) {
        Entry *e = c->entries[i];
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
        adopt_all(c, &o->changed);
        take_position(c, o);
        take_gone(c, o);
        take_requests(c, o);
        state_trim(c);
    }
    tasks_free(&o->changed);
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

static void poll_queue(Coord *c)
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
    adopt_all(c, &o->found);
    tasks_free(&o->found);
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

/* ---- writing behind --------------------------------------------------------------------------------- */

typedef struct SaveOp {
    StoreOp op;
    Task task; /* with its last run only */
    int64_t rev;
    TaskAction old_request;
} SaveOp;

static bool save_work(Db *db, StoreOp *op, Err *err)
{
    SaveOp *o = (SaveOp *)op;
    int64_t task, no;
    if (!qdb_update_task(db, &o->task, o->old_request, err))
        return false;
    const Run *r = o->task.runs.v;
    return !o->task.runs.n || !wire_run_id(r->id, &task, &no) || qdb_update_run(db, task, no, r, err);
}

static void save_done(Coord *c, StoreOp *op)
{
    SaveOp *o = (SaveOp *)op;
    Entry *e = state_find(c, o->task.id);
    if (e) {
        e->saving = false;
        if (op->ok) {
            e->saved_rev = o->rev;
            retry_reset(&e->save_retry);
            e->saved_request = o->task.request;
        } else {
            retry_failed(c, &e->save_retry, RETRY_LEAST_MS, RETRY_MOST_MS);
            if (op->err.kind == ERR_DB)
                log_error("task %" PRId64 " cannot be written: %s", o->task.id, op->err.text);
        }
    }
    wire_free(task_fields, &o->task);
    free(o);
}

static void copy_with_last_run(const Entry *e, Task *to)
{
    Task shallow = e->t;
    shallow.runs = (WireList){entry_run(e), e->t.runs.n ? 1 : 0};
    wire_copy(task_fields, to, &shallow);
}

static void save_entry(Coord *c, Entry *e)
{
    SaveOp *o = NEW(SaveOp);
    o->op = (StoreOp){.what = "write a task down", .work = save_work, .done = save_done, .transaction = true};
    copy_with_last_run(e, &o->task);
    o->rev = e->rev;
    o->old_request = e->saved_request;
    Err err;
    e->saving = true;
    if (!store_start(c, &o->op, &err)) {
        o->op.err = err;
        save_done(c, &o->op);
    }
}

static void save_changed(Coord *c)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        Entry *e = c->entries[i];
        if (e->rev != e->saved_rev && !e->saving && !e->busy && !e->run.recording &&
            retry_due(&e->save_retry))
            save_entry(c, e);
    }
}

typedef struct EventsOp {
    StoreOp op;
    WireList rows; /* EventRow */
    int64_t last;
} EventsOp;

static bool events_work(Db *db, StoreOp *op, Err *err)
{
    EventsOp *o = (EventsOp *)op;
    const EventRow *r = o->rows.v;
    for (size_t i = 0; i < o->rows.n; i++) {
        int64_t task, no = 0;
        if (r[i].run)
            (void)wire_run_id(r[i].run, &task, &no);
        if (!qdb_insert_event(db, r[i].time, r[i].level, r[i].kind, r[i].task, no, r[i].node, r[i].text, err))
            return false;
    }
    return true;
}

/* Such a row never gets in and must not hold up the others; whatever else is wrong (a primary that is
 * read-only for a while) passes. */
static bool refuses_the_row(const Err *err)
{
    static const int codes[] = {1264, 1292, 1366, 1406}; /* out of range, wrong, wrong characters, too long */
    for (size_t i = 0; i < COUNT(codes); i++)
        if (err->kind == ERR_DB && err->code == codes[i])
            return true;
    return false;
}

static void events_done(Coord *c, StoreOp *op)
{
    EventsOp *o = (EventsOp *)op;
    c->queue.saving_events = false;
    if (op->ok || refuses_the_row(&op->err)) {
        events_saved(c, o->last);
        retry_reset(&c->queue.events_retry);
    } else {
        retry_failed(c, &c->queue.events_retry, RETRY_LEAST_MS, RETRY_MOST_MS);
    }
    EventRow *r = o->rows.v;
    for (size_t i = 0; i < o->rows.n; i++)
        wire_free(event_row_fields, &r[i]);
    free(r);
    free(o);
}

static void save_events(Coord *c)
{
    if (!c->loaded || c->queue.saving_events || !store_is_up(c) || !retry_due(&c->queue.events_retry))
        return;
    EventsOp *o = NEW(EventsOp);
    o->op = (StoreOp){.what = "write events", .work = events_work, .done = events_done, .transaction = true};
    o->rows = events_unsaved(c, EVENTS_AT_ONCE, &o->last);
    if (!o->rows.n) {
        events_saved(c, o->last);
        free(o);
        return;
    }
    Err err;
    c->queue.saving_events = true;
    if (!store_start(c, &o->op, &err)) {
        o->op.err = err;
        events_done(c, &o->op);
    }
}

void queue_save(Coord *c)
{
    if (c->fenced)
        return;
    save_changed(c);
    save_events(c);
}

void queue_step(Coord *c)
{
    if (c->fenced)
        return;
    load_queue(c);
    poll_queue(c);
}
