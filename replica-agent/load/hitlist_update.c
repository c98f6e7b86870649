/* SPDX-License-Identifier: Apache-2.0
 * Both the table and what is wanted are sorted by term, so one walk meets them: a term of the table loses its
 * entries of the records and gets the wanted ones; a wanted term that the table lacks is new.
 */
#include "replica-agent/load/hitlist_update.h"

#include <inttypes.h>
#include <string.h>

#include "common/wire/progress.h"
#include "replica-agent/index/hitlist.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/index/layout.h"
#include "replica-agent/load/records.h"

enum { KEYS_OF_A_WALK = 5000, PAGE_ROWS = 500, STATEMENT_BYTES = 1 << 20 };

/* Rows of one term as they are. */
typedef struct OldRow {
    int64_t first;
    size_t offset, n; /* into hits */
} OldRow;

typedef struct OldTerm {
    Str term, hits;
    OldRow *rows;
    size_t n, cap;
} OldTerm;

typedef struct HitlistUpdate {
    Db *db;
    const IndexDefinition *d;
    Str table; /* quoted */
    CurrentRecords records;
    const int64_t *keys; /* ascending */
    size_t n;
    size_t next_wanted; /* term of `records` that the walk has not met yet */
    OldTerm old;
    Str deletes, inserts; /* of this page: list of terms, rows by commas */
    StrList statements;   /* of this page */
    /* the term being looked at */
    Layout *layout;
    const char *term;
    size_t term_n;
    const Posting *wanted; /* of it, not passed yet */
    size_t wanted_n;
    uint64_t was, becomes; /* what its entries of the records hash to */
} HitlistUpdate;

static bool is_key(const HitlistUpdate *r, int64_t record)
{
    return delta_key_place(r->keys, r->n, record) != SIZE_MAX;
}

/* ---- does a term change? ------------------------------------------------------------------------- */

static void hash_number(uint64_t *h, uint64_t v)
{
    *h = (*h ^ v) * 0x9e3779b97f4a7c15u;
    *h ^= *h >> 32;
}

static void hash_entry(uint64_t *h, const Entry *e)
{
    hash_number(h, (uint64_t)e->record);
    hash_number(h, (uint64_t)e->field << 32 | e->frequency);
    for (size_t i = 0; i < e->n_positions; i++)
        hash_number(h, e->positions[i]);
}

static bool hash_old(void *arg, const Entry *e, Err *err)
{
    (void)err;
    HitlistUpdate *r = arg;
    if (is_key(r, e->record))
        hash_entry(&r->was, e);
    return true;
}

static bool hash_wanted(void *arg, const char *term, size_t n, const Entry *e, Err *err)
{
    (void)term, (void)n, (void)err;
    HitlistUpdate *r = arg;
    hash_entry(&r->becomes, e);
    return true;
}

static bool each_wanted(HitlistUpdate *r, EntrySink sink, int64_t before, bool all, Err *err)
{
    if (!r->wanted_n || (!all && r->wanted->record >= before))
        return true;
    Entries *e = entries_new(definition_kind(r->d), sink, r);
    bool ok = true;
    for (; ok && r->wanted_n && (all || r->wanted->record < before); r->wanted++, r->wanted_n--)
        ok = entries_put(e, r->term, r->term_n, r->wanted, err);
    ok = ok && entries_end(e, err);
    entries_free(e);
    return ok;
}

static bool each_old(HitlistUpdate *r, HitSink sink, Err *err)
{
    for (size_t i = 0; i < r->old.n; i++) {
        const OldRow *row = &r->old.rows[i];
        if (!hitlist_unpack(r->old.hits.p + row->offset, row->n, row->first, r->d->positions, sink, r, err))
            return err_prefix(err, "%s, term \"%.*s\"", r->d->target, (int)r->term_n, r->term);
    }
    return true;
}

/* ---- the new rows -------------------------------------------------------------------------------- */

static void end_statement(HitlistUpdate *r)
{
    if (!r->inserts.len)
        return;
    strlist_addf(&r->statements, "INSERT INTO %s (term, first, records, hits) VALUES %s", str_z(&r->table),
                 str_z(&r->inserts));
    str_clear(&r->inserts);
}

static bool add_row(void *arg, const RowSumField *columns, size_t n, Err *err)
{
    (void)n, (void)err;
    static const char digits[] = "0123456789abcdef";
    HitlistUpdate *r = arg;
    Str *sql = &r->inserts;
    str_adds(sql, sql->len ? ",(" : "(");
    db_quote_str(sql, columns[0].p, columns[0].n);
    str_addf(sql, ",%.*s,%.*s,X'", (int)columns[1].n, columns[1].p, (int)columns[2].n, columns[2].p);
    for (size_t i = 0; i < columns[3].n; i++) {
        unsigned char c = (unsigned char)columns[3].p[i];
        str_addc(sql, digits[c >> 4]);
        str_addc(sql, digits[c & 15]);
    }
    str_adds(sql, "')");
    if (sql->len >= STATEMENT_BYTES)
        end_statement(r);
    return true;
}

static bool put_wanted(void *arg, const char *term, size_t n, const Entry *e, Err *err)
{
    HitlistUpdate *r = arg;
    return layout_put(r->layout, term, n, e, err);
}

static bool keep_old(void *arg, const Entry *e, Err *err)
{
    HitlistUpdate *r = arg;
    if (is_key(r, e->record))
        return true;
    return each_wanted(r, put_wanted, e->record, false, err) &&
           layout_put(r->layout, r->term, r->term_n, e, err);
}

static bool write_term(HitlistUpdate *r, Err *err)
{
    if (r->old.n) {
        str_adds(&r->deletes, r->deletes.len ? "," : "");
        db_quote_str(&r->deletes, r->term, r->term_n);
    }
    r->layout = layout_new(r->d, add_row, r);
    bool ok =
        each_old(r, keep_old, err) && each_wanted(r, put_wanted, 0, true, err) && layout_end(r->layout, err);
    layout_free(STEAL(r->layout));
    return ok;
}

/* The term of `old`, of what is wanted, or both. */
static bool look_at(HitlistUpdate *r, const char *term, size_t n, const Posting *wanted, size_t wanted_n,
                    Err *err)
{
    r->term = term;
    r->term_n = n;
    r->was = r->becomes = 0;
    r->wanted = wanted;
    r->wanted_n = wanted_n;
    if (!each_old(r, hash_old, err) || !each_wanted(r, hash_wanted, 0, true, err))
        return false;
    r->wanted = wanted;
    r->wanted_n = wanted_n;
    return r->was == r->becomes || write_term(r, err);
}

/* ---- the walk ------------------------------------------------------------------------------------ */

static void forget_old(OldTerm *o)
{
    str_clear(&o->term);
    str_clear(&o->hits);
    o->n = 0;
}

/* Wanted terms before this one, which the table lacks; the one itself, if it is wanted. term NULL: all left.
 */
static bool wanted_until(HitlistUpdate *r, const char *term, size_t n, const Posting **ret, size_t *ret_n,
                         Err *err)
{
    *ret = NULL;
    *ret_n = 0;
    OldTerm kept = r->old;
    r->old = (OldTerm){0};
    bool ok = true;
    for (; ok && r->next_wanted < terms_count(r->records.terms); r->next_wanted++) {
        const char *w;
        const Posting *postings;
        size_t w_n, count;
        terms_at(r->records.terms, r->next_wanted, &w, &w_n, &postings, &count);
        int c = term ? term_compare(w, w_n, term, n) : -1;
        if (c > 0)
            break;
        if (c < 0) {
            ok = look_at(r, w, w_n, postings, count, err);
            continue;
        }
        *ret = postings;
        *ret_n = count;
    }
    r->old = kept;
    return ok;
}

static bool old_term_ends(HitlistUpdate *r, Err *err)
{
    const Posting *wanted;
    size_t n;
    if (!r->old.n)
        return true;
    bool ok = wanted_until(r, str_z(&r->old.term), r->old.term.len, &wanted, &n, err) &&
              look_at(r, str_z(&r->old.term), r->old.term.len, wanted, n, err);
    forget_old(&r->old);
    return ok;
}

static bool take_row(HitlistUpdate *r, const DbRows *rows, Err *err)
{
    size_t n, hits_n;
    const char *term = db_field(rows, 0, &n), *hits = db_field(rows, 2, &hits_n);
    OldTerm *o = &r->old;
    if (o->n && term_compare(str_z(&o->term), o->term.len, term, n) != 0 && !old_term_ends(r, err))
        return false;
    if (!o->n)
        str_add(&o->term, term, n);
    if (o->n == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 4;
        o->rows = xrealloc(o->rows, o->cap * sizeof *o->rows);
    }
    o->rows[o->n++] = (OldRow){strtoll(db_field(rows, 1, NULL), NULL, 10), o->hits.len, hits_n};
    str_add(&o->hits, hits, hits_n);
    return true;
}

static bool read_page(HitlistUpdate *r, const char *from, const char *to, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "SELECT term, first, hits FROM %s WHERE term <= ", str_z(&r->table));
    db_quote_str(&sql, to, strlen(to));
    if (from) {
        str_adds(&sql, " AND term > ");
        db_quote_str(&sql, from, strlen(from));
    }
    str_adds(&sql, " ORDER BY term, first");
    DbRows *rows;
    bool more = true, ok = db_stream(r->db, &rows, err, str_z(&sql));
    if (!ok)
        return false;
    while (ok && (ok = db_next(rows, &more, err)) && more)
        ok = take_row(r, rows, err);
    db_rows_free(rows);
    return ok && old_term_ends(r, err);
}

/* The last term of the page behind `from`; NULL at the end of the table. */
static bool page_end(HitlistUpdate *r, const char *from, char **ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "SELECT MAX(term) FROM (SELECT term FROM %s", str_z(&r->table));
    if (from) {
        str_adds(&sql, " WHERE term > ");
        db_quote_str(&sql, from, strlen(from));
    }
    str_addf(&sql, " ORDER BY term LIMIT %d) AS page", PAGE_ROWS);
    return db_value(r->db, ret, err, str_z(&sql), "");
}

static bool write_page(HitlistUpdate *r, Err *err)
{
    end_statement(r);
    if (!r->deletes.len && !r->statements.n)
        return true;
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "DELETE FROM %s WHERE term IN (%s)", str_z(&r->table), str_z(&r->deletes));
    bool ok = db_exec(r->db, err, "START TRANSACTION", "") &&
              (!r->deletes.len || db_exec(r->db, err, str_z(&sql), ""));
    for (size_t i = 0; ok && i < r->statements.n; i++)
        ok = db_exec(r->db, err, r->statements.v[i], "");
    ok = ok && db_exec(r->db, err, "COMMIT", "");
    Err ignored;
    if (!ok)
        (void)!db_exec(r->db, &ignored, "ROLLBACK", "");
    str_clear(&r->deletes);
    strlist_done(&r->statements);
    r->statements = (StrList)STRLIST_INIT;
    return ok;
}

static bool walk(HitlistUpdate *r, Err *err)
{
    const Posting *none;
    size_t n;
    AUTOFREE char *from = NULL;
    r->next_wanted = 0;
    for (bool more = true; more;) {
        AUTOFREE char *to = NULL;
        if (!jobctl_check(err) || !page_end(r, from, &to, err))
            return false;
        more = to != NULL;
        if (!(more ? read_page(r, from, to, err) : wanted_until(r, NULL, 0, &none, &n, err)) ||
            !write_page(r, err))
            return false;
        free(from);
        from = STEAL(to);
    }
    return true;
}

static bool all_keys(HitlistUpdate *r, const DeltaKeys *keys, Err *err)
{
    for (size_t i = 0; i < keys->n; i += KEYS_OF_A_WALK) {
        r->keys = keys->v + i;
        r->n = keys->n - i < KEYS_OF_A_WALK ? keys->n - i : KEYS_OF_A_WALK;
        progress_set((int64_t)i, (int64_t)keys->n, "indexing changed records in the lists of hits");
        if (!records_read(&r->records, r->keys, r->n, err) || !walk(r, err))
            return false;
    }
    return true;
}

bool hitlist_update(Db *db, const IndexDefinition *d, const char *schema, const char *table,
                    const DeltaKeys *keys, Err *err)
{
    HitlistUpdate r = {.db = db, .d = d};
    db_quote_table(&r.table, schema, table);
    bool ok = records_open(db, d, &r.records, err) && all_keys(&r, keys, err);
    records_close(&r.records);
    str_done(&r.table);
    str_done(&r.deletes);
    str_done(&r.inserts);
    strlist_done(&r.statements);
    str_done(&r.old.term);
    str_done(&r.old.hits);
    free(r.old.rows);
    return ok;
}
