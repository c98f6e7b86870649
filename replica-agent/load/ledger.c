/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/ledger.h"

static bool no_table(Err *err)
{
    if (err->code == 1146 || err->code == 1049)
        return err_set(err, ERR_REFUSED, err->code,
                       "the primary has no table siding.ledger: run \"siding bootstrap\"");
    return err_prefix(err, "siding.ledger");
}

bool ledger_read(Db *db, const char *run, Ledger *ret, Err *err)
{
    DbRows *rows;
    bool more = false;
    if (!db_query(
            db, &rows, err,
            "SELECT CAST(COALESCE(SUM(IF(chunk LIKE 'rows-%', row_count, 0)), 0) AS SIGNED) AS loaded,"
            " COUNT(IF(chunk LIKE 'rows-%', 1, NULL)) AS chunks, COUNT(IF(chunk = 'verified', 1, NULL)) AS"
            " verified, COUNT(IF(chunk = 'finished', 1, NULL)) AS finished FROM siding.ledger"
            " WHERE run_id = ?",
            "s", run))
        return no_table(err);
    bool ok = db_next(rows, &more, err);
    if (ok && more)
        *ret = (Ledger){.rows = db_int(rows, "loaded"),
                        .chunks = db_int(rows, "chunks"),
                        .verified = db_int(rows, "verified") > 0,
                        .finished = db_int(rows, "finished") > 0};
    db_rows_free(rows);
    return ok;
}

static bool add(Db *db, const char *run, const char *chunk, int64_t rows, Err *err)
{
    return db_exec(
               db, err,
               "INSERT INTO siding.ledger (run_id, chunk, row_count, at) VALUES (?, ?, ?, UTC_TIMESTAMP(3))",
               "ssi", run, chunk, rows) ||
           no_table(err);
}

bool ledger_add_chunk(Db *db, const char *run, int64_t number, int64_t rows, Err *err)
{
    AUTOFREE char *chunk = xasprintf("rows-%08lld", (long long)number);
    return add(db, run, chunk, rows, err);
}

bool ledger_set_verified(Db *db, const char *run, int64_t rows, Err *err)
{
    return add(db, run, "verified", rows, err);
}

bool ledger_clear(Db *db, const char *run, Err *err)
{
    return db_exec(db, err, "DELETE FROM siding.ledger WHERE run_id = ?", "s", run) || no_table(err);
}

bool ledger_finish(Db *db, const char *run, int64_t rows, Err *err)
{
    return db_exec(db, err, "START TRANSACTION", "") && ledger_clear(db, run, err) &&
           add(db, run, "finished", rows, err) && db_exec(db, err, "COMMIT", "");
}
