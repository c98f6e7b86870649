/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/ledger.h"

#include <string.h>

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

/* ---- states of targets ---------------------------------------------------------------------------- */

/* Rows of a run that cannot be: a text may be longer than one row's. */
static const char state_key[] = "CONCAT('state ', LEFT(SHA2(?, 256), 32))";
enum { PIECE = 150 };

bool ledger_read_state(Db *db, const char *target, char **ret, Err *err)
{
    AUTOFREE char *sql = xasprintf(
        "SELECT GROUP_CONCAT(SUBSTRING(chunk, 6) ORDER BY chunk SEPARATOR '') FROM siding.ledger WHERE "
        "run_id = %s",
        state_key);
    *ret = NULL;
    return db_value(db, ret, err, sql, "s", target) || no_table(err);
}

bool ledger_set_state(Db *db, const char *target, const char *state, Err *err)
{
    AUTOFREE char *clear = xasprintf("DELETE FROM siding.ledger WHERE run_id = %s", state_key);
    AUTOFREE char *insert =
        xasprintf("INSERT INTO siding.ledger (run_id, chunk, row_count, at) VALUES (%s, ?, 0,"
                  " UTC_TIMESTAMP(3))",
                  state_key);
    bool ok = db_exec(db, err, clear, "s", target);
    size_t n = strlen(state);
    for (size_t at = 0, i = 0; ok && at < n; at += PIECE, i++) {
        AUTOFREE char *piece = xasprintf("%04zu %.*s", i, PIECE, state + at);
        ok = db_exec(db, err, insert, "ss", target, piece);
    }
    return ok || no_table(err);
}
