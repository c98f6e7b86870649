/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_table.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/file/sha256.h"

enum { MOST_WORKERS = 256, LOOK_MS = 50, LONGEST_KEY = 255 };

/* ---- locks ---------------------------------------------------------------------------------------- */

static bool take(Db *db, const char *name, int64_t wait_s, bool *ret, Err *err)
{
    int64_t got;
    if (!db_value_int(db, &got, err, "SELECT COALESCE(GET_LOCK(?, ?), 0)", "si", name, wait_s))
        return false;
    *ret = got == 1;
    return true;
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

bool ledger_lock(Db *db, int64_t wait_ms, Err *err)
{
    enum { GONE_S = 3 }; /* the server needs a moment to see that a client was killed */
    bool got;
    if (!take(db, "siding_restore", GONE_S, &got, err))
        return false;
    if (!got)
        return err_set(err, ERR_REFUSED, 0,
                       "another siding-restore is at work in this server: wait for its end");
    return wait_workers(db, wait_ms, err);
}

bool ledger_lock_worker(Db *db, size_t number, Err *err)
{
    AUTOFREE char *name = xasprintf("siding_restore.%zu", number);
    bool got;
    if (!take(db, name, 1, &got, err))
        return false;
    return got || err_set(err, ERR_CONFLICT, 0, "the lock %s is held by somebody else", name);
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

bool ledger_marks(Db *db, const char *dump, bool *ret_begun, json_t **ret, Err *err)
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

bool ledger_open(Db *db, const char *dump, bool overwrite, Err *err)
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
    return ledger_write(db, dump, "", &(FilePlace){0, false}, err);
}

bool ledger_read(Db *db, const char *dump, const char *file, FilePlace *ret, Err *err)
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

bool ledger_write(Db *db, const char *dump, const char *file, const FilePlace *place, Err *err)
{
    return db_exec(db, err, "REPLACE INTO siding_restore.ledger VALUES (?, ?, ?, ?)", "ssii", dump, file,
                   place->statements, (int64_t)place->done);
}

bool ledger_forget(Db *db, const char *dump, const char *file, Err *err)
{
    return db_exec(db, err, "DELETE FROM siding_restore.ledger WHERE dump = ? AND file = ?", "ss", dump,
                   file);
}

bool ledger_drop(Db *db, Err *err)
{
    return db_exec(db, err, "DROP DATABASE siding_restore", "");
}

char *ledger_mark(const char *kind, const char *database, const char *name)
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
