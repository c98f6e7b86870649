/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_table.h"

bool ledger_open(Db *db, const char *dump, bool overwrite, bool *ret_resumed, Err *err)
{
    AUTOFREE char *other = NULL;
    int64_t n;
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
    if (!db_value_int(db, &n, err, "SELECT COUNT(*) FROM siding_restore.ledger", ""))
        return false;
    *ret_resumed = n > 0;
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
