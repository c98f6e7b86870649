/* SPDX-License-Identifier: Apache-2.0
 * Indexes records anew, a few in one transaction. Only records whose rows differ are written.
 *
 * The shadow table is ours alone and its records are read without locks: whatever changes under us is found
 * by the second round. To the live table others write too: somebody may change record 7 and index it while we
 * index what record 7 was. So one SERIALIZABLE transaction reads the record and replaces its rows: its reads
 * take shared locks, on gaps too, hence what is read is the last committed state and stays so until our
 * commit. A change of the record is entirely before ours, then we index it, or entirely after, then whoever
 * made it finds our rows and replaces them. A deadlock or a lock wait rolls ours back and it is tried again.
 */
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/retry.h"
#include "common/wire/progress.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/index/layout.h"
#include "replica-agent/load/delta.h"
#include "replica-agent/load/hitlist_update.h"
#include "replica-agent/load/records.h"

enum {
    SHADOW_KEYS = 200,
    LIVE_KEYS = 20,
    STATEMENT_BYTES = 512 * 1024,
    TRIES = 12,
    FIRST_PAUSE_MS = 20,
    LONGEST_PAUSE_MS = 1000,
};

typedef struct RowsSum {
    uint64_t sum; /* of the rows' hashes, in any order */
    int64_t rows;
} RowsSum;

typedef struct Reindex {
    Db *db;
    const IndexDefinition *d;
    CurrentRecords records;
    Str table, key;      /* quoted */
    Str columns;         /* quoted, by commas */
    Str insert;          /* statement under way */
    const int64_t *keys; /* of this transaction */
    size_t n;
    RowsSum is[SHADOW_KEYS], wanted[SHADOW_KEYS]; /* by key */
} Reindex;

/* ---- what differs -------------------------------------------------------------------------------- */

static uint64_t hash_bytes(uint64_t h, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    return h;
}

static uint64_t hash_row(const char *term, size_t n, uint64_t field, uint64_t frequency,
                         const char *positions)
{
    uint64_t h = hash_bytes(0xcbf29ce484222325u ^ (field << 32 ^ frequency), term, n);
    h = hash_bytes((h ^ h >> 32) * 0x9e3779b97f4a7c15u, positions, strlen(positions));
    h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static void add_sum(const Reindex *r, RowsSum *sums, int64_t record, uint64_t hash)
{
    size_t i = delta_key_place(r->keys, r->n, record);
    if (i == SIZE_MAX)
        return;
    sums[i].sum += hash;
    sums[i].rows++;
}

static bool differs(const Reindex *r, size_t i)
{
    return r->is[i].sum != r->wanted[i].sum || r->is[i].rows != r->wanted[i].rows;
}

static void add_keys(const Reindex *r, bool only_different, Str *sql)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (!only_different || differs(r, i))
            str_addf(sql, "%s%" PRId64, n++ ? "," : "", r->keys[i]);
}

static bool read_present(Reindex *r, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "SELECT %s FROM %s WHERE %s IN (", str_z(&r->columns), str_z(&r->table), str_z(&r->key));
    add_keys(r, false, &sql);
    str_addc(&sql, ')');
    DbRows *rows;
    bool more, ok;
    if (!db_stream(r->db, &rows, err, str_z(&sql)))
        return false;
    while ((ok = db_next(rows, &more, err)) && more) {
        size_t n;
        const char *term = db_field(rows, 0, &n);
        uint64_t field = strtoull(db_field(rows, 2, NULL), NULL, 10);
        uint64_t frequency = strtoull(db_field(rows, 3, NULL), NULL, 10);
        const char *positions = r->d->positions ? db_field(rows, 4, NULL) : "";
        add_sum(r, r->is, strtoll(db_field(rows, 1, NULL), NULL, 10),
                hash_row(term, n, field, frequency, positions));
    }
    db_rows_free(rows);
    return ok;
}

static bool sum_entry(void *arg, const char *term, size_t n, const Entry *e, Err *err)
{
    (void)err;
    Reindex *r = arg;
    AUTO(str_done) Str positions = STR_INIT;
    layout_positions(e, &positions);
    add_sum(r, r->wanted, e->record, hash_row(term, n, e->field, e->frequency, str_z(&positions)));
    return true;
}

static bool for_each_wanted(Reindex *r, EntrySink sink, Err *err)
{
    Entries *e = entries_new(definition_kind(r->d), sink, r);
    bool ok = entries_put_terms(e, r->records.terms, err);
    entries_free(e);
    return ok;
}

static bool read_wanted(Reindex *r, Err *err)
{
    return records_read(&r->records, r->keys, r->n, err) && for_each_wanted(r, sum_entry, err);
}

/* ---- writing ------------------------------------------------------------------------------------- */

static bool any_differs(const Reindex *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (differs(r, i))
            return true;
    return false;
}

static bool delete_rows(Reindex *r, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "DELETE FROM %s WHERE %s IN (", str_z(&r->table), str_z(&r->key));
    add_keys(r, true, &sql);
    str_addc(&sql, ')');
    return db_exec(r->db, err, str_z(&sql), "");
}

static bool flush(Reindex *r, Err *err)
{
    bool ok = r->insert.len == 0 || db_exec(r->db, err, str_z(&r->insert), "");
    str_clear(&r->insert);
    return ok;
}

static bool add_row(void *arg, const char *term, size_t n, const Entry *e, Err *err)
{
    Reindex *r = arg;
    Str *sql = &r->insert;
    size_t i = delta_key_place(r->keys, r->n, e->record);
    if (i == SIZE_MAX || !differs(r, i))
        return true;
    if (sql->len == 0)
        str_addf(sql, "INSERT INTO %s (%s) VALUES ", str_z(&r->table), str_z(&r->columns));
    else
        str_addc(sql, ',');
    str_addc(sql, '(');
    db_quote_str(sql, term, n);
    str_addf(sql, ",%" PRId64 ",%u,%u", e->record, e->field, (unsigned)e->frequency);
    if (r->d->positions) {
        str_adds(sql, ",'");
        layout_positions(e, sql);
        str_addc(sql, '\'');
    }
    str_addc(sql, ')');
    return sql->len < STATEMENT_BYTES || flush(r, err);
}

static bool insert_rows(Reindex *r, Err *err)
{
    str_clear(&r->insert);
    return for_each_wanted(r, add_row, err) && flush(r, err);
}

static bool once(Reindex *r, Err *err)
{
    memset(r->is, 0, sizeof r->is);
    memset(r->wanted, 0, sizeof r->wanted);
    return db_exec(r->db, err, "START TRANSACTION", "") && read_wanted(r, err) && read_present(r, err) &&
           (!any_differs(r) || (delete_rows(r, err) && insert_rows(r, err))) &&
           db_exec(r->db, err, "COMMIT", "");
}

static bool until_done(Reindex *r, Err *err)
{
    for (int try = 1; !once(r, err); try++) {
        Err ignored;
        if (!db_locked_out(err) || !db_exec(r->db, &ignored, "ROLLBACK", "") || try == TRIES)
            return false;
        clock_sleep_ms(retry_wait_ms(try, FIRST_PAUSE_MS, LONGEST_PAUSE_MS));
    }
    return true;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static bool begin(Reindex *r, const char *schema, const char *table, Err *err)
{
    StrList columns = STRLIST_INIT;
    db_quote_table(&r->table, schema, table);
    db_quote_id(&r->key, r->d->key);
    definition_columns(r->d, &columns);
    db_quote_ids(&r->columns, &columns);
    strlist_done(&columns);
    return records_open(r->db, r->d, &r->records, err);
}

static void end(Reindex *r)
{
    str_done(&r->table);
    str_done(&r->key);
    str_done(&r->columns);
    str_done(&r->insert);
    records_close(&r->records);
    free(r);
}

static bool isolate(Db *db, DeltaPlace place, Err *err)
{
    return db_exec(db, err,
                   place == DELTA_LIVE ? "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"
                                       : "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                   "") &&
           db_exec(db, err, "SET SESSION innodb_lock_wait_timeout=3", "");
}

static bool all_keys(Reindex *r, DeltaPlace place, const DeltaKeys *keys, Err *err)
{
    size_t step = place == DELTA_LIVE ? LIVE_KEYS : SHADOW_KEYS;
    const char *note = place == DELTA_LIVE ? "indexing changed records in the live table"
                                           : "indexing changed records in the new table";
    for (size_t i = 0; i < keys->n; i += step) {
        r->keys = keys->v + i;
        r->n = keys->n - i < step ? keys->n - i : step;
        progress_set((int64_t)i, (int64_t)keys->n, note);
        if (!jobctl_check(err) || !until_done(r, err))
            return false;
    }
    return true;
}

static bool reindex(Db *db, const IndexDefinition *d, const char *schema, const char *table, DeltaPlace place,
                    const DeltaKeys *keys, Err *err)
{
    Reindex *r = NEW(Reindex);
    r->db = db;
    r->d = d;
    bool ok = begin(r, schema, table, err) && isolate(db, place, err) && all_keys(r, place, keys, err) &&
              db_exec(db, err, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "");
    end(r);
    return ok;
}

bool delta_apply(Db *db, const IndexDefinition *d, const char *schema, const char *table, DeltaPlace place,
                 const DeltaKeys *keys, Err *err)
{
    if (keys->n == 0)
        return true;
    return definition_is_hitlist(d) ? hitlist_update(db, d, schema, table, keys, err)
                                    : reindex(db, d, schema, table, place, keys, err);
}
