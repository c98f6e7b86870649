/* SPDX-License-Identifier: Apache-2.0 */
#include "coord_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "events.h"
#include "queue_db.h"
#include "store_batch.h"

enum { KINDS = STORE_INTAKE + 1, MAX_QUEUED = 20000, AT_ONCE = 500, MAX_JOBS = 64 };

typedef struct StoreLine {
    WorkPool *pool;
    StoreWorker worker;
    StoreOp *first, **last; /* given, and not under way yet */
    size_t n;
    bool busy;
} StoreLine;

struct CoordStore {
    StoreLine lines[KINDS];
    StoreLine refused; /* their `done` is called with the next turn */
    bool up, known;
    int64_t epoch; /* counts how often the queue's history went back */
    StoreWentBack *went_back;
    char *error;
    int64_t since;
};

static const char *const names[KINDS] = {"store", "reader", "intake"};

CoordStore *store_new(Coord *c, StoreWentBack *went_back)
{
    CoordStore *s = NEW(CoordStore);
    s->went_back = went_back;
    for (int i = 0; i < KINDS; i++) {
        s->lines[i].pool = work_new(c->base, names[i], 1, MAX_JOBS);
        s->lines[i].last = &s->lines[i].first;
    }
    s->refused.last = &s->refused.first;
    s->since = clock_wall_ms();
    return s;
}

/* ---- what the answers say of the database ----------------------------------------------------------- */

static bool is_outage(const StoreOp *op)
{
    return !op->ok && (!op->connected || store_is_broken(&op->err) || op->err.kind == ERR_AUTH);
}

static void note(Coord *c, const StoreOp *op)
{
    CoordStore *s = c->store;
    bool up = !is_outage(op);
    if (s->known && up == s->up) {
        if (!up && !str_eq(s->error, op->err.text))
            str_set(&s->error, op->err.text);
        return;
    }
    str_set(&s->error, up ? NULL : op->err.text);
    if (!up)
        events_add(c, "warn", "database", 0, NULL, NULL, "the queue's database cannot be used: %s",
                   op->err.text);
    else if (s->known)
        events_add(c, "info", "database", 0, NULL, NULL, "the queue's database is back");
    else
        events_add(c, "info", "database", 0, NULL, NULL, "connected to the queue's database on %s:%" PRId64,
                   c->journal.address, c->journal.port);
    s->known = true;
    s->up = up;
    s->since = clock_wall_ms();
}

/* ---- batches ---------------------------------------------------------------------------------------- */

static void work(void *arg)
{
    store_batch_work(arg);
}

/* Whoever finds the term moved on, one place says what follows. */
static void note_term(Coord *c, const StoreOp *op)
{
    if (op->ok || op->err.kind != ERR_STALE_TERM || op->err.code == QDB_WENT_BACK || c->fenced)
        return;
    c->fenced = true;
    events_add(c, "error", "cluster", 0, NULL, NULL, "%s. This one starts nothing any more", op->err.text);
}

static void drop_stale(const Coord *c, const StoreBatch *b, StoreOp *op)
{
    if (b->epoch == c->store->epoch || b->kind == STORE_WRITE || !op->ok)
        return;
    op->ok = false;
    err_set(&op->err, ERR_CANCELLED, 0, "the queue is being read anew: ask again");
}

static void done(void *arg)
{
    StoreBatch *b = arg;
    Coord *c = b->c;
    bool went_back = b->went_back;
    c->store->lines[b->kind].busy = false;
    for (size_t i = 0; i < b->n; i++) {
        StoreOp *op = b->ops[i];
        drop_stale(c, b, op);
        note(c, op);
        note_term(c, op);
        if (!op->ok && op->what)
            log_debug("cannot %s: %s", op->what, op->err.text);
        op->done(c, op);
    }
    db_target_done(&b->target);
    free(b->ops);
    free(b);
    if (went_back) {
        c->store->epoch++;
        c->store->went_back(c);
    }
    coord_step_soon(c);
}

void store_target(const Coord *c, DbTarget *ret)
{
    *ret = (DbTarget){.named = true,
                      .defaults_file = xstrdup(c->conf.database_defaults_file),
                      .host = xstrdup(c->journal.address),
                      .port = c->journal.port};
    AUTOFREE char *address = xasprintf("%s:%" PRId64, c->journal.address, c->journal.port);
    if (!http_address_is_local(address)) {
        ret->tls_ca = xstrdup(c->conf.tls.ca_file);
        ret->tls_cert = xstrdup(c->conf.tls.certificate_file);
        ret->tls_key = xstrdup(c->conf.tls.key_file);
    }
}

static void add(StoreLine *l, StoreOp *op)
{
    op->next = NULL;
    *l->last = op;
    l->last = &op->next;
    l->n++;
}

static StoreOp *take_first(StoreLine *l)
{
    StoreOp *op = l->first;
    l->first = op->next;
    l->n--;
    if (!l->first)
        l->last = &l->first;
    return op;
}

/* One that takes over goes alone. */
static void take_ops(StoreLine *l, StoreBatch *b)
{
    b->ops = xcalloc(AT_ONCE, sizeof(StoreOp *));
    while (l->first && b->n < AT_ONCE && !(b->n && (l->first->takes_over || b->ops[0]->takes_over)))
        b->ops[b->n++] = take_first(l);
}

static void send_batch(Coord *c, StoreLine *l, StoreKind kind)
{
    Err err;
    StoreBatch *b = NEW(StoreBatch);
    b->c = c;
    b->worker = &l->worker;
    b->kind = kind;
    b->term = c->journal.term;
    b->epoch = c->store->epoch;
    snprintf(b->owner, sizeof b->owner, "%s", c->journal.owner);
    store_target(c, &b->target);
    take_ops(l, b);
    l->busy = true;
    if (work_submit(l->pool, (WorkJob){work, done, b}, &err))
        return;
    for (size_t i = 0; i < b->n; i++)
        b->ops[i]->err = err;
    done(b);
}

/* Those given meanwhile are refused with the next turn. */
static void refuse(Coord *c)
{
    for (size_t n = c->store->refused.n; n; n--) {
        StoreOp *op = take_first(&c->store->refused);
        op->done(c, op);
    }
}

void store_send(Coord *c)
{
    refuse(c);
    for (int i = 0; i < KINDS; i++)
        if (c->store->lines[i].first && !c->store->lines[i].busy)
            send_batch(c, &c->store->lines[i], (StoreKind)i);
}

void store_start(Coord *c, StoreOp *op)
{
    CoordStore *s = c->store;
    StoreLine *l = &s->lines[op->kind];
    bool known = c->journal.address != NULL;
    op->begun_ms = clock_mono_ms();
    if (!known)
        err_set(&op->err, ERR_UNREACHABLE, 0, "the primary is not known yet%s%s",
                c->topology_error ? ": " : "", c->topology_error ? c->topology_error : "");
    else if (l->n >= MAX_QUEUED)
        err_set(&op->err, ERR_CONFLICT, 0, "too many changes wait for the queue's database%s%s",
                s->error ? ": " : "", s->error ? s->error : "");
    add(!known || l->n >= MAX_QUEUED ? &s->refused : l, op);
    coord_step_soon(c);
}

void store_free(Coord *c)
{
    CoordStore *s = c->store;
    for (int i = 0; i < KINDS; i++)
        s->lines[i].worker.closing = true;
    while (s->lines[STORE_WRITE].first && c->journal.address)
        send_batch(c, &s->lines[STORE_WRITE], STORE_WRITE);
    for (int i = 0; i < KINDS; i++) {
        while (i != STORE_WRITE && s->lines[i].first && c->journal.address)
            send_batch(c, &s->lines[i], (StoreKind)i);
        work_free(s->lines[i].pool);
        store_worker_done(&s->lines[i].worker);
    }
    refuse(c);
    free(s->error);
    free(s);
}

bool store_is_up(const Coord *c)
{
    return c->store->known && c->store->up;
}

const char *store_error(const Coord *c)
{
    if (!c->store->known)
        return c->topology_error ? c->topology_error : "not connected yet";
    return c->store->error;
}

const char *store_trouble(const Coord *c)
{
    const char *text = c->queue.load_error ? c->queue.load_error : store_error(c);
    return text ? text : c->loaded ? "its database is slow" : "it is being read";
}

int64_t store_since(const Coord *c)
{
    return c->store->since;
}
