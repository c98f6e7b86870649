/* SPDX-License-Identifier: Apache-2.0
 * Why no change is lost. Let F be the freeze, A the start of the first round (the primary's clock), R the
 * RENAME.
 *
 *   changed before F        in the result
 *   changed in F … A        first round: changed_since F finds them, their rows go into the shadow table
 *   changed in A … R        second round, after R: changed_since A finds them
 *   changed after R         written to the live table by whoever maintains it, or seen by the next run
 *
 * A row shows its change time before its transaction commits, so a round may miss what is still under way:
 * each reaches back by the definition's margin. A record found twice is indexed twice, which changes nothing.
 *
 * The first round has the shadow table to itself and reads without locks: whatever changes under it changes
 * after A. In the second, others write to the same table: somebody may change record 7 and index it while we
 * index what record 7 was. So one SERIALIZABLE transaction reads the record and replaces its rows: its reads
 * take shared locks, on gaps too, hence what is read is the last committed state and stays so until our
 * commit. A change of the record is entirely before ours, then we index it, or entirely after, then whoever
 * made it finds our rows and replaces them. Transactions hold few records and are over in milliseconds; a
 * deadlock or a lock wait rolls ours back and it is tried again.
 */
#include "replica-agent/load/delta.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/progress.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/index/source.h"
#include "replica-agent/index/terms.h"
#include "replica-agent/index/tokenize.h"

enum {
    SHADOW_KEYS = 500,
    LIVE_KEYS = 20,
    STATEMENT_BYTES = 512 * 1024,
    TRIES = 12,
    LONGEST_PAUSE_MS = 1000,
};

/* ---- keys ---------------------------------------------------------------------------------------- */

void delta_keys_done(DeltaKeys *k)
{
    free(k->v);
    *k = (DeltaKeys){NULL, 0};
}

static int compare_keys(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void sort_unique(DeltaKeys *k)
{
    size_t kept = 0;
    if (k->n)
        qsort(k->v, k->n, sizeof *k->v, compare_keys);
    for (size_t i = 0; i < k->n; i++)
        if (i == 0 || k->v[i] != k->v[kept - 1])
            k->v[kept++] = k->v[i];
    k->n = kept;
}

size_t delta_keys_union(const DeltaKeys *a, const DeltaKeys *b)
{
    size_t n = 0, i = 0, k = 0;
    for (; i < a->n || k < b->n; n++) {
        int64_t least = i < a->n && (k == b->n || a->v[i] <= b->v[k]) ? a->v[i] : b->v[k];
        i += i < a->n && a->v[i] == least;
        k += k < b->n && b->v[k] == least;
    }
    return n;
}

static bool read_keys(DbRows *rows, DeltaKeys *keys, Err *err)
{
    size_t cap = 0;
    for (bool more;;) {
        if (!db_next(rows, &more, err))
            return false;
        if (!more)
            return true;
        const char *text = db_field(rows, 0, NULL);
        long long key;
        if (!text)
            continue;
        if (!str_to_i64(text, INT64_MIN, INT64_MAX, &key))
            return err_set(err, ERR_CONFIG, 0, "the key %s is no 64-bit integer", text);
        if (keys->n == cap) {
            cap = cap ? cap * 2 : 256;
            keys->v = xrealloc(keys->v, cap * sizeof *keys->v);
        }
        keys->v[keys->n++] = key;
    }
}

bool delta_find(Db *db, const IndexDefinition *d, int64_t since_wall_ms, DeltaKeys *ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    definition_changed_since(d, since_wall_ms - d->changed_margin_ms, &sql);
    DbRows *rows;
    DeltaKeys keys = {NULL, 0};
    if (!db_stream(db, &rows, err, str_z(&sql)))
        return err_prefix(err, "changed_since");
    bool ok = read_keys(rows, &keys, err) || err_prefix(err, "changed_since");
    db_rows_free(rows);
    if (!ok) {
        delta_keys_done(&keys);
        return false;
    }
    sort_unique(&keys);
    *ret = keys;
    return true;
}

bool delta_now(Db *db, int64_t *ret_wall_ms, Err *err)
{
    return db_value_int(db, ret_wall_ms, err, "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)", "");
}

/* ---- one transaction ----------------------------------------------------------------------------- */

typedef struct Delta {
    Db *db;
    const IndexDefinition *d;
    Source source;
    Tokenizer *tokenizer;
    Terms *terms;
    Str table, key; /* quoted */
    int64_t record;
    unsigned field;
} Delta;

static void add_term(void *arg, const char *term, size_t n)
{
    Delta *d = arg;
    terms_add(d->terms, term, n, d->record, d->field);
}

static bool add_text(void *arg, int64_t record, unsigned field, const char *text, size_t n, Err *err)
{
    (void)err;
    Delta *d = arg;
    d->record = record;
    d->field = field;
    tokenizer_run(d->tokenizer, text, n, add_term, d);
    return true;
}

static bool delete_rows(Delta *d, const int64_t *keys, size_t n, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "DELETE FROM %s WHERE %s IN (", str_z(&d->table), str_z(&d->key));
    for (size_t i = 0; i < n; i++)
        str_addf(&sql, "%s%" PRId64, i ? "," : "", keys[i]);
    str_addc(&sql, ')');
    return db_exec(d->db, err, str_z(&sql), "");
}

static bool flush(Delta *d, Str *sql, Err *err)
{
    bool ok = sql->len == 0 || db_exec(d->db, err, str_z(sql), "");
    str_clear(sql);
    return ok;
}

static bool insert_rows(Delta *d, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    terms_sort(d->terms);
    for (size_t i = 0; i < terms_count(d->terms); i++) {
        const char *term;
        const Posting *postings;
        size_t n, count;
        terms_at(d->terms, i, &term, &n, &postings, &count);
        for (size_t k = 0; k < count; k++) {
            if (sql.len == 0)
                str_addf(&sql, "INSERT INTO %s (term, %s, field, frequency) VALUES ", str_z(&d->table),
                         str_z(&d->key));
            else
                str_addc(&sql, ',');
            str_addc(&sql, '(');
            db_quote_str(&sql, term, n);
            str_addf(&sql, ",%" PRId64 ",%u,%u)", postings[k].record, (unsigned)postings[k].field,
                     (unsigned)postings[k].frequency);
            if (sql.len > STATEMENT_BYTES && !flush(d, &sql, err))
                return false;
        }
    }
    return flush(d, &sql, err);
}

static bool replace_once(Delta *d, const int64_t *keys, size_t n, Err *err)
{
    terms_clear(d->terms);
    return db_exec(d->db, err, "START TRANSACTION", "") &&
           source_read_keys(d->db, &d->source, keys, n, add_text, d, err) && delete_rows(d, keys, n, err) &&
           insert_rows(d, err) && db_exec(d->db, err, "COMMIT", "");
}

static bool is_lock_conflict(const Err *err)
{
    return err->code == 1213 || err->code == 1205;
}

static bool replace_records(Delta *d, const int64_t *keys, size_t n, Err *err)
{
    for (int try = 1; !replace_once(d, keys, n, err); try++) {
        Err ignored;
        if (!is_lock_conflict(err) || !db_exec(d->db, &ignored, "ROLLBACK", "") || try == TRIES)
            return false;
        int64_t pause_ms = 10ll << try;
        clock_sleep_ms(pause_ms < LONGEST_PAUSE_MS ? pause_ms : LONGEST_PAUSE_MS);
    }
    return true;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static bool open_delta(Delta *d, const char *schema, const char *table, Err *err)
{
    db_quote_table(&d->table, schema, table);
    db_quote_id(&d->key, d->d->key);
    d->terms = terms_new(SIZE_MAX);
    return tokenizer_new(d->d->language, d->d->min_length, &d->d->stop_words, &d->tokenizer, err) &&
           source_open(d->db, d->d, &d->source, err);
}

static void close_delta(Delta *d)
{
    str_done(&d->table);
    str_done(&d->key);
    terms_free(d->terms);
    tokenizer_free(d->tokenizer);
    source_close(&d->source);
}

static bool apply(Delta *d, DeltaPlace place, const DeltaKeys *keys, Err *err)
{
    size_t step = place == DELTA_LIVE ? LIVE_KEYS : SHADOW_KEYS;
    const char *note = place == DELTA_LIVE ? "indexing changed records in the live table"
                                           : "indexing changed records in the new table";
    for (size_t i = 0; i < keys->n; i += step) {
        size_t n = keys->n - i < step ? keys->n - i : step;
        progress_set((int64_t)i, (int64_t)keys->n, note);
        if (!jobctl_check(err) || !replace_records(d, keys->v + i, n, err))
            return false;
    }
    return true;
}

static bool isolate(Db *db, DeltaPlace place, Err *err)
{
    return db_exec(db, err,
                   place == DELTA_LIVE ? "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"
                                       : "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                   "") &&
           db_exec(db, err, "SET SESSION innodb_lock_wait_timeout=3", "");
}

bool delta_apply(Db *db, const IndexDefinition *d, const char *schema, const char *table, DeltaPlace place,
                 const DeltaKeys *keys, Err *err)
{
    if (keys->n == 0)
        return true;
    Delta delta = {.db = db, .d = d};
    bool ok = open_delta(&delta, schema, table, err) && isolate(db, place, err) &&
              apply(&delta, place, keys, err) &&
              db_exec(db, err, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "");
    close_delta(&delta);
    return ok;
}
