/* SPDX-License-Identifier: Apache-2.0
 * Rows in short transactions, each with its row of the ledger: after any crash both are there or neither is.
 */
#include <inttypes.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/db/warnings.h"
#include "common/file/fs.h"
#include "common/wire/loadlag.h"
#include "common/wire/progress.h"
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

/* ---- transactions --------------------------------------------------------------------------------- */

/* While one connection commits, which is waiting for disk and replicas, the other writes the next rows. It
 * commits only when the one before has: what is in the ledger has no gap. */
typedef struct ChunkWriter {
    Db *db;
    int64_t rows, begun_ms, write_ms, commit_begun_ms, commit_ms;
    pthread_t thread;
    bool threaded, committing, ok;
    Err err;
} ChunkWriter;

/* LOCAL makes the server pass over duplicates and mend bad values with a warning: here each is an error. */
static bool check_warnings(const Load *l, const ChunkWriter *writer, int64_t inserted, Err *err)
{
    if (!warnings_check(writer->db, WARNINGS_LOAD, l->bundle->target, err))
        return false;
    if (!l->o->replace && writer->rows != inserted)
        return err_set(err, ERR_DB, 0, "%s: the server took %" PRId64 " of %" PRId64 " rows",
                       l->bundle->target, inserted, writer->rows);
    return true;
}

/* In the first transaction: with the first row that is replaced the target holds this run's state. */
static bool note_state(Load *l, ChunkWriter *writer, Err *err)
{
    if (!l->state)
        return true;
    AUTOFREE char *target = xasprintf("%s.%s", l->tables.schema, l->tables.target);
    bool ok = ledger_set_state(writer->db, target, l->state, err);
    free(l->state);
    l->state = NULL;
    return ok;
}

static bool write_rows(Load *l, ChunkWriter *writer, TsvStream *s, const char *sql, Err *err)
{
    int64_t inserted = 0;
    writer->begun_ms = clock_mono_ms();
    tsv_portion(s, l->txn_rows, l->o->bytes_per_transaction);
    bool ok = db_exec(writer->db, err, "START TRANSACTION", "") &&
              db_load_data(writer->db, sql, tsv_feed, s, &inserted, err);
    writer->rows = tsv_rows_fed(s);
    ok = ok && check_warnings(l, writer, inserted, err) &&
         ledger_add_chunk(writer->db, l->o->run, l->chunks + 1, writer->rows, err) &&
         note_state(l, writer, err);
    writer->write_ms = clock_mono_ms() - writer->begun_ms;
    return ok;
}

static void commit(ChunkWriter *writer)
{
    writer->commit_begun_ms = clock_mono_ms();
    writer->ok = db_exec(writer->db, &writer->err, "COMMIT", "");
    writer->commit_ms = clock_mono_ms() - writer->commit_begun_ms;
}

static void *commit_main(void *arg)
{
    db_thread_begin();
    commit(arg);
    db_thread_end();
    return NULL;
}

static void begin_commit(Load *l, ChunkWriter *writer)
{
    writer->committing = true;
    l->chunks++;
    jobctl_block();
    writer->threaded = pthread_create(&writer->thread, NULL, commit_main, writer) == 0;
    jobctl_unblock();
    if (!writer->threaded)
        commit(writer);
}

/* The commit that is under way, if there is one: its rows are in the server then. */
static bool await_commit(Load *l, ChunkWriter *writer, int64_t *done, Err *err)
{
    if (!writer->committing)
        return true;
    if (writer->threaded)
        pthread_join(writer->thread, NULL);
    writer->committing = false;
    if (!writer->ok) {
        *err = writer->err;
        return false;
    }
    int64_t took_ms = writer->commit_begun_ms - writer->begun_ms + writer->commit_ms;
    if (took_ms > l->outcome.longest_txn_ms)
        l->outcome.longest_txn_ms = took_ms;
    l->progress_ms = clock_mono_ms();
    *done += writer->rows;
    return true;
}

/* ---- throttle ------------------------------------------------------------------------------------ */

static bool read_running(Load *l, Db *db, Err *err)
{
    DbRows *rows;
    bool more;
    if (clock_mono_ms() - l->last_status_ms < STATUS_EVERY_MS)
        return true;
    if (!db_query(db, &rows, err, "SHOW GLOBAL STATUS LIKE 'Threads_running'", ""))
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

static bool wait_while_busy(Load *l, const ChunkWriter *writer, int64_t done, Err *err)
{
    int64_t since = clock_mono_ms();
    ThrottleInputs in = {.commit_ms = writer->commit_ms};
    for (;;) {
        char reason[160];
        if (!jobctl_check(err) || !read_running(l, writer->db, err))
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

/* Rows of an index are sorted: by term, record and field, or term and first record. */
static size_t numbers_of_key(const Load *l)
{
    return str_eq(l->bundle->layout, "postings") ? 2 : str_eq(l->bundle->layout, "hitlist") ? 1 : 0;
}

static bool rest(Load *l, const ChunkWriter *ended, int64_t done, Err *err)
{
    int64_t ms = throttle_rest_ms(&l->pace, ended->rows, ended->write_ms, ended->commit_ms);
    if (ms <= 0)
        return true;
    progress_set(done, l->bundle->rows, "loading slowly: the primary has others to serve");
    clock_sleep_ms(ms);
    return jobctl_check(err);
}

/* One transaction, and the end of the one before it. */
static bool turn(Load *l, ChunkWriter *writer, ChunkWriter *before, TsvStream *s, const char *sql,
                 int64_t *done, Err *err)
{
    bool had = before->committing;
    progress_set(*done, l->bundle->rows, "loading");
    if (!wait_while_busy(l, writer, *done, err) || !write_rows(l, writer, s, sql, err) ||
        !await_commit(l, before, done, err))
        return false;
    if (writer->rows == 0)
        return err_set(err, ERR_CORRUPT, 0, "the files end after %lld of %lld rows", (long long)*done,
                       (long long)l->bundle->rows);
    begin_commit(l, writer);
    if (!had)
        return true;
    throttle_took(&l->pace, before->rows, before->write_ms, before->commit_ms);
    l->txn_rows = throttle_next_rows(&l->pace, l->txn_rows, l->o->max_txn_ms, l->o->rows_per_transaction);
    return rest(l, before, *done, err);
}

/* What was begun is no more when this returns, or its connection is lost. */
static void give_up(Load *l, ChunkWriter writers[2])
{
    Err ignored;
    int64_t done = 0;
    for (int i = 0; i < 2; i++)
        if (!writers[i].committing || !await_commit(l, &writers[i], &done, &ignored))
            (void)!db_exec(writers[i].db, &ignored, "ROLLBACK", "");
}

bool load_rows(Load *l, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    load_statement(l, &sql);
    TsvStream *s;
    Db *second;
    Ledger ledger;
    if (!load_connect(l, 2, &second, err))
        return false;
    /* Not before both locks are held: a killed loader's second session may be at its COMMIT until then. */
    if (!ledger_read(l->db, l->o->run, &ledger, err) ||
        !tsv_open(&l->paths, numbers_of_key(l), ledger.rows, &s, err)) {
        db_close(second);
        return false;
    }
    l->chunks = ledger.chunks;
    int64_t most = l->o->rows_per_transaction, loaded = ledger.rows, done = loaded;
    if (!l->txn_rows)
        l->txn_rows = most < FIRST_ROWS ? most : FIRST_ROWS;
    ChunkWriter writers[2] = {{.db = l->db}, {.db = second}};
    bool ok = true;
    for (int i = 0; ok && loaded < l->bundle->rows; i = !i) {
        ok = turn(l, &writers[i], &writers[!i], s, str_z(&sql), &done, err);
        loaded += writers[i].rows;
    }
    ok = ok && await_commit(l, &writers[0], &done, err) && await_commit(l, &writers[1], &done, err);
    if (!ok)
        give_up(l, writers);
    tsv_close(s);
    db_close(second);
    return ok;
}
