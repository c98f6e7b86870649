/* SPDX-License-Identifier: Apache-2.0
 * Rows in short transactions, each with its row of the ledger: after any crash both are there or neither is.
 */
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/loadlag.h"
#include "common/progress.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/load/ledger.h"
#include "replica-agent/load/load.h"
#include "replica-agent/load/tsv.h"

enum { FIRST_ROWS = 1000, STATUS_EVERY_MS = 500 };

static void load_statement(const Load *l, Str *out)
{
    str_addf(out, "LOAD DATA LOCAL INFILE 'siding' %sINTO TABLE ", l->o->replace ? "REPLACE " : "");
    db_quote_table(out, l->tables.schema, l->swap ? l->tables.fresh : l->tables.target);
    /* lists of hits are no text */
    str_addf(out, " CHARACTER SET %s", str_eq(l->bundle->layout, "hitlist") ? "binary" : "utf8mb4");
    if (!l->bundle->columns.n)
        return;
    str_adds(out, " (");
    db_quote_ids(out, &l->bundle->columns);
    str_addc(out, ')');
}

/* LOCAL makes the server pass over duplicates and mend bad values with a warning: here each is an error. */
static bool check_warnings(Load *l, int64_t fed, int64_t inserted, Err *err)
{
    DbRows *rows;
    bool more = false, ok = true;
    if (!db_query(l->db, &rows, err, "SHOW WARNINGS", ""))
        return false;
    while (ok && (ok = db_next(rows, &more, err)) && more)
        if (!str_eq(db_text(rows, "Level"), "Note"))
            ok = err_set(err, ERR_DB, (int)db_int(rows, "Code"), "%s: %s", l->bundle->target,
                         db_text(rows, "Message"));
    db_rows_free(rows);
    if (ok && !l->o->replace && fed != inserted)
        return err_set(err, ERR_DB, 0, "%s: the server took %" PRId64 " of %" PRId64 " rows",
                       l->bundle->target, inserted, fed);
    return ok;
}

/* `ret_write_ms` leaves the commit out: its waits, for disk and replicas, do not shrink with the rows. */
static bool one_transaction(Load *l, TsvStream *s, const char *sql, int64_t *ret_rows, int64_t *ret_write_ms,
                            Err *err)
{
    int64_t inserted = 0, begun = clock_mono_ms(), write_ms = 0;
    tsv_portion(s, l->txn_rows, l->o->bytes_per_transaction);
    if (!db_exec(l->db, err, "START TRANSACTION", "") ||
        !db_load_data(l->db, sql, tsv_feed, s, &inserted, err) ||
        !check_warnings(l, tsv_rows_fed(s), inserted, err) ||
        !ledger_add_chunk(l->db, l->o->run, l->chunks + 1, tsv_rows_fed(s), err) ||
        (write_ms = clock_mono_ms() - begun, !db_exec(l->db, err, "COMMIT", ""))) {
        Err ignored;
        (void)!db_exec(l->db, &ignored, "ROLLBACK", "");
        return false;
    }
    l->chunks++;
    *ret_rows = tsv_rows_fed(s);
    *ret_write_ms = write_ms;
    return true;
}

/* ---- throttle ------------------------------------------------------------------------------------ */

static bool read_running(Load *l, Err *err)
{
    DbRows *rows;
    bool more;
    if (clock_mono_ms() - l->last_status_ms < STATUS_EVERY_MS)
        return true;
    if (!db_query(l->db, &rows, err, "SHOW GLOBAL STATUS LIKE 'Threads_running'", ""))
        return false;
    bool ok = db_next(rows, &more, err);
    l->running = ok && more ? db_int(rows, "Value") - 1 : -1; /* less our own */
    db_rows_free(rows);
    l->last_status_ms = clock_mono_ms();
    return ok;
}

/* What the agent has written lately: "milliseconds\n". -1: nothing. */
static int64_t replica_lag(const Load *l)
{
    enum { LATELY_S = 15 };
    Err ignored;
    struct stat st;
    long long lag = -1;
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *path = l->o->work ? xasprintf("%s/" LOAD_LAG_FILE, l->o->work) : NULL;
    if (!path || stat(path, &st) < 0 || time(NULL) - st.st_mtime > LATELY_S ||
        !fs_read(path, 64, &text, &ignored))
        return -1;
    if (text.len && text.p[text.len - 1] == '\n')
        text.p[--text.len] = 0;
    return str_to_i64(str_z(&text), 0, INT64_MAX, &lag) ? lag : -1;
}

static bool wait_while_busy(Load *l, int64_t commit_ms, int64_t done, Err *err)
{
    int64_t since = clock_mono_ms();
    ThrottleInputs in = {.commit_ms = commit_ms};
    for (;;) {
        char reason[160];
        if (!jobctl_check(err) || !read_running(l, err))
            return false;
        in.running = l->running;
        in.lag_ms = replica_lag(l);
        int64_t wait_ms = throttle_wait_ms(&in, &l->o->throttle, reason, sizeof reason);
        if (!wait_ms)
            return true;
        if (clock_mono_ms() - since > l->o->throttle_limit_ms)
            return err_set(err, ERR_REFUSED, 0, "gave up after %lld s of waiting; %s",
                           (long long)l->o->throttle_limit_ms / 1000, reason);
        progress_set(done, l->bundle->rows, reason);
        clock_sleep_ms(wait_ms);
        in.commit_ms = 0;
        l->last_status_ms = 0;
    }
}

static bool rest(Load *l, int64_t ms, int64_t done, Err *err)
{
    if (ms <= 0)
        return true;
    progress_set(done, l->bundle->rows, "loading slowly: the primary has others to serve");
    clock_sleep_ms(ms);
    return jobctl_check(err);
}

/* Rows of an index are sorted: by term, record and field, or term and first record. */
static size_t numbers_of_key(const Load *l)
{
    return str_eq(l->bundle->layout, "postings") ? 2 : str_eq(l->bundle->layout, "hitlist") ? 1 : 0;
}

bool load_rows(Load *l, int64_t loaded, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    load_statement(l, &sql);
    TsvStream *s;
    if (!tsv_open(&l->paths, numbers_of_key(l), loaded, &s, err))
        return false;
    int64_t most = l->o->rows_per_transaction, took_ms = 0;
    if (!l->txn_rows)
        l->txn_rows = most < FIRST_ROWS ? most : FIRST_ROWS;
    bool ok = true;
    while (ok && loaded < l->bundle->rows) {
        int64_t rows = 0, begun = 0, write_ms = 0;
        progress_set(loaded, l->bundle->rows, "loading");
        ok = wait_while_busy(l, took_ms, loaded, err);
        begun = clock_mono_ms();
        ok = ok && one_transaction(l, s, str_z(&sql), &rows, &write_ms, err);
        if (ok && rows == 0)
            ok = err_set(err, ERR_CORRUPT, 0, "the files end after %lld of %lld rows", (long long)loaded,
                         (long long)l->bundle->rows);
        took_ms = clock_mono_ms() - begun;
        throttle_took(&l->pace, rows, write_ms, took_ms - write_ms);
        ok =
            ok && rest(l, throttle_rest_ms(&l->pace, rows, write_ms, took_ms - write_ms), loaded + rows, err);
        l->txn_rows = throttle_next_rows(&l->pace, l->txn_rows, l->o->max_txn_ms, most);
        if (took_ms > l->outcome.longest_txn_ms)
            l->outcome.longest_txn_ms = took_ms;
        loaded += rows;
        l->progress_ms = ok ? clock_mono_ms() : l->progress_ms;
    }
    tsv_close(s);
    return ok;
}
