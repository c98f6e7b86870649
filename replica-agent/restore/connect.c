/* SPDX-License-Identifier: Apache-2.0 */
#include "connect.h"

#include "common/base/clock.h"
#include "common/base/retry.h"
#include "common/base/text.h"
#include "common/db/flavor.h"
#include "journal_table.h"
#include "replica-agent/dump/control.h"

enum { AGAIN_MS = 60000, PAUSE_MS = 250, MOST_TRIES = 20, FIRST_PAUSE_MS = 50, LONGEST_PAUSE_MS = 5000 };

/* ---- others' locks -------------------------------------------------------------------------------- */

int64_t connect_pause_ms(int try)
{
    return try >= MOST_TRIES ? -1 : retry_wait_ms(try, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
}

bool connect_await_locks(int try, Err *err)
{
    int64_t ms = connect_pause_ms(try);
    if (ms < 0)
        return err_prefix(err, "another session's locks are in the way, %d tries", try);
    text_print(stderr,
               "siding-restore: note: another session's locks are in the way (%.300s); it is tried again in "
               "%.2g s\n",
               err->text, (double)ms / 1000);
    for (; ms > 0; ms -= PAUSE_MS) {
        clock_sleep_ms(ms < PAUSE_MS ? ms : PAUSE_MS);
        if (!control_point(err))
            return false;
    }
    return true;
}

static bool statement_again(void *arg, int try, Err *err)
{
    (void)arg;
    return connect_await_locks(try, err);
}

/* ---- all ------------------------------------------------------------------------------------------ */

bool connect_open(const Restore *r, Db **ret, Err *err)
{
    long long wait_s = (r->o->lock_wait_ms + 999) / 1000;
    AUTOFREE char *waits = xasprintf("SET SESSION wait_timeout=31536000, lock_wait_timeout=%lld,"
                                     " innodb_lock_wait_timeout=%lld, foreign_key_checks=0",
                                     wait_s, wait_s);
    Db *db;
    if (!db_connect(&r->where, 0, &db, err))
        return false;
    db_set_again(db, statement_again, NULL);
    bool ok = flavor_check_version(db_version(db), err) && db_exec(db, err, waits, "") &&
              db_exec(db, err, flavor_of(db_version(db)->flavor)->reader_session, "") &&
              (!r->o->no_binlog || db_exec(db, err, "SET SESSION sql_log_bin=0", ""));
    if (!ok) {
        db_close(db);
        return false;
    }
    *ret = db;
    return true;
}

/* ---- the main one --------------------------------------------------------------------------------- */

static bool note_holder(Restore *r, Err *err)
{
    int64_t id;
    if (!db_value_int(r->db, &id, err, "SELECT CONNECTION_ID()", ""))
        return false;
    pthread_mutex_lock(&r->lock);
    r->holder = id;
    pthread_mutex_unlock(&r->lock);
    return true;
}

bool connect_main(Restore *r, Err *err)
{
    return connect_open(r, &r->db, err) && journal_table_lock(r->db, r->o->lock_wait_ms, err) &&
           note_holder(r, err);
}

/* Threads that have their connections yet hold their own locks: they are not waited for. */
static bool lock_again(Restore *r, Err *err)
{
    db_close(r->db);
    r->db = NULL;
    return connect_open(r, &r->db, err) && journal_table_lock_main(r->db, err) && note_holder(r, err);
}

bool connect_keep_main(Restore *r, Err *err)
{
    Err gone;
    pthread_mutex_lock(&r->lock);
    bool known = r->holder;
    pthread_mutex_unlock(&r->lock);
    if (known)
        return true;
    if (r->db && db_ping(r->db, &gone))
        return note_holder(r, err);
    if (lock_again(r, err)) {
        r->lost_until_ms = 0;
        return true;
    }
    if (!r->lost_until_ms)
        r->lost_until_ms = clock_mono_ms() + AGAIN_MS;
    return err->kind != ERR_AUTH && clock_mono_ms() < r->lost_until_ms;
}

bool connect_check_main(Restore *r, Err *err)
{
    pthread_mutex_lock(&r->lock);
    r->holder = 0;
    pthread_mutex_unlock(&r->lock);
    while (connect_keep_main(r, err)) {
        if (r->holder) /* no other thread is at work */
            return true;
        if (control_stopping())
            return err_set(err, ERR_CANCELLED, 0, "stopped by a signal");
        control_wait(PAUSE_MS);
    }
    return false;
}

/* ---- a thread's ----------------------------------------------------------------------------------- */

/* Nobody else has begun a restore since. */
static bool check_holder(Restore *r, Db *db, Err *err)
{
    int64_t holder;
    pthread_mutex_lock(&r->lock);
    int64_t ours = r->holder;
    pthread_mutex_unlock(&r->lock);
    if (!db_lock_holder(db, "siding_restore", &holder, err))
        return false;
    return (ours && holder == ours) ||
           err_set(err, ERR_UNREACHABLE, 0, "the restore's first connection is lost too");
}

bool connect_worker(RestoreWorker *w, Err *err)
{
    Db *db;
    if (!connect_open(w->r, &db, err))
        return false;
    if (!check_holder(w->r, db, err) || !journal_table_lock_worker(db, w->number, err)) {
        db_close(db);
        return false;
    }
    w->db = db;
    w->looked = false;
    return true;
}

bool restore_failed(Restore *r)
{
    pthread_mutex_lock(&r->lock);
    bool failed = r->failed;
    pthread_mutex_unlock(&r->lock);
    return failed;
}

static void tell_loss(Restore *r, const Err *err)
{
    pthread_mutex_lock(&r->lock);
    r->holder = 0; /* until the main thread has looked */
    pthread_mutex_unlock(&r->lock);
    atomic_store(&r->lost_once, true);
    text_print(stderr, "siding-restore: note: a connection is lost (%.300s); it is tried again for %d s\n",
               err->text, AGAIN_MS / 1000);
}

bool connect_worker_again(RestoreWorker *w, Err *err)
{
    int64_t until = clock_mono_ms() + AGAIN_MS;
    if (err->kind != ERR_LOST)
        return false;
    db_close(w->db);
    w->db = NULL;
    tell_loss(w->r, err);
    do {
        clock_sleep_ms(PAUSE_MS);
        if (!control_point(err))
            return false;
        if (connect_worker(w, err))
            return true;
    } while (err->kind != ERR_AUTH && !restore_failed(w->r) && clock_mono_ms() < until);
    return false;
}
