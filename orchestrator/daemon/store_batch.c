/* SPDX-License-Identifier: Apache-2.0 */
#include "store_batch.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/retry.h"
#include "queue_db.h"

enum {
    STATEMENT_TIMEOUT_MS = 10000,
    PAUSE_AFTER_FAILURE_MS = 500,
    IDLE_MS = 2000,    /* a connection unused for so long is pinged first */
    TRY_FOR_MS = 4000, /* what passes by itself */
    LEAST_PAUSE_MS = 5,
    MOST_PAUSE_MS = 200,
    ALONE_TRIES = 12, /* of one operation */
};

/* ---- the connection --------------------------------------------------------------------------------- */

static bool same_target(const DbTarget *a, const DbTarget *b)
{
    return str_eq(a->host, b->host) && a->port == b->port && str_eq(a->defaults_file, b->defaults_file);
}

static void disconnect(StoreWorker *w)
{
    db_close(w->db);
    w->db = NULL;
}

void store_worker_done(StoreWorker *w)
{
    disconnect(w);
    db_target_done(&w->connected);
}

bool store_is_broken(const Err *err)
{
    return err->kind == ERR_LOST || err->kind == ERR_TIMEOUT || err->kind == ERR_UNREACHABLE;
}

/* Rows that others lock are waited for a second, tables likewise. */
static bool set_session(Db *db, Err *err)
{
    return db_exec(db, err, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "") &&
           db_exec(db, err, "SET SESSION innodb_lock_wait_timeout = 1, lock_wait_timeout = 1", "");
}

static bool connect_now(StoreWorker *w, const DbTarget *target, Err *err)
{
    db_target_done(&w->connected);
    db_target_copy(&w->connected, target);
    if (db_connect(target, STATEMENT_TIMEOUT_MS, &w->db, err) && set_session(w->db, err)) {
        w->failed_ms = 0;
        return true;
    }
    disconnect(w);
    w->failure = *err;
    w->failed_ms = clock_mono_ms();
    return false;
}

/* An idle connection that the server has closed is found before anything is sent, so that it never makes an
 * outcome unknown. */
static bool connect_to(StoreWorker *w, const DbTarget *target, Err *err)
{
    int64_t now = clock_mono_ms();
    if (w->db &&
        (!same_target(&w->connected, target) || (now - w->used_ms > IDLE_MS && !db_ping(w->db, err))))
        disconnect(w);
    w->used_ms = now;
    if (w->db)
        return true;
    bool again = w->failed_ms && same_target(&w->connected, target);
    if (again && (w->closing || now < w->failed_ms + PAUSE_AFTER_FAILURE_MS)) {
        *err = w->failure;
        return false;
    }
    return connect_now(w, target, err);
}

/* ---- one attempt ------------------------------------------------------------------------------------ */

static bool is_refusal(const Err *err)
{
    return err->kind == ERR_CONFLICT || err->kind == ERR_NOT_FOUND || err->kind == ERR_REFUSED ||
           err->kind == ERR_USAGE;
}

typedef enum Attempt { ATTEMPT_DONE, ATTEMPT_FAILED, ATTEMPT_UNKNOWN } Attempt;

static bool run_ops(StoreBatch *b, size_t from, size_t n, bool *ret_wrote, Err *err)
{
    for (size_t i = from; i < from + n; i++) {
        StoreOp *op = b->ops[i];
        op->err = (Err){0};
        op->connected = true;
        op->ok = op->work(b->worker->db, op, &op->err);
        *ret_wrote = *ret_wrote || op->ok;
        if (!op->ok && !is_refusal(&op->err)) {
            *err = op->err;
            return false;
        }
    }
    return true;
}

/* Its numbers only grow: a smaller one means that transactions are gone which this coordinator has seen
 * committed, and all it knows of the queue with them. */
static bool lock_term(StoreBatch *b, int64_t *ret_number, Err *err)
{
    StoreWorker *w = b->worker;
    if (w->went_back)
        return err_set(err, ERR_STALE_TERM, QDB_WENT_BACK, "the queue is being read anew: ask again");
    bool ok = qdb_lock_term(w->db, b->term, b->owner, ret_number, err);
    if (ok && *ret_number < w->number)
        ok = err_set(err, ERR_STALE_TERM, QDB_WENT_BACK,
                     "the queue's database is at transaction %lld, and was at %lld: it was restored, or has "
                     "lost its newest transactions",
                     (long long)*ret_number, (long long)w->number);
    if (!ok && err->kind == ERR_STALE_TERM && err->code == QDB_WENT_BACK)
        w->went_back = b->went_back = true;
    return ok;
}

static void note_committed(StoreBatch *b, bool takes_over, int64_t number)
{
    if (takes_over)
        b->worker->went_back = false;
    b->worker->number = takes_over ? 0 : number;
}

static Attempt attempt(StoreBatch *b, size_t from, size_t n, int64_t *ret_number, Err *err)
{
    Db *db = b->worker->db;
    Err ignored;
    bool wrote = false, takes_over = b->ops[from]->takes_over;
    bool ok = db_exec(db, err, "START TRANSACTION", "") && (takes_over || lock_term(b, ret_number, err)) &&
              run_ops(b, from, n, &wrote, err) &&
              (takes_over || !wrote || qdb_set_number(db, b->owner, ++*ret_number, err));
    if (ok && wrote)
        return db_exec(db, err, "COMMIT", "") ? ATTEMPT_DONE
               : store_is_broken(err)         ? ATTEMPT_UNKNOWN
                                              : ATTEMPT_FAILED;
    if (!store_is_broken(err))
        (void)!db_exec(db, &ignored, "ROLLBACK", "");
    return ok ? ATTEMPT_DONE : ATTEMPT_FAILED;
}

/* The server may still be at the COMMIT: the lock on the row of the term waits for its end. */
static bool look_up(StoreBatch *b, int64_t number, bool *ret_done, Err *err)
{
    StoreWorker *w = b->worker;
    int64_t there = 0;
    disconnect(w);
    if (!connect_now(w, &b->target, err))
        return false;
    bool ok =
        db_exec(w->db, err, "START TRANSACTION", "") && qdb_lock_term(w->db, b->term, b->owner, &there, err);
    Err ignored;
    (void)!db_exec(w->db, &ignored, "ROLLBACK", "");
    *ret_done = there >= number;
    return ok;
}

/* ---- trying again ----------------------------------------------------------------------------------- */

/* A deadlock, a lock wait, a server that is read-only or full for a moment, a connection that was killed. */
static bool passes_by(const Err *err)
{
    static const int codes[] = {1213, 1205, 1290, 1836, 1040, 1203, 1317, 1927, 3572};
    for (size_t i = 0; i < COUNT(codes); i++)
        if (err->code == codes[i] && (err->kind == ERR_DB || store_is_broken(err) || err->kind == ERR_AUTH))
            return true;
    return err->kind == ERR_LOST;
}

static void pause_with_jitter(int64_t tries)
{
    int64_t ms = retry_wait_ms(tries + 1, LEAST_PAUSE_MS, MOST_PAUSE_MS);
    clock_sleep_ms(retry_by_chance_ms(ms, (uint64_t)clock_mono_ms() * 7919));
}

static void fail_rest(StoreBatch *b, size_t from, const Err *err)
{
    for (size_t i = from; i < b->n; i++) {
        b->ops[i]->ok = false;
        b->ops[i]->connected = b->worker->db != NULL;
        b->ops[i]->err = *err;
    }
}

typedef struct BatchProgress {
    size_t at, size; /* done so far; how many are tried together */
    int64_t tries, until_ms;
} BatchProgress;

static bool may_try_again(const StoreBatch *b, const BatchProgress *p, const Err *err)
{
    return passes_by(err) && !b->worker->closing && clock_mono_ms() < p->until_ms &&
           (p->size > 1 || p->tries < ALONE_TRIES);
}

/* What cannot be done fails alone: others are tried in halves. False: nothing further can be done. */
static bool after_failure(StoreBatch *b, BatchProgress *p, const Err *err)
{
    if (store_is_broken(err))
        disconnect(b->worker);
    if (err->kind == ERR_STALE_TERM || err->kind == ERR_TIMEOUT)
        return false;
    if (may_try_again(b, p, err)) {
        pause_with_jitter(p->tries++);
        p->size = p->tries > 3 && p->size > 1 ? p->size / 2 : p->size;
        return true;
    }
    if (store_is_broken(err))
        return false;
    if (p->size > 1) {
        p->size /= 2;
        return true;
    }
    StoreOp *op = b->ops[p->at++];
    op->ok = false;
    op->err = *err;
    p->size = b->n - p->at;
    p->tries = 0;
    return true;
}

static bool settle_unknown(StoreBatch *b, int64_t number, Err *err, bool *ret_done)
{
    log_warn("the database gave no answer to a COMMIT: it is looked up");
    Err why;
    for (int64_t tries = 0; tries < ALONE_TRIES && !b->worker->closing; tries++) {
        if (look_up(b, number, ret_done, &why))
            return true;
        if (!passes_by(&why) && why.kind != ERR_UNREACHABLE)
            break;
        pause_with_jitter(tries + 3);
    }
    err_prefix(err, "the outcome is not known");
    return false;
}

static void write_all(StoreBatch *b)
{
    BatchProgress p = {0, b->n, 0, clock_mono_ms() + TRY_FOR_MS};
    while (p.at < b->n) {
        Err err = {0};
        int64_t number = 0;
        bool done = false;
        if (!b->worker->db && !connect_to(b->worker, &b->target, &err)) {
            if (after_failure(b, &p, &err))
                continue;
            fail_rest(b, p.at, &err);
            return;
        }
        Attempt a = attempt(b, p.at, p.size, &number, &err);
        if (a == ATTEMPT_UNKNOWN && !settle_unknown(b, number, &err, &done)) {
            fail_rest(b, p.at, &err);
            return;
        }
        if (a == ATTEMPT_DONE || done) {
            note_committed(b, b->ops[p.at]->takes_over, number);
            p.at += p.size;
            p.size = b->n - p.at;
            p.tries = 0;
        } else if (a == ATTEMPT_FAILED && !after_failure(b, &p, &err)) {
            fail_rest(b, p.at, &err);
            return;
        }
    }
}

static void read_all(StoreBatch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        StoreOp *op = b->ops[i];
        for (int64_t tries = 0;; tries++) {
            op->err = (Err){0};
            op->connected = connect_to(b->worker, &b->target, &op->err);
            op->ok = op->connected && op->work(b->worker->db, op, &op->err);
            if (!op->ok && store_is_broken(&op->err))
                disconnect(b->worker);
            if (op->ok || !passes_by(&op->err) || tries >= 3 || b->worker->closing)
                break;
            pause_with_jitter(tries);
        }
    }
}

void store_batch_work(StoreBatch *b)
{
    b->connected = connect_to(b->worker, &b->target, &b->err);
    if (!b->connected && !passes_by(&b->err))
        fail_rest(b, 0, &b->err);
    else if (b->kind == STORE_WRITE)
        write_all(b);
    else
        read_all(b);
    b->worker->used_ms = clock_mono_ms();
}
