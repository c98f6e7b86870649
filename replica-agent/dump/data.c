/* SPDX-License-Identifier: Apache-2.0 */
#include "data.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/flavor.h"
#include "common/json.h"
#include "common/progress.h"
#include "common/rowsum.h"
#include "control.h"
#include "format.h"
#include "plan.h"

enum { WAIT_MS = 1000, PROGRESS_ROWS = 2000 };

typedef struct TableWork {
    const Table *table;
    int64_t chunk_rows;
    ValueKind *kinds; /* of the stored columns */
    size_t n_kinds;
    pthread_mutex_t lock; /* guards the walk: after, next_chunk, exhausted */
    Bound after;
    size_t next_chunk;
    bool exhausted;
    RowSum sum;        /* of finished chunks; guarded by Run.lock */
    int64_t rows_read; /* of begun chunks too; guarded by Run.lock */
} TableWork;

typedef struct Run {
    const DataPlan *plan;
    TableWork *tables;
    size_t n_tables;
    pthread_mutex_t lock;
    int64_t done_rows, total_rows;
    bool failed;
    Err err; /* the first failure */
} Run;

typedef struct Chunk {
    TableWork *work;
    Bound after, upto;
    size_t number;
} Chunk;

typedef struct Worker {
    Run *run;
    Db *db;
    pthread_t thread;
    Str statement;
    Value *values;
    RowSumField *fields;
    int64_t unreported; /* rows */
} Worker;

static void chunk_done(Chunk *c)
{
    strlist_done(&c->after);
    strlist_done(&c->upto);
}

static void bound_copy(Bound *to, const Bound *from)
{
    strlist_done(to);
    for (size_t i = 0; i < from->n; i++)
        strlist_add(to, from->v[i]);
}

/* ---- taking chunks -------------------------------------------------------------------------------- */

/* *ret stays empty where the table ends before another whole chunk. */
static bool walk(TableWork *t, Db *db, Bound *ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    plan_walk_sql(&sql, t->table, &t->after, t->chunk_rows);
    DbRows *r;
    bool more;
    if (!db_query(db, &r, err, sql.p, ""))
        return false;
    bool ok = db_next(r, &more, err);
    for (size_t i = 0; ok && more && i < t->table->key.n_parts; i++) {
        size_t n;
        const char *p = db_field(r, i, &n);
        AUTO(str_done) Str literal = STR_INIT;
        plan_literal(&literal, &t->table->columns[t->table->key.parts[i].column], p, n);
        strlist_add(ret, str_z(&literal));
    }
    db_rows_free(r);
    return ok;
}

static bool next_chunk(TableWork *t, Db *db, Chunk *ret, Err *err)
{
    Chunk c = {.work = t, .number = t->next_chunk};
    if (plan_is_cut(t->table) && !walk(t, db, &c.upto, err))
        return false;
    bound_copy(&c.after, &t->after);
    bound_copy(&t->after, &c.upto);
    t->exhausted = c.upto.n == 0;
    t->next_chunk++;
    *ret = c;
    return true;
}

/* `wait` false: tables that another worker is walking are passed over and counted in *ret_busy. */
static bool try_tables(Run *run, Db *db, bool wait, Chunk *ret, bool *ret_found, size_t *ret_busy, Err *err)
{
    *ret_found = false;
    *ret_busy = 0;
    for (size_t i = 0; i < run->n_tables && !*ret_found; i++) {
        TableWork *t = &run->tables[i];
        if (wait) {
            pthread_mutex_lock(&t->lock);
        } else if (pthread_mutex_trylock(&t->lock) != 0) {
            ++*ret_busy;
            continue;
        }
        bool ok = true;
        if (!t->exhausted) {
            ok = next_chunk(t, db, ret, err);
            *ret_found = ok;
            if (!ok)
                err_prefix(err, "%s.%s", t->table->database, t->table->name);
        }
        pthread_mutex_unlock(&t->lock);
        if (!ok)
            return false;
    }
    return true;
}

static bool take_chunk(Run *run, Db *db, Chunk *ret, bool *ret_found, Err *err)
{
    size_t busy;
    if (!try_tables(run, db, false, ret, ret_found, &busy, err))
        return false;
    return *ret_found || !busy || try_tables(run, db, true, ret, ret_found, &busy, err);
}

/* ---- reading and writing a chunk ------------------------------------------------------------------ */

static void report(Worker *w, TableWork *t, bool now)
{
    if (!now && w->unreported < PROGRESS_ROWS)
        return;
    Run *run = w->run;
    pthread_mutex_lock(&run->lock);
    int64_t before = t->rows_read > t->table->rows_estimate ? t->rows_read : t->table->rows_estimate;
    t->rows_read += w->unreported;
    int64_t after = t->rows_read > t->table->rows_estimate ? t->rows_read : t->table->rows_estimate;
    run->done_rows += w->unreported;
    run->total_rows += after - before;
    progress_set(run->done_rows, run->total_rows, t->table->name);
    pthread_mutex_unlock(&run->lock);
    w->unreported = 0;
}

static bool has_type(const Table *t, const char *type)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (str_eq(t->columns[i].type, type))
            return true;
    return false;
}

/* Strict, so that a load can lose nothing in silence; but an ENUM's index 0 comes back only without. */
static void file_head(Str *out, const Table *t, const Flavor *f)
{
    str_addf(out,
             "/*!40101 SET NAMES binary*/;\n/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n"
             "/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES%s'*/;\n"
             "/*!40103 SET TIME_ZONE='+00:00'*/;\n",
             has_type(t, "enum") ? "" : ",STRICT_ALL_TABLES");
    if (f->load_session)
        str_addf(out, "%s;\n", f->load_session);
}

static bool flush_statement(Worker *w, OutFile *f, Err *err)
{
    if (!w->statement.len)
        return true;
    str_adds(&w->statement, ";\n");
    bool ok = gz_write(f->gz, w->statement.p, w->statement.len, err);
    str_clear(&w->statement);
    return ok;
}

static void take_row(Worker *w, const DbRows *r, const TableWork *t, RowSum *sum)
{
    for (size_t i = 0; i < t->n_kinds; i++) {
        w->values[i].p = db_field(r, i, &w->values[i].n);
        w->fields[i] = (RowSumField){w->values[i].p, w->values[i].n};
    }
    rowsum_add(sum, w->fields, t->n_kinds);
    w->unreported++;
    if (w->statement.len)
        str_add(&w->statement, ",\n", 2);
    else
        format_insert_head(&w->statement, t->table);
    format_row(&w->statement, t->kinds, w->values, t->n_kinds);
}

static bool write_rows(Worker *w, DbRows *r, TableWork *t, OutFile *f, RowSum *sum, Err *err)
{
    bool more;
    file_head(&w->statement, t->table, flavor_of(db_version(w->db)->flavor));
    bool ok = gz_write(f->gz, w->statement.p, w->statement.len, err);
    str_clear(&w->statement);
    while (ok && (ok = db_next(r, &more, err)) && more) {
        take_row(w, r, t, sum);
        if ((int64_t)w->statement.len >= w->run->plan->statement_bytes)
            ok = flush_statement(w, f, err) && control_point(err);
        report(w, t, false);
    }
    return ok && flush_statement(w, f, err);
}

/* Freeing a result that is not at its end would read it to its end. */
static void abandon_rows(Worker *w, DbRows *r)
{
    Err ignored;
    (void)!db_kill(w->run->plan->target, db_connection_id(w->db), &ignored);
    db_rows_free(r);
}

static bool write_chunk(Worker *w, const Chunk *c, RowSum *sum, Err *err)
{
    TableWork *t = c->work;
    AUTO(str_done) Str sql = STR_INIT;
    plan_select_sql(&sql, t->table, &c->after, &c->upto);
    OutFile f;
    DbRows *r;
    if (!output_begin(w->run->plan->output, &f, err))
        return false;
    if (!db_stream(w->db, &r, err, sql.p)) {
        output_drop(&f);
        return false;
    }
    str_clear(&w->statement);
    if (!write_rows(w, r, t, &f, sum, err)) {
        abandon_rows(w, r);
        output_drop(&f);
        return false;
    }
    db_rows_free(r);
    if (sum->rows == 0) {
        output_drop(&f);
        return true;
    }
    AUTOFREE char *name = xasprintf("%s.%05zu.sql", t->table->prefix, c->number);
    return output_commit(w->run->plan->output, &f, name, sum->rows, err);
}

static bool server_sum(Worker *w, const Chunk *c, RowSum *ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    plan_sum_sql(&sql, c->work->table, &c->after, &c->upto);
    AUTOFREE char *text = NULL;
    if (!db_value(w->db, &text, err, sql.p, ""))
        return false;
    if (!text || sscanf(text, "%" SCNd64 ":%" SCNu64, &ret->rows, &ret->sum) != 2)
        return err_set(err, ERR_PROTOCOL, 0, "the server's checksum \"%s\" is none", text ? text : "NULL");
    return true;
}

static bool verify_chunk(Worker *w, const Chunk *c, const RowSum *sum, Err *err)
{
    RowSum theirs;
    if (!server_sum(w, c, &theirs, err))
        return false;
    if (theirs.rows == sum->rows && theirs.sum == sum->sum)
        return true;
    AUTOFREE char *a = rowsum_text(sum), *b = rowsum_text(&theirs);
    return err_set(err, ERR_CORRUPT, 0,
                   "part %zu differs from the table: %s rows:checksum were written, the server has %s",
                   c->number, a, b);
}

static bool do_chunk(Worker *w, const Chunk *c, Err *err)
{
    const DataPlan *plan = w->run->plan;
    RowSum sum = {0};
    bool ok = plan->output ? write_chunk(w, c, &sum, err) && (!plan->verify || verify_chunk(w, c, &sum, err))
                           : server_sum(w, c, &sum, err);
    if (!ok)
        return err_prefix(err, "%s.%s", c->work->table->database, c->work->table->name);
    if (!plan->output)
        w->unreported = sum.rows;
    report(w, c->work, true);
    pthread_mutex_lock(&w->run->lock);
    c->work->sum.rows += sum.rows;
    c->work->sum.sum += sum.sum;
    pthread_mutex_unlock(&w->run->lock);
    return true;
}

/* ---- threads -------------------------------------------------------------------------------------- */

static bool has_failed(Run *run)
{
    pthread_mutex_lock(&run->lock);
    bool failed = run->failed;
    pthread_mutex_unlock(&run->lock);
    return failed;
}

static void fail(Run *run, const Err *err)
{
    pthread_mutex_lock(&run->lock);
    if (!run->failed)
        run->err = *err;
    run->failed = true;
    pthread_mutex_unlock(&run->lock);
}

static bool work(Worker *w, Err *err)
{
    for (;;) {
        Chunk c = {0};
        bool found;
        if (!control_point(err) || !take_chunk(w->run, w->db, &c, &found, err))
            return false;
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
    Worker *w = arg;
    Err err;
    db_thread_begin();
    if (!work(w, &err))
        fail(w->run, &err);
    db_thread_end();
    control_worker_end();
    return NULL;
}

static void worker_begin(Worker *w, Run *run, Db *db)
{
    size_t widest = 1;
    for (size_t i = 0; i < run->n_tables; i++)
        widest = run->tables[i].n_kinds > widest ? run->tables[i].n_kinds : widest;
    *w = (Worker){.run = run, .db = db};
    w->values = xcalloc(widest, sizeof(Value));
    w->fields = xcalloc(widest, sizeof(RowSumField));
    control_worker_begin();
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
        abort(); /* as out of memory */
}

static void worker_end(Worker *w)
{
    pthread_join(w->thread, NULL);
    str_done(&w->statement);
    free(w->values);
    free(w->fields);
}

/* Ends what the others are in the middle of: a long statement would keep them for as long as it likes. */
static void kill_statements(Run *run)
{
    Snapshot *s = run->plan->snapshot;
    Err ignored;
    for (size_t i = 0; i < s->n_readers; i++)
        (void)!db_kill(run->plan->target, db_connection_id(s->readers[i]), &ignored);
}

static void run_workers(Run *run)
{
    Snapshot *s = run->plan->snapshot;
    Worker *workers = xcalloc(s->n_readers, sizeof(Worker));
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

static void run_begin(Run *run, const DataPlan *plan)
{
    *run = (Run){.plan = plan};
    pthread_mutex_init(&run->lock, NULL);
    Table **order = plan_order(plan->catalogue, &run->n_tables);
    run->tables = xcalloc(run->n_tables, sizeof(TableWork));
    for (size_t i = 0; i < run->n_tables; i++) {
        TableWork *t = &run->tables[i];
        t->table = order[i];
        t->chunk_rows = plan_chunk_rows(order[i], plan->chunk_bytes);
        t->kinds = xcalloc(order[i]->n_columns, sizeof(ValueKind));
        for (size_t c = 0; c < order[i]->n_columns; c++)
            if (!order[i]->columns[c].generated)
                t->kinds[t->n_kinds++] = order[i]->columns[c].kind;
        pthread_mutex_init(&t->lock, NULL);
        run->total_rows += order[i]->rows_estimate;
    }
    free(order);
}

static void run_end(Run *run)
{
    for (size_t i = 0; i < run->n_tables; i++) {
        free(run->tables[i].kinds);
        strlist_done(&run->tables[i].after);
        pthread_mutex_destroy(&run->tables[i].lock);
    }
    free(run->tables);
    pthread_mutex_destroy(&run->lock);
}

static json_t *describe(const Run *run)
{
    json_t *all = json_array();
    for (size_t i = 0; i < run->n_tables; i++) {
        const TableWork *t = &run->tables[i];
        AUTOFREE char *sum = rowsum_text(&t->sum);
        json_t *j = json_object();
        json_set_str(j, "database", t->table->database);
        json_set_str(j, "table", t->table->name);
        json_set_str(j, "files", t->table->prefix);
        json_set_int(j, "rows", t->sum.rows);
        json_set_str(j, "checksum", sum);
        json_set_str(j, "checksum_kind", "rowsum");
        json_set_bool(j, "verified", !run->plan->output || run->plan->verify);
        json_array_append_new(all, j);
    }
    return all;
}

bool data_dump(const DataPlan *plan, json_t **ret, Err *err)
{
    Run run;
    run_begin(&run, plan);
    progress_set(0, run.total_rows, "");
    run_workers(&run);
    bool ok = !run.failed;
    if (ok) {
        progress_set(run.done_rows, run.done_rows, "");
        *ret = describe(&run);
    } else {
        *err = run.err;
    }
    run_end(&run);
    return ok;
}
