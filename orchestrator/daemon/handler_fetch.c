/* SPDX-License-Identifier: Apache-2.0
 * Tasks for answers: what the coordinator deals with now comes from memory, with what agents report, the rest
 * from the database, by pages of its keys.
 */
#include <inttypes.h>

#include "common/wire/queue_unread.h"
#include "coord_store.h"
#include "handlers.h"
#include "queue_db.h"
#include "task_queue.h"

enum { SLOW_MS = 500 };

/* ---- one -------------------------------------------------------------------------------------------- */

typedef struct FetchOp {
    StoreOp op;
    int64_t id;
    HttpRequest *req;
    HandleTask then;
    WireList found;
} FetchOp;

static bool fetch_work(Db *db, StoreOp *op, Err *err)
{
    FetchOp *o = (FetchOp *)op;
    qdb_free_tasks(&o->found);
    return qdb_task(db, o->id, &o->found, err);
}

/* By what it was asked for. */
static void say_absent(HttpRequest *req, int64_t id)
{
    const char *run = http_param(req, "run");
    if (run && *run)
        handle_error(req, ERR_NOT_FOUND, "there is no run %s", run);
    else
        handle_error(req, ERR_NOT_FOUND, "there is no task %" PRId64, id);
}

static void fetch_done(Coord *c, StoreOp *op)
{
    FetchOp *o = (FetchOp *)op;
    const TaskEntry *e = state_find(c, o->id);
    if (!op->ok)
        http_reply_error(o->req, &op->err);
    else if (e && state_is_newer_than(e, o->op.begun_ms))
        o->then(o->req, c, &e->t);
    else if (!o->found.n)
        say_absent(o->req, o->id);
    else
        o->then(o->req, c, o->found.v);
    qdb_free_tasks(&o->found);
    free(o);
}

static void say_unread(HttpRequest *req, const Coord *c)
{
    Err err;
    queue_unread(&err, store_trouble(c));
    http_reply_error(req, &err);
}

void handle_with_task(HttpRequest *req, Coord *c, int64_t id, HandleTask then)
{
    const TaskEntry *e = state_find(c, id);
    if (e && (state_is_newer(e) || !store_is_up(c))) {
        then(req, c, &e->t);
        return;
    }
    if (!c->loaded) {
        say_unread(req, c);
        return;
    }
    FetchOp *o = NEW(FetchOp);
    o->op = (StoreOp){.kind = STORE_READ, .what = "fetch a task", .work = fetch_work, .done = fetch_done};
    o->id = id;
    o->req = req;
    o->then = then;
    store_start(c, &o->op);
}

/* ---- many ------------------------------------------------------------------------------------------- */

typedef struct FetchPage {
    StoreOp op;
    QdbPage page;   /* what the database is asked for */
    StrList states; /* what was asked for */
    int64_t limit;
    HttpRequest *req; /* NULL: answered */
    HandleTasks then;
    WireList found;
    Coord *c;
    struct event *timer;
} FetchPage;

static bool page_work(Db *db, StoreOp *op, Err *err)
{
    FetchPage *o = (FetchPage *)op;
    qdb_free_tasks(&o->found);
    return qdb_page(db, &o->page, &o->found, err);
}

static bool is_wanted(const FetchPage *o, const Task *t)
{
    return t->id < o->page.before &&
           (!o->states.n || strlist_has(&o->states, WIRE_TEXT(task_state_names, t, state)));
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = (*(const Task *const *)a)->id, y = (*(const Task *const *)b)->id;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* What memory holds is newer than a row, whatever that says. */
static void join(Coord *c, FetchPage *o, const char *trouble)
{
    bool ok = !trouble;
    AUTOFREE const Task **v = xcalloc(c->n_entries + o->found.n + 1, sizeof *v);
    size_t n = 0;
    for (size_t i = 0; i < c->n_entries; i++) {
        const TaskEntry *e = c->entries[i];
        if ((state_is_newer_than(e, o->op.begun_ms) || !ok) && is_wanted(o, &e->t))
            v[n++] = &e->t;
    }
    Task *rows = o->found.v;
    for (size_t i = 0; ok && i < o->found.n; i++) {
        const TaskEntry *e = state_find(c, rows[i].id);
        if ((e && state_is_newer_than(e, o->op.begun_ms)) || !is_wanted(o, &rows[i]))
            continue;
        free(rows[i].why);
        rows[i].why = queue_why(c, rows[i].id);
        v[n++] = &rows[i];
    }
    qsort(v, n, sizeof *v, newest_first);
    o->then(o->req, c, v, (int64_t)n > o->limit ? (size_t)o->limit : n, trouble);
    o->req = NULL;
}

/* A database that hangs must not keep an answer that can be given without it. */
static void on_slow(evutil_socket_t fd, short what, void *arg)
{
    FetchPage *o = arg;
    (void)fd;
    (void)what;
    if (o->req)
        join(o->c, o, "the queue's database has not answered within half a second");
}

static void page_done(Coord *c, StoreOp *op)
{
    FetchPage *o = (FetchPage *)op;
    if (o->req)
        join(c, o, op->ok ? NULL : *op->err.text ? op->err.text : store_trouble(c));
    if (o->timer)
        event_free(o->timer);
    qdb_free_tasks(&o->found);
    strlist_done(&o->page.states);
    strlist_done(&o->states);
    free(o);
}

/* In the database a task under way is running. */
static void add_states(FetchPage *o, const StrList *states)
{
    bool under_way = false;
    for (size_t i = 0; i < states->n; i++) {
        int s = wire_enum_find(&task_state_names, states->v[i]);
        strlist_add(&o->states, states->v[i]);
        under_way = under_way || (s >= TASK_RUNNING && s <= TASK_STOPPING);
        if (s != TASK_NONE && s != wire_enum_unknown(&task_state_names) &&
            (s < TASK_RUNNING || s > TASK_STOPPING))
            strlist_add(&o->page.states, states->v[i]);
    }
    if (under_way || (states->n && !o->page.states.n))
        strlist_add(&o->page.states, wire_enum_name(&task_state_names, TASK_RUNNING));
}

void handle_with_tasks(HttpRequest *req, Coord *c, const StrList *states, int64_t before, int64_t limit,
                       HandleTasks then)
{
    FetchPage *o = NEW(FetchPage);
    o->op = (StoreOp){.kind = STORE_READ, .what = "fetch tasks", .work = page_work, .done = page_done};
    o->page.before = before;
    o->page.limit = limit + (int64_t)c->n_entries;
    o->limit = limit;
    o->req = req;
    o->then = then;
    add_states(o, states);
    if (!c->loaded || !store_is_up(c)) {
        page_done(c, &o->op);
        return;
    }
    struct timeval tv = {0, SLOW_MS * 1000};
    o->c = c;
    o->timer = evtimer_new(c->base, on_slow, o);
    event_add(o->timer, &tv);
    store_start(c, &o->op);
}
