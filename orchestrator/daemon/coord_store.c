/* SPDX-License-Identifier: Apache-2.0 */
#include "coord_store.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "events.h"

enum { MAX_QUEUED = 128, STATEMENT_TIMEOUT_MS = 10000, PAUSE_AFTER_FAILURE_MS = 500 };

struct CoordStore {
    WorkPool *pool;
    /* The worker's own: */
    Db *db;
    DbTarget connected;
    atomic_bool closing; /* set by the loop: one failure is enough now */
    int64_t failed_ms;   /* no new attempt to connect before PAUSE_AFTER_FAILURE_MS behind this */
    Err failure;
    /* The loop's own: */
    bool up, known;
    char *error;
    int64_t since;
};

static bool same_target(const DbTarget *a, const DbTarget *b)
{
    return str_eq(a->host, b->host) && a->port == b->port && str_eq(a->defaults_file, b->defaults_file);
}

static void disconnect(CoordStore *s)
{
    db_close(s->db);
    s->db = NULL;
}

static bool connect_to(CoordStore *s, const DbTarget *target, Err *err)
{
    if (s->db && same_target(&s->connected, target))
        return true;
    disconnect(s);
    if (s->failed_ms && same_target(&s->connected, target) &&
        (s->closing || clock_mono_ms() < s->failed_ms + PAUSE_AFTER_FAILURE_MS)) {
        *err = s->failure;
        return false;
    }
    db_target_done(&s->connected);
    db_target_copy(&s->connected, target);
    if (!db_connect(target, STATEMENT_TIMEOUT_MS, &s->db, err)) {
        s->db = NULL;
        s->failure = *err;
        s->failed_ms = clock_mono_ms();
        return false;
    }
    s->failed_ms = 0;
    return true;
}

static bool in_transaction(Db *db, StoreOp *op, Err *err)
{
    if (!db_exec(db, err, "START TRANSACTION", ""))
        return false;
    if (op->work(db, op, err))
        return db_exec(db, err, "COMMIT", "");
    Err ignored;
    (void)!db_exec(db, &ignored, "ROLLBACK", "");
    return false;
}

static bool is_broken(const Err *err)
{
    return err->kind == ERR_LOST || err->kind == ERR_TIMEOUT || err->kind == ERR_UNREACHABLE;
}

static void work(void *arg)
{
    StoreOp *op = arg;
    CoordStore *s = op->c->store;
    /* An idle connection that the server has closed is found before anything is sent, so that it never makes
     * an outcome unknown. */
    if (s->db && !db_ping(s->db, &op->err))
        disconnect(s);
    op->connected = connect_to(s, &op->target, &op->err);
    op->ok = op->connected &&
             (op->transaction ? in_transaction(s->db, op, &op->err) : op->work(s->db, op, &op->err));
    if (!op->ok && is_broken(&op->err)) {
        disconnect(s);
        s->failure = op->err;
        s->failed_ms = s->closing ? clock_mono_ms() : s->failed_ms;
    }
}

static bool is_outage(const StoreOp *op)
{
    return !op->ok && (!op->connected || is_broken(&op->err) || op->err.kind == ERR_AUTH);
}

static void told(Coord *c, const StoreOp *op)
{
    CoordStore *s = c->store;
    bool up = !is_outage(op);
    if (s->known && up == s->up) {
        if (!up && !str_eq(s->error, op->err.text)) {
            free(s->error);
            s->error = xstrdup(op->err.text);
        }
        return;
    }
    free(s->error);
    s->error = up ? NULL : xstrdup(op->err.text);
    if (!up)
        events_add(c, "warn", "database", 0, NULL, NULL, "the queue's database cannot be used: %s",
                   op->err.text);
    else if (s->known)
        events_add(c, "info", "database", 0, NULL, NULL, "the queue's database is back");
    else
        events_add(c, "info", "database", 0, NULL, NULL, "connected to the queue's database on %s:%" PRId64,
                   op->target.host, op->target.port);
    s->known = true;
    s->up = up;
    s->since = clock_wall_ms();
}

static void done(void *arg)
{
    StoreOp *op = arg;
    Coord *c = op->c;
    told(c, op);
    if (!op->ok && op->what)
        log_debug("cannot %s: %s", op->what, op->err.text);
    db_target_done(&op->target);
    op->done(c, op);
    coord_step_soon(c);
}

CoordStore *store_new(Coord *c)
{
    CoordStore *s = NEW(CoordStore);
    s->pool = work_new(c->base, "store", 1, MAX_QUEUED);
    s->since = clock_wall_ms();
    return s;
}

void store_free(CoordStore *s)
{
    s->closing = true;
    work_free(s->pool);
    disconnect(s);
    db_target_done(&s->connected);
    free(s->error);
    free(s);
}

bool store_start(Coord *c, StoreOp *op, Err *err)
{
    if (!c->journal.address)
        return err_set(err, ERR_UNREACHABLE, 0, "the primary is not known yet%s%s",
                       c->topology_error ? ": " : "", c->topology_error ? c->topology_error : "");
    op->c = c;
    op->target = (DbTarget){.defaults_file = xstrdup(c->conf.database_defaults_file),
                            .host = xstrdup(c->journal.address),
                            .port = c->journal.port};
    AUTOFREE char *address = xasprintf("%s:%" PRId64, c->journal.address, c->journal.port);
    if (!http_address_is_local(address)) {
        op->target.tls_ca = xstrdup(c->conf.tls.ca_file);
        op->target.tls_cert = xstrdup(c->conf.tls.certificate_file);
        op->target.tls_key = xstrdup(c->conf.tls.key_file);
    }
    if (work_submit(c->store->pool, (WorkJob){work, done, op}, err))
        return true;
    db_target_done(&op->target);
    return err_prefix(err, "too many changes wait for the queue's database%s%s", c->store->error ? " (" : "",
                      c->store->error ? c->store->error : "");
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

int64_t store_since(const Coord *c)
{
    return c->store->since;
}
