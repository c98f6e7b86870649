/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "coord_store.h"
#include "queue_db.h"
#include "takeover.h"

enum {
    RING = 2048,
    MAX_WAIT_MS = 60000,
    MAX_WAITERS = 256,
    AT_ONCE = 200, /* rows of one transaction */
    SAVE_LEAST_MS = 250,
    SAVE_MOST_MS = 3000
};

typedef struct Waiter {
    Coord *c;
    HttpRequest *req;
    int64_t after, limit;
    struct event *timer;
    struct Waiter *next;
} Waiter;

struct Events {
    EventRow ring[RING];
    int64_t first, last; /* seq of the oldest kept, and of the newest; last < first: none */
    int64_t saved;
    int64_t count[LOG_LEVEL_DEBUG + 1]; /* by level, since the start */
    Waiter *waiters;
    int n_waiters;
};

const WireField event_row_fields[] = WIRE_FIELDS(EventRow, EVENT_ROW_LIST);

Events *events_new(void)
{
    Events *ev = NEW(Events);
    ev->first = clock_wall_ms();
    ev->saved = ev->last = ev->first - 1;
    return ev;
}

static EventRow *row_at(Events *ev, int64_t seq)
{
    return &ev->ring[seq % RING];
}

static void drop_waiter(Events *ev, Waiter *w)
{
    for (Waiter **p = &ev->waiters; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            break;
        }
    ev->n_waiters--;
    event_free(w->timer);
    free(w);
}

void events_free(Events *ev)
{
    while (ev->waiters)
        drop_waiter(ev, ev->waiters);
    for (size_t i = 0; i < RING; i++)
        wire_free(event_row_fields, &ev->ring[i]);
    free(ev);
}

static void answer(Coord *c, HttpRequest *req, int64_t after, int64_t limit)
{
    Events *ev = c->events;
    int64_t from = after < 0 ? ev->last - limit + 1 : after + 1;
    if (from < ev->first)
        from = ev->first;
    json_t *a = json_array();
    for (int64_t seq = from; seq <= ev->last && seq < from + limit; seq++)
        json_array_append_new(a, wire_write(event_row_fields, row_at(ev, seq)));
    http_reply_json(req, 200, a);
}

static void answer_waiter(Waiter *w)
{
    Coord *c = w->c;
    HttpRequest *req = w->req;
    int64_t after = w->after, limit = w->limit;
    drop_waiter(c->events, w);
    answer(c, req, after, limit);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    answer_waiter(arg);
}

static void on_closed(HttpRequest *req, void *arg)
{
    Coord *c = arg;
    for (Waiter *w = c->events->waiters; w; w = w->next)
        if (w->req == req) {
            drop_waiter(c->events, w);
            return;
        }
}

/* Waiters are answered from the loop, not from inside the change that made the event. */
static void wake_waiters(Coord *c)
{
    struct timeval now = {0, 0};
    for (Waiter *w = c->events->waiters; w; w = w->next)
        event_add(w->timer, &now);
}

static LogLevel level_of(const char *name)
{
    LogLevel level = LOG_LEVEL_INFO;
    (void)log_level_from_name(name, &level);
    return level;
}

/* Takes what is owned in `r`. */
static void add(Coord *c, EventRow r)
{
    Events *ev = c->events;
    char *key = r.run;
    r.run = runkey_short(key);
    free(key);
    if (r.run)
        log_line(level_of(r.level), "run %s: %s", r.run, r.text);
    else if (r.task)
        log_line(level_of(r.level), "task %lld: %s", (long long)r.task, r.text);
    else
        log_line(level_of(r.level), "%s", r.text);
    EventRow *row = row_at(ev, ++ev->last);
    wire_free(event_row_fields, row);
    r.seq = ev->last;
    r.stored = level_of(r.level) >= LOG_LEVEL_INFO; /* the log has it */
    *row = r;
    if (ev->last - ev->first >= RING)
        ev->first = ev->last - RING + 1;
    ev->count[level_of(r.level)]++;
    wake_waiters(c);
    coord_step_soon(c);
}

void events_add(Coord *c, const char *level, const char *kind, int64_t task, const char *run,
                const char *node, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *made = xvasprintf(fmt, ap);
    va_end(ap);
    add(c, (EventRow){.time = clock_wall_ms(),
                      .level = xstrdup(level),
                      .kind = xstrdup(kind),
                      .task = task,
                      .run = xstrdup(run),
                      .node = xstrdup(node),
                      .text = made});
}

int64_t events_last(const Coord *c)
{
    return c->events->last;
}

const EventRow *events_at(const Coord *c, int64_t seq)
{
    Events *ev = c->events;
    return seq >= ev->first && seq <= ev->last ? row_at(ev, seq) : NULL;
}

int64_t events_count(const Coord *c, const char *level)
{
    return c->events->count[level_of(level)];
}

/* ---- of the agents ---------------------------------------------------------------------------------- */

static void take_one(AgentLink *a, const AgentEvent *e)
{
    int64_t task = 0, no = 0;
    if (e->run && !wire_run_id(e->run, &task, &no))
        task = 0;
    add(a->c, (EventRow){.time = e->time,
                         .level = xstrdup(e->level ? e->level : "info"),
                         .kind = xstrdup(e->kind ? e->kind : "node"),
                         .task = task,
                         .run = task ? xstrdup(e->run) : NULL,
                         .node = xstrdup(a->name),
                         .text = xasprintf("%s: %s", a->name, e->text ? e->text : "")});
    if (e->term)
        failover_record_late(a->c, e->term, e->time, a->name, e->text);
    a->events.taken = e->seq;
    a->events.taken_own = a->c->events->last;
}

void events_take(AgentLink *a)
{
    const AgentEvent *e = a->node.agent.events.v;
    const int64_t saved = a->c->events->saved;
    if (a->node.agent.events_last < a->events.taken) /* it has lost its own: it counts from anew */
        memset(&a->events, 0, sizeof a->events);
    for (size_t i = 0; i < a->node.agent.events.n; i++)
        if (e[i].seq > a->events.taken)
            take_one(a, &e[i]);
    if (a->events.mark && saved >= a->events.mark_own)
        a->events.stored = a->events.mark;
    if (a->events.mark <= a->events.stored && a->events.taken > a->events.stored) {
        a->events.mark = a->events.taken;
        a->events.mark_own = a->events.taken_own;
    }
}

static WireList unsaved(const Coord *c, size_t max, int64_t *ret_last)
{
    Events *ev = c->events;
    WireList list = {NULL, 0};
    int64_t seq = ev->saved + 1 < ev->first ? ev->first : ev->saved + 1;
    for (; seq <= ev->last && list.n < max; seq++)
        if (!row_at(ev, seq)->stored)
            wire_copy(event_row_fields, wire_list_add(&list, sizeof(EventRow)), row_at(ev, seq));
    *ret_last = seq - 1;
    return list;
}

static void note_saved(Coord *c, int64_t last)
{
    if (last > c->events->saved)
        c->events->saved = last;
}

/* ---- into the database ------------------------------------------------------------------------------ */

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
        QdbEvent e = {.at = r[i].time,
                      .task = r[i].task,
                      .run_no = no,
                      .level = r[i].level,
                      .what = r[i].kind,
                      .node = r[i].node,
                      .text = r[i].text};
        if (!qdb_insert_event(db, &e, err))
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
        note_saved(c, o->last);
        retry_reset(&c->queue.events_retry);
    } else {
        retry_failed(c, &c->queue.events_retry, SAVE_LEAST_MS, SAVE_MOST_MS);
    }
    EventRow *r = o->rows.v;
    for (size_t i = 0; i < o->rows.n; i++)
        wire_free(event_row_fields, &r[i]);
    free(r);
    free(o);
}

void events_save(Coord *c)
{
    if (!c->loaded || c->queue.saving_events || !store_is_up(c) || !retry_due(&c->queue.events_retry))
        return;
    EventsOp *o = NEW(EventsOp);
    o->op = (StoreOp){.kind = STORE_WRITE, .what = "write events", .work = events_work, .done = events_done};
    o->rows = unsaved(c, AT_ONCE, &o->last);
    if (!o->rows.n) {
        note_saved(c, o->last);
        free(o);
        return;
    }
    c->queue.saving_events = true;
    store_start(c, &o->op);
}

/* ---- GET /v1/events --------------------------------------------------------------------------------- */

static bool read_query(HttpRequest *req, int64_t *after, int64_t *wait_ms, int64_t *limit, Err *err)
{
    return http_query_int(req, "after", 0, INT64_MAX, -1, after, err) &&
           http_query_int(req, "wait_ms", 0, MAX_WAIT_MS, 0, wait_ms, err) &&
           http_query_int(req, "limit", 1, RING, 500, limit, err);
}

void events_handle_get(HttpRequest *req, void *context)
{
    Coord *c = context;
    Events *ev = c->events;
    int64_t after, wait_ms, limit;
    Err err;
    if (!read_query(req, &after, &wait_ms, &limit, &err)) {
        http_reply_error(req, &err);
        return;
    }
    if (!wait_ms || after < ev->last || ev->n_waiters >= MAX_WAITERS) {
        answer(c, req, after, limit);
        return;
    }
    Waiter *w = NEW(Waiter);
    *w = (Waiter){c, req, after, limit, NULL, ev->waiters};
    w->timer = evtimer_new(c->base, on_timeout, w);
    struct timeval tv = {wait_ms / 1000, wait_ms % 1000 * 1000};
    event_add(w->timer, &tv);
    ev->waiters = w;
    ev->n_waiters++;
    http_on_close(req, on_closed, c);
}
