/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_table.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/file/sha256.h"

enum { MOST_WORKERS = 256, LOOK_MS = 50, LONGEST_KEY = 255 };

/* ---- locks ---------------------------------------------------------------------------------------- */

/* Any account can take a lock of this name: whoever finds it taken is told by which connection. */
static bool taken_by(Db *db, const char *name, const char *what, Err *err)
{
    int64_t holder = 0;
    if (!db_lock_holder(db, name, &holder, err))
        return false;
    return err_set(
        err, ERR_REFUSED, 0,
        "%s: connection %lld there holds the lock %s; wait for its end (SHOW PROCESSLIST says whose "
        "it is)",
        what, (long long)holder, name);
}

/* A statement of a killed run's connection goes on until its end. */
static bool wait_workers(Db *db, int64_t wait_ms, Err *err)
{
    int64_t until = clock_mono_ms() + wait_ms, taken;
    AUTO(str_done) Str sql = STR_INIT;
    for (int i = 0; i < MOST_WORKERS; i++)
        str_addf(&sql, "%s(IS_FREE_LOCK('siding_restore.%d') = 0)", i ? " + " : "SELECT ", i);
    do {
        if (!db_value_int(db, &taken, err, sql.p, ""))
            return false;
        if (!taken)
            return true;
        clock_sleep_ms(LOOK_MS);
    } while (clock_mono_ms() < until);
    return err_set(err, ERR_TIMEOUT, 0,
                   "%lld connections of a restore that was killed are still at work in the server: try again "
                   "when their statements have ended",
                   (long long)taken);
}

bool journal_table_lock_main(Db *db, Err *err)
{
    enum { GONE_S = 3 }; /* the server needs a moment to see that a client was killed */
    bool got;
    if (!db_take_lock(db, "siding_restore", GONE_S, &got, err))
        return false;
    return got || taken_by(db, "siding_restore", "another siding-restore is at work in this server", err);
}

bool journal_table_lock(Db *db, int64_t wait_ms, Err *err)
{
    return journal_table_lock_main(db, err) && wait_workers(db, wait_ms, err);
}

bool journal_table_lock_worker(Db *db, size_t number, Err *err)
{
    AUTOFREE char *name = xasprintf("siding_restore.%zu", number);
    bool got;
    if (!db_take_lock(db, name, 1, &got, err))
        return false;
    return got || taken_by(db, name, "a thread of the restore cannot begin", err);
}

/* ---- the table ------------------------------------------------------------------------------------ */

static bool is_there(Db *db, bool *ret, Err *err)
{
    int64_t n;
    if (!db_value_int(db, &n, err,
                      "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'siding_restore'"
                      " AND table_name = 'ledger'",
                      ""))
        return false;
    *ret = n > 0;
    return true;
}

bool journal_table_marks(Db *db, const char *dump, bool *ret_begun, json_t **ret, Err *err)
{
    DbRows *r;
    bool there, more, ok;
    AUTOJSON json_t *marks = json_object();
    *ret_begun = false;
    if (!is_there(db, &there, err))
        return false;
    if (there) {
        if (!db_query(db, &r, err, "SELECT file FROM siding_restore.ledger WHERE dump = ?", "s", dump))
            return false;
        while ((ok = db_next(r, &more, err)) && more) {
            *ret_begun = true;
            if (*db_field(r, 0, NULL) == '+')
                json_object_set_new_nocheck(marks, db_field(r, 0, NULL), json_true());
        }
        db_rows_free(r);
        if (!ok)
            return false;
    }
    *ret = STEAL(marks);
    return true;
}

bool journal_table_open(Db *db, const char *dump, bool overwrite, Err *err)
{
    AUTOFREE char *other = NULL;
    if (!db_exec(db, err, "CREATE DATABASE IF NOT EXISTS siding_restore", "") ||
        !db_exec(db, err,
                 "CREATE TABLE IF NOT EXISTS siding_restore.ledger (dump VARBINARY(64) NOT NULL, file "
                 "VARBINARY(255) NOT"
                 " NULL, statements BIGINT NOT NULL, done TINYINT NOT NULL, PRIMARY KEY (dump, file)) "
                 "ENGINE=InnoDB",
                 "") ||
        !db_value(db, &other, err, "SELECT MAX(dump) FROM siding_restore.ledger WHERE dump <> ?", "s", dump))
        return false;
    if (other && !overwrite)
        return err_set(err, ERR_REFUSED, 0,
                       "the server holds the unfinished restore of another dump (its files are listed in "
                       "siding_restore.ledger): "
                       "finish that one, or give it up and load this one by --overwrite");
    if (other && !db_exec(db, err, "DELETE FROM siding_restore.ledger WHERE dump <> ?", "s", dump))
        return false;
    return journal_table_write(db, dump, "", &(FilePlace){0, false}, err);
}

bool journal_table_read(Db *db, const char *dump, const char *file, FilePlace *ret, Err *err)
{
    DbRows *r;
    bool more;
    if (!db_query(db, &r, err,
                  "SELECT statements, done FROM siding_restore.ledger WHERE dump = ? AND file = ?", "ss",
                  dump, file))
        return false;
    bool ok = db_next(r, &more, err);
    *ret = (FilePlace){0};
    if (ok && more)
        *ret = (FilePlace){db_int(r, "statements"), db_int(r, "done")};
    db_rows_free(r);
    return ok;
}

bool journal_table_has(Db *db, const char *dump, const char *file, bool *ret, Err *err)
{
    int64_t n;
    if (!db_value_int(db, &n, err, "SELECT COUNT(*) FROM siding_restore.ledger WHERE dump = ? AND file = ?",
                      "ss", dump, file))
        return false;
    *ret = n > 0;
    return true;
}

bool journal_table_write(Db *db, const char *dump, const char *file, const FilePlace *place, Err *err)
{
    return db_exec(db, err, "REPLACE INTO siding_restore.ledger VALUES (?, ?, ?, ?)", "ssii", dump, file,
                   place->statements, (int64_t)place->done);
}

bool journal_table_forget(Db *db, const char *dump, const char *file, Err *err)
{
    return db_exec(db, err, "DELETE FROM siding_restore.ledger WHERE dump = ? AND file = ?", "ss", dump,
                   file);
}

/* Whatever somebody else keeps in that database stays. */
bool journal_table_drop(Db *db, Err *err)
{
    int64_t others;
    return db_exec(db, err, "DROP TABLE siding_restore.ledger", "") &&
           db_value_int(
               db, &others, err,
               "SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = "
               "'siding_restore') + (SELECT COUNT(*) FROM information_schema.routines WHERE "
               "routine_schema = 'siding_restore') + (SELECT COUNT(*) FROM information_schema.events "
               "WHERE event_schema = 'siding_restore')",
               "") &&
           (others > 0 || db_exec(db, err, "DROP DATABASE siding_restore", ""));
}

char *journal_table_mark(const char *kind, const char *database, const char *name)
{
    AUTO(str_done) Str key = STR_INIT;
    char sum[65];
    str_addf(&key, "+%s ", kind);
    db_quote_table(&key, database, name);
    if (key.len <= LONGEST_KEY)
        return str_take(&key);
    Sha256 *s = sha256_new();
    sha256_add(s, key.p, key.len);
    sha256_finish(s, sum);
    return xasprintf("+%s", sum);
}
