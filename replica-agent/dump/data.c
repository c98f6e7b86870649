/* SPDX-License-Identifier: Apache-2.0 */
#include "data.h"

#include <pthread.h>
#include <stdio.h>

#include "chunkfile.h"
#include "chunkproof.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/db/flavor.h"
#include "common/db/warnings.h"
#include "common/file/json.h"
#include "common/wire/progress.h"
#include "control.h"

enum { WAIT_MS = 1000, PROGRESS_ROWS = 2000, SHARED_WAIT_MS = 50 };

typedef struct DataRun {
    const DataPlan *plan;
    DumpWork work;
    RateLimit rate_limit;
    pthread_mutex_t lock;
    bool failed;
    Err err; /* the first failure */
} DataRun;

typedef struct DataWorker {
    DataRun *run;
    Db *db;
    pthread_t thread;
    RowReader reader;
    ChunkFile file;
    int64_t unreported; /* rows */
} DataWorker;

/* ---- a chunk -------------------------------------------------------------------------------------- */

static void report(DataWorker *w, TableWork *t)
{
    dumpwork_report(&w->run->work, t, w->unreported);
    w->unreported = 0;
}

static bool take_row(DataWorker *w, RowKind kind, TableWork *t, Err *err)
{
    bool rest;
    bool ok = kind == ROW_BIG ? chunkfile_big_row(&w->file, &w->reader, &rest, err)
                              : chunkfile_row(&w->file, w->reader.values, &rest, err);
    if (!ok)
        return false;
    if (++w->unreported >= PROGRESS_ROWS || kind == ROW_BIG)
        report(w, t);
    return !rest || control_point(err);
}

static bool write_rows(DataWorker *w, TableWork *t, Err *err)
{
    RowKind kind;
    bool ok;
    while ((ok = reader_next(&w->reader, &kind, err)) && kind != ROW_END)
        if (!take_row(w, kind, t, err))
            return false;
    report(w, t);
    return ok;
}

/* Above all of a condition of the user's that compares other things than it says. Where asking for the sum of
 * what was sent has cleared them, the condition is tried again. */
static bool check_warnings(DataWorker *w, const Chunk *c, bool cleared, Err *err)
{
    const char *where = w->run->plan->where;
    AUTO(str_done) Str sql = STR_INIT;
    int64_t n;
    if (cleared && where) {
        chunkplan_count_sql(&sql, c->work->table, &c->after, &c->upto, where);
        if (!db_value_int(w->db, &n, err, sql.p, ""))
            return false;
    }
    return warnings_check(w->db, WARNINGS_OWN, "reading its rows", err);
}

static bool write_chunk(DataWorker *w, const Chunk *c, json_t **ret_files, Err *err)
{
    const DataPlan *plan = w->run->plan;
    AUTO(str_done) Str sql = STR_INIT;
    chunkplan_select_sql(&sql, c->work->table, &c->after, &c->upto, plan->where, plan->verify);
    chunkfile_begin(&w->file, c->work, c->number);
    if (plan->verify && !chunkproof_begin(w->db, err))
        return false;
    if (!reader_open(&w->reader, w->db, sql.p, err))
        return false;
    bool ok = write_rows(w, c->work, err) && chunkfile_end(&w->file, ret_files, err);
    if (!w->reader.whole) {
        Err ignored; /* the server would go on with it */
        (void)!db_kill(plan->target, db_connection_id(w->db), &ignored);
    }
    reader_close(&w->reader);
    return ok;
}

/* What a restore cannot bring back is told. An expression that the server does not take again tells nothing.
 */
static void count_losses(DataWorker *w, const Chunk *c)
{
    const DumpTable *t = c->work->table;
    AUTO(str_done) Str sql = STR_INIT;
    AUTOFREE int64_t *lost = xcalloc(t->n_columns + 1, sizeof(int64_t));
    DbRows *r;
    Err ignored;
    bool more;
    size_t n = 0;
    chunkplan_losses_sql(&sql, t, &c->after, &c->upto, w->run->plan->where);
    if (!db_query(w->db, &r, &ignored, sql.p, ""))
        return;
    if (db_next(r, &more, &ignored) && more)
        for (size_t i = 0; i < t->n_columns; i++)
            if (t->columns[i].lost_if)
                lost[i] = strtoll(db_field(r, n++, NULL), NULL, 10);
    db_rows_free(r);
    dumpwork_lost(&w->run->work, c->work, lost);
}

static bool dump_chunk(DataWorker *w, const Chunk *c, RowSum *ret, Err *err)
{
    const DataPlan *plan = w->run->plan;
    AUTOJSON json_t *files = NULL;
    if (!write_chunk(w, c, &files, err)) {
        chunkfile_drop(&w->file);
        return false;
    }
    *ret = (RowSum){w->file.all_rows, 0};
    /* The sum first: SHOW WARNINGS is a statement that sends rows, and the sum's is none that clears
     * warnings. */
    if ((plan->verify && !chunkproof_sent(w->db, ret, err)) || !check_warnings(w, c, plan->verify, err) ||
        (plan->verify &&
         !chunkproof_files(plan->output, c, files, w->file.buffer, CHUNKFILE_BUFFER, ret, err)))
        return false;
    if (chunkplan_has_losses(c->work->table))
        count_losses(w, c);
    return !plan->journal ||
           journal_add(plan->journal, c->work->table->prefix, c->number, ret, STEAL(files), err);
}

static bool do_chunk(DataWorker *w, const Chunk *c, Err *err)
{
    RowSum sum = {0};
    bool ok = w->run->plan->output ? dump_chunk(w, c, &sum, err)
                                   : chunkproof_read(w->db, c, w->run->plan->where, &sum, err) &&
                                         check_warnings(w, c, false, err);
    if (!ok)
        return err_prefix(err, "%s.%s", c->work->table->database, c->work->table->name);
    if (!w->run->plan->output) {
        w->unreported = sum.rows;
        report(w, c->work);
    }
    return dumpwork_finished(&w->run->work, c, &sum, err);
}

/* ---- threads -------------------------------------------------------------------------------------- */

static bool has_failed(DataRun *run)
{
    pthread_mutex_lock(&run->lock);
    bool failed = run->failed;
    pthread_mutex_unlock(&run->lock);
    return failed;
}

static void fail(DataRun *run, const Err *err)
{
    pthread_mutex_lock(&run->lock);
    if (!run->failed)
        run->err = *err;
    run->failed = true;
    pthread_mutex_unlock(&run->lock);
}

/* Who asks the list again says with it that what it has done counts. A server that has died meanwhile must
 * not be found out when the others have been told of the end, and cannot do it in its place any more. */
static bool is_alive(DataWorker *w, Err *err)
{
    return db_ping(w->db, err) || err_prefix(err, "the server is lost while other replicas finish");
}

static bool work(DataWorker *w, Err *err)
{
    for (;;) {
        Chunk c = {0};
        bool found, wait;
        if (!control_point(err) || !dumpwork_take(&w->run->work, w->db, &c, &found, &wait, err))
            return false;
        if (wait && !has_failed(w->run)) {
            clock_sleep_ms(SHARED_WAIT_MS);
            if (!is_alive(w, err))
                return false;
            continue;
        }
        if (!found || has_failed(w->run)) {
            chunk_done(&c);
            return true;
        }
        bool ok = do_chunk(w, &c, err);
        chunk_done(&c);
        if (!ok)
            return false;
    }
}

static void *worker_main(void *arg)
{
    DataWorker *w = arg;
    Err err;
    db_thread_begin();
    if (!work(w, &err))
        fail(w->run, &err);
    db_thread_end();
    control_worker_end();
    return NULL;
}

static void worker_begin(DataWorker *w, DataRun *run, Db *db)
{
    const DataPlan *plan = run->plan;
    size_t widest = 1;
    for (size_t i = 0; i < run->work.n_tables; i++)
        widest = run->work.tables[i].format.n > widest ? run->work.tables[i].format.n : widest;
    *w = (DataWorker){.run = run, .db = db};
    reader_init(&w->reader, widest + 1); /* the checksum's column */
    w->reader.rate_limit = plan->max_rate ? &run->rate_limit : NULL;
    chunkfile_init(&w->file, plan->output, plan->statement_bytes, &plan->size);
    control_worker_begin();
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
        abort(); /* as out of memory */
}

static void worker_end(DataWorker *w)
{
    pthread_join(w->thread, NULL);
    reader_done(&w->reader);
    chunkfile_done(&w->file);
}

/* Ends what the others are in the middle of: a long statement would keep them for as long as it likes. */
static void kill_statements(DataRun *run)
{
    Snapshot *s = run->plan->snapshot;
    Err ignored;
    for (size_t i = 0; i < s->n_readers; i++)
        (void)!db_kill(run->plan->target, db_connection_id(s->readers[i]), &ignored);
}

static void run_workers(DataRun *run)
{
    Snapshot *s = run->plan->snapshot;
    DataWorker *workers = xcalloc(s->n_readers, sizeof(DataWorker));
    bool killed = false;
    for (size_t i = 0; i < s->n_readers; i++)
        worker_begin(&workers[i], run, s->readers[i]);
    while (control_workers() > 0) {
        control_wait(WAIT_MS);
        if (killed || !(control_stopping() || has_failed(run)))
            continue;
        killed = true;
        if (control_stopping())
            fail(run, &(Err){.kind = ERR_CANCELLED, .text = "stopped by a signal"});
        kill_statements(run);
    }
    for (size_t i = 0; i < s->n_readers; i++)
        worker_end(&workers[i]);
    free(workers);
}

/* ---- all ------------------------------------------------------------------------------------------ */

static void tell_losses(const TableWork *w)
{
    const DumpTable *t = w->table;
    int64_t json = 0;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!t->columns[i].generated)
            json += w->lost[i];
        else if (w->lost[i])
            fprintf(
                stderr,
                "siding-dump: note: %s.%s: %lld values of the stored column %s were computed in another time "
                "zone: a restore computes them anew, in +00:00\n",
                t->database, t->name, (long long)w->lost[i], t->columns[i].name);
    }
    if (json)
        text_print(
            stderr,
            "siding-dump: note: %s.%s: %lld values of JSON columns hold decimals, dates or bytes, which "
            "JSON's "
            "text does not tell from numbers and strings: a restore has those\n",
            t->database, t->name, (long long)json);
}

/* Of ENUM and SET columns. */
static bool has_numbers(const DumpTable *t)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].by_number)
            return true;
    return false;
}

static json_t *describe_table(const TableWork *t, const DataPlan *plan)
{
    bool summed = !plan->output || plan->verify;
    json_t *j = json_object();
    json_set_str(j, "database", t->table->database);
    json_set_str(j, "table", t->table->name);
    json_set_str(j, "files", t->table->prefix);
    json_set_str(j, "engine", t->table->engine);
    json_set_int(j, "rows", t->sum.rows);
    AUTOFREE char *sum = summed ? rowsum_text(&t->sum) : NULL;
    json_object_set_new(j, "checksum", sum ? json_string(sum) : json_null());
    json_set_str(j, "checksum_kind", "rowcheck");
    json_set_bool(j, "verified", summed);
    json_set_bool(j, "members_by_number", has_numbers(t->table));
    if (plan->format == FORMAT_TSV) {
        AUTO(str_done) Str load = STR_INIT;
        format_load_data(&load, t->table);
        json_set_str(j, "load", str_z(&load));
        if (t->table->versioned)
            json_set_str(j, "load_session", dumpwork_history_sql);
    }
    return j;
}

bool data_dump(const DataPlan *plan, json_t **ret, int64_t *ret_kept, Err *err)
{
    DataRun run = {.plan = plan};
    DumpWorkPlan wp = {.format = plan->format,
                       .size = plan->size,
                       .threads = plan->snapshot->n_readers,
                       .where = plan->where,
                       .load_session = flavor_of(db_version(plan->snapshot->control)->flavor)->load_session,
                       .journal = plan->journal,
                       .split = plan->split};
    dumpwork_init(&run.work, plan->catalogue, &wp);
    pthread_mutex_init(&run.lock, NULL);
    rate_limit_init(&run.rate_limit, plan->max_rate);
    progress_set(0, run.work.total_bytes, "");
    run.failed = plan->split.list && !dumpwork_join(&run.work, plan->split.identity, &run.err);
    if (!run.failed)
        run_workers(&run);
    if (!run.failed) {
        AUTOFREE char *note = xasprintf("%lld rows in all", (long long)run.work.done_rows);
        progress_set(run.work.done_bytes, run.work.done_bytes, note);
        *ret_kept = run.work.kept_rows;
        *ret = json_array();
        for (size_t i = 0; i < run.work.n_tables; i++)
            tell_losses(&run.work.tables[i]);
        for (size_t i = 0; i < run.work.n_tables; i++)
            json_array_append_new(*ret, describe_table(&run.work.tables[i], plan));
    } else {
        *err = run.err;
    }
    dumpwork_done(&run.work);
    rate_limit_done(&run.rate_limit);
    pthread_mutex_destroy(&run.lock);
    return !run.failed;
}
