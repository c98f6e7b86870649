/* SPDX-License-Identifier: Apache-2.0 */
#include "dumpwork.h"

#include <string.h>

#include "common/wire/progress.h"

void chunk_done(Chunk *c)
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

/* ---- begin and end -------------------------------------------------------------------------------- */

/* Of several replicas each has about its share. */
static int64_t rows_expected(const DumpWork *w, const TableWork *t)
{
    return t->table->rows_estimate / (int64_t)w->shards;
}

/* Rows of unlike tables take unlike time: what is left is counted in bytes. */
static int64_t row_bytes(const DumpTable *t)
{
    int64_t n = t->rows_estimate > 0 ? t->bytes_estimate / t->rows_estimate : 0;
    return n > 0 ? n : 100;
}

static bool has_type(const DumpTable *t, const char *type)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (str_eq(t->columns[i].type, type))
            return true;
    return false;
}

const char *const dumpwork_history_sql = "SET @@session.system_versioning_insert_history=1";

static bool has_generated(const DumpTable *t)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].generated)
            return true;
    return false;
}

/* Strict, so that a load can lose nothing in silence; but an ENUM's index 0 comes back only without, and so
 * does a generated value that the server has cut once. */
static void file_head(Str *out, const DumpTable *t, const char *load_session)
{
    str_addf(out,
             "/*!40101 SET NAMES binary*/;\n/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n"
             "/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES%s'*/;\n"
             "/*!40103 SET TIME_ZONE='+00:00'*/;\n",
             has_type(t, "enum") || has_generated(t) ? "" : ",STRICT_ALL_TABLES");
    if (load_session)
        str_addf(out, "%s;\n", load_session);
    if (t->versioned)
        str_addf(out, "%s;\n", dumpwork_history_sql);
}

static void table_init(TableWork *w, const DumpTable *t, const DumpWorkPlan *plan)
{
    ValueKind *kinds = xcalloc(t->n_columns + 1, sizeof(ValueKind));
    *w = (TableWork){.table = t, .format = {.kind = plan->format, .kinds = kinds}};
    for (size_t i = 0; i < t->n_columns; i++)
        if (!t->columns[i].generated)
            kinds[w->format.n++] = t->columns[i].kind;
    if (plan->format == FORMAT_SQL) {
        file_head(&w->file_head, t, plan->load_session);
        format_insert_head(&w->insert_head, t);
    }
    w->lost = xcalloc(t->n_columns + 1, sizeof(int64_t));
    pthread_mutex_init(&w->lock, NULL);
}

void dumpwork_init(DumpWork *w, Catalogue *c, const DumpWorkPlan *plan)
{
    *w = (DumpWork){.threads = plan->threads,
                    .size = plan->size,
                    .where = plan->where,
                    .journal = plan->journal,
                    .split = plan->split.list,
                    .shards = plan->split.list ? plan->split.shards : 1};
    pthread_mutex_init(&w->lock, NULL);
    DumpTable **order = chunkplan_order(c, &w->n_tables);
    w->tables = xcalloc(w->n_tables + 1, sizeof(TableWork));
    for (size_t i = 0; i < w->n_tables; i++) {
        table_init(&w->tables[i], order[i], plan);
        w->total_bytes += rows_expected(w, &w->tables[i]) * row_bytes(order[i]);
    }
    free(order);
}

void dumpwork_done(DumpWork *w)
{
    for (size_t i = 0; i < w->n_tables; i++) {
        TableWork *t = &w->tables[i];
        free((void *)(uintptr_t)t->format.kinds);
        free(t->lost);
        str_done(&t->file_head);
        str_done(&t->insert_head);
        strlist_done(&t->after);
        pthread_mutex_destroy(&t->lock);
    }
    free(w->tables);
    pthread_mutex_destroy(&w->lock);
}

/* ---- counting ------------------------------------------------------------------------------------- */

static void count(DumpWork *w, TableWork *t, int64_t rows)
{
    int64_t estimate = rows_expected(w, t);
    int64_t before = t->rows > estimate ? t->rows : estimate;
    t->rows += rows;
    int64_t after = t->rows > estimate ? t->rows : estimate;
    w->done_rows += rows;
    w->done_bytes += rows * row_bytes(t->table);
    w->total_bytes += (after - before) * row_bytes(t->table);
}

void dumpwork_report(DumpWork *w, TableWork *t, int64_t rows)
{
    pthread_mutex_lock(&w->lock);
    count(w, t, rows);
    AUTOFREE char *note =
        xasprintf("%s.%s, %lld rows in all", t->table->database, t->table->name, (long long)w->done_rows);
    progress_set(w->done_bytes, w->total_bytes, note);
    pthread_mutex_unlock(&w->lock);
}

/* A table that is at its end is known exactly: what is left of its estimate counts no more. */
static void settle(DumpWork *w, TableWork *t)
{
    int64_t expected = rows_expected(w, t);
    if (!t->exhausted || t->open_chunks || t->rows >= expected)
        return;
    w->total_bytes -= (expected - t->rows) * row_bytes(t->table);
}

static void finished(DumpWork *w, TableWork *t, const RowSum *sum)
{
    pthread_mutex_lock(&w->lock);
    rowsum_join(&t->sum, sum);
    t->open_chunks--;
    settle(w, t);
    pthread_mutex_unlock(&w->lock);
}

void dumpwork_lost(DumpWork *w, TableWork *t, const int64_t *lost)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < t->table->n_columns; i++)
        t->lost[i] += lost[i];
    pthread_mutex_unlock(&w->lock);
}

bool dumpwork_finished(DumpWork *w, const Chunk *c, const RowSum *sum, Err *err)
{
    finished(w, c->work, sum);
    return !w->split || splitwork_done(w->split, c->work->table->prefix, (int64_t)c->number, err);
}

/* ---- taking chunks -------------------------------------------------------------------------------- */

/* *ret stays empty where the table ends before another whole chunk. */
static bool walk(const DumpWork *w, const TableWork *t, Db *db, const Bound *after, int64_t rows, Bound *ret,
                 Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    chunkplan_walk_sql(&sql, t->table, after, rows, w->where);
    DbRows *r;
    bool more;
    if (!db_query(db, &r, err, sql.p, ""))
        return false;
    bool ok = db_next(r, &more, err);
    for (size_t i = 0; ok && more && i < t->table->key.n_parts; i++) {
        size_t n;
        const char *p = db_field(r, i, &n);
        AUTO(str_done) Str literal = STR_INIT;
        chunkplan_literal(&literal, &t->table->columns[t->table->key.parts[i].column], p, n);
        strlist_add(ret, str_z(&literal));
    }
    db_rows_free(r);
    return ok;
}

static bool next_bound(DumpWork *w, TableWork *t, Db *db, Bound *ret, Err *err)
{
    if (!chunkplan_is_cut(t->table))
        return true;
    if (w->journal && journal_bound(w->journal, t->table->prefix, t->next_chunk, ret))
        return true;
    int64_t rows = chunkplan_rows(t->table, &w->size, t->rows_walked, w->threads);
    if (!walk(w, t, db, &t->after, rows, ret, err))
        return false;
    t->rows_walked += rows;
    return !w->journal || journal_cut(w->journal, t->table->prefix, t->next_chunk, ret, err);
}

/* True: it is finished already, nothing is to be done. */
static bool kept(DumpWork *w, TableWork *t, size_t number)
{
    RowSum sum;
    if (!w->journal || !journal_chunk(w->journal, t->table->prefix, number, &sum))
        return false;
    pthread_mutex_lock(&w->lock);
    count(w, t, sum.rows);
    w->kept_rows += sum.rows;
    pthread_mutex_unlock(&w->lock);
    finished(w, t, &sum);
    return true;
}

static bool next_chunk(DumpWork *w, TableWork *t, Db *db, Chunk *ret, bool *ret_found, Err *err)
{
    while (!t->exhausted) {
        Chunk c = {.work = t, .number = t->next_chunk};
        if (!next_bound(w, t, db, &c.upto, err))
            return err_prefix(err, "%s.%s", t->table->database, t->table->name);
        bound_copy(&c.after, &t->after);
        bound_copy(&t->after, &c.upto);
        pthread_mutex_lock(&w->lock);
        t->exhausted = c.upto.n == 0;
        t->open_chunks++;
        pthread_mutex_unlock(&w->lock);
        t->next_chunk++;
        if (!kept(w, t, c.number)) {
            *ret = c;
            *ret_found = true;
            return true;
        }
        chunk_done(&c);
    }
    return true;
}

/* `wait` false: tables that another worker is walking are passed over and counted in *ret_busy. */
static bool try_tables(DumpWork *w, Db *db, bool wait, Chunk *ret, bool *ret_found, size_t *ret_busy,
                       Err *err)
{
    bool ok = true;
    *ret_found = false;
    *ret_busy = 0;
    for (size_t i = 0; ok && i < w->n_tables && !*ret_found; i++) {
        TableWork *t = &w->tables[i];
        if (wait) {
            pthread_mutex_lock(&t->lock);
        } else if (pthread_mutex_trylock(&t->lock) != 0) {
            ++*ret_busy;
            continue;
        }
        ok = next_chunk(w, t, db, ret, ret_found, err);
        pthread_mutex_unlock(&t->lock);
    }
    return ok;
}

/* ---- chunks shared with other replicas ------------------------------------------------------------ */

bool dumpwork_join(DumpWork *w, const json_t *identity, Err *err)
{
    json_t *streams = json_array();
    for (size_t i = 0; i < w->n_tables; i++) {
        json_t *t = json_object();
        json_set_str(t, "name", w->tables[i].table->prefix);
        if (!chunkplan_is_cut(w->tables[i].table))
            json_set_int(t, "count", 1);
        json_array_append_new(streams, t);
    }
    return splitwork_join(w->split, json_deep_copy(identity), streams, err);
}

static TableWork *table_named(DumpWork *w, const char *prefix)
{
    for (size_t i = 0; i < w->n_tables; i++)
        if (str_eq(w->tables[i].table->prefix, prefix))
            return &w->tables[i];
    return NULL;
}

static void read_bound(const json_t *piece, const char *key, Bound *ret)
{
    size_t i;
    json_t *v, *list = json_object_get(piece, key);
    json_array_foreach(list, i, v) strlist_add(ret, json_string_value(v));
}

/* Nobody else takes of this table before we have said where the chunk ends. */
static bool cut_for_all(DumpWork *w, Db *db, Chunk *c, const json_t *piece, Err *err)
{
    const DumpTable *t = c->work->table;
    int64_t walked = json_int(piece, "walked"),
            rows = chunkplan_rows(t, &w->size, walked, w->threads * w->shards);
    if (!walk(w, c->work, db, &c->after, rows, &c->upto, err))
        return err_prefix(err, "%s.%s", t->database, t->name);
    return splitwork_cut(w->split, t->prefix, (int64_t)c->number, c->upto.n ? json_strs(&c->upto) : NULL,
                         walked + rows, err);
}

static bool take_shared(DumpWork *w, Db *db, Chunk *ret, bool *ret_found, bool *ret_wait, Err *err)
{
    AUTOJSON json_t *piece = NULL;
    if (!splitwork_take(w->split, &piece, err))
        return false;
    *ret_wait = json_bool(piece, "wait");
    if (*ret_wait || json_bool(piece, "end"))
        return true;
    Chunk c = {.work = table_named(w, json_str(piece, "stream")),
               .number = (size_t)json_int(piece, "number")};
    if (!c.work)
        return err_set(err, ERR_PROTOCOL, 0, "the list gives out a table \"%s\" that is not here",
                       json_str(piece, "stream"));
    read_bound(piece, "after", &c.after);
    read_bound(piece, "upto", &c.upto);
    bool whole = !chunkplan_is_cut(c.work->table) || json_object_get(piece, "upto");
    if (!whole && !cut_for_all(w, db, &c, piece, err)) {
        chunk_done(&c);
        return false;
    }
    pthread_mutex_lock(&w->lock);
    c.work->open_chunks++;
    c.work->exhausted = c.work->exhausted || !c.upto.n;
    pthread_mutex_unlock(&w->lock);
    *ret = c;
    *ret_found = true;
    return true;
}

bool dumpwork_take(DumpWork *w, Db *db, Chunk *ret, bool *ret_found, bool *ret_wait, Err *err)
{
    size_t busy;
    *ret_found = *ret_wait = false;
    if (w->split)
        return take_shared(w, db, ret, ret_found, ret_wait, err);
    if (!try_tables(w, db, false, ret, ret_found, &busy, err))
        return false;
    return *ret_found || !busy || try_tables(w, db, true, ret, ret_found, &busy, err);
}
