/* SPDX-License-Identifier: Apache-2.0 */
#include "chunkplan.h"

#include <string.h>

#include "common/file/sha256.h"
#include "format.h"
#include "rowcheck.h"

enum { LEAST_ROWS = 1000, LEAST_BYTES = 1 << 20, MOST_ROWS = 5000000, LEAST_PART = 8 };

int64_t chunkplan_rows(const DumpTable *t, const ChunkSize *size, int64_t walked, size_t threads)
{
    if (size->rows > 0)
        return size->rows;
    int64_t row = t->rows_estimate > 0 ? t->bytes_estimate / t->rows_estimate : 0;
    int64_t most = size->bytes / (row > 0 ? row : 100);
    int64_t share = (t->rows_estimate - walked) / (2 * (int64_t)threads), least = most / LEAST_PART;
    int64_t rows = share > most ? most : share < least ? least : share;
    /* Small parts cost more than they even out; of large rows a few are enough. */
    int64_t floor = row > 0 && LEAST_BYTES / row < LEAST_ROWS ? LEAST_BYTES / row : LEAST_ROWS;
    rows = rows < floor ? floor : rows > MOST_ROWS ? MOST_ROWS : rows;
    return rows < 1 ? 1 : rows;
}

bool chunkplan_is_cut(const DumpTable *t)
{
    return t->key.n_parts > 0;
}

static bool is_exact_number(const Column *c)
{
    return c->kind == VALUE_NUMBER;
}

void chunkplan_literal(Str *out, const Column *c, const char *p, size_t n)
{
    if (is_exact_number(c)) {
        str_add(out, p, n);
    } else if (c->kind == VALUE_HEX || c->charset) {
        /* Bytes with their own character set: the connection's plays no part, the column's collation wins. */
        str_addf(out, "_%s X'", c->kind == VALUE_HEX ? "binary" : c->charset);
        for (size_t i = 0; i < n; i++)
            str_addf(out, "%02X", (unsigned char)p[i]);
        str_addc(out, '\'');
    } else {
        db_quote_str(out, p, n);
    }
}

static void add_part(Str *out, const DumpTable *t, size_t part, const char *op, const char *literal)
{
    db_quote_id(out, t->columns[t->key.parts[part].column].name);
    str_addf(out, " %s %s", op, literal);
}

/* Rows beyond (or up to and with) a bound, in index order, written out so that the range optimiser sees it:
 * (a > 1 OR (a = 1 AND (b > 2 OR (b = 2 AND c > 3)))) */
static void add_side(Str *out, const DumpTable *t, const Bound *b, bool beyond)
{
    size_t n = t->key.n_parts;
    for (size_t i = 0; i < n; i++) {
        bool up = beyond != t->key.parts[i].descending;
        bool last = i + 1 == n;
        str_addc(out, '(');
        add_part(out, t, i, last && !beyond ? (up ? ">=" : "<=") : (up ? ">" : "<"), b->v[i]);
        if (!last) {
            str_adds(out, " OR (");
            add_part(out, t, i, "=", b->v[i]);
            str_adds(out, " AND ");
        }
    }
    str_addc(out, ')');
    for (size_t i = 1; i < n; i++)
        str_adds(out, "))");
}

void chunkplan_where(Str *out, const DumpTable *t, const Bound *after, const Bound *upto, const char *where)
{
    const char *sep = "";
    if (where) {
        str_addf(out, "(%s)", where);
        sep = " AND ";
    }
    if (after->n) {
        str_adds(out, sep);
        add_side(out, t, after, true);
        sep = " AND ";
    }
    if (upto->n) {
        str_adds(out, sep);
        add_side(out, t, upto, false);
    }
}

static void add_key_columns(Str *out, const DumpTable *t, bool with_direction)
{
    for (size_t i = 0; i < t->key.n_parts; i++) {
        str_adds(out, i ? "," : "");
        db_quote_id(out, t->columns[t->key.parts[i].column].name);
        str_adds(out, with_direction && t->key.parts[i].descending ? " DESC" : "");
    }
}

static void add_from(Str *out, const DumpTable *t, bool by_key)
{
    str_adds(out, " FROM ");
    db_quote_table(out, t->database, t->name);
    str_adds(out, t->versioned ? " FOR SYSTEM_TIME ALL" : "");
    if (by_key) {
        str_adds(out, " FORCE INDEX (");
        db_quote_id(out, t->key.name);
        str_addc(out, ')');
    }
}

static void add_where(Str *out, const DumpTable *t, const Bound *after, const Bound *upto, const char *where)
{
    if (!after->n && !upto->n && !where)
        return;
    str_adds(out, " WHERE ");
    chunkplan_where(out, t, after, upto, where);
}

void chunkplan_walk_sql(Str *out, const DumpTable *t, const Bound *after, int64_t chunk_rows,
                        const char *where)
{
    str_adds(out, "SELECT ");
    add_key_columns(out, t, false);
    add_from(out, t, true);
    add_where(out, t, after, &(Bound)STRLIST_INIT, where);
    str_adds(out, " ORDER BY ");
    add_key_columns(out, t, true);
    str_addf(out, " LIMIT 1 OFFSET %lld", (long long)(chunk_rows - 1));
}

void chunkplan_select_sql(Str *out, const DumpTable *t, const Bound *after, const Bound *upto,
                          const char *where, bool summed)
{
    const char *sep = "SELECT ";
    for (size_t i = 0; i < t->n_columns; i++) {
        if (t->columns[i].generated)
            continue;
        str_adds(out, sep);
        format_column_expr(out, &t->columns[i]);
        sep = ",";
    }
    if (summed) {
        str_adds(out, sep);
        rowcheck_add_sql(out, t);
    } else if (*sep != ',') {
        str_adds(out, "SELECT 1"); /* generated columns only: its rows are what there is */
    }
    add_from(out, t, after->n || upto->n);
    add_where(out, t, after, upto, where);
}

void chunkplan_sum_sql(Str *out, const DumpTable *t, const Bound *after, const Bound *upto, const char *where)
{
    AUTO(str_done) Str condition = STR_INIT;
    chunkplan_where(&condition, t, after, upto, where);
    rowcheck_sql(out, t, str_z(&condition));
}

void chunkplan_count_sql(Str *out, const DumpTable *t, const Bound *after, const Bound *upto,
                         const char *where)
{
    AUTO(str_done) Str condition = STR_INIT;
    chunkplan_where(&condition, t, after, upto, where);
    str_adds(out, "SELECT COUNT(*) FROM ");
    db_quote_table(out, t->database, t->name);
    str_addf(out, "%s%s", condition.len ? " WHERE " : "", str_z(&condition));
}

bool chunkplan_has_losses(const DumpTable *t)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].lost_if)
            return true;
    return false;
}

void chunkplan_losses_sql(Str *out, const DumpTable *t, const Bound *after, const Bound *upto,
                          const char *where)
{
    const char *sep = "SELECT ";
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!t->columns[i].lost_if)
            continue;
        str_addf(out, "%sCOALESCE(SUM(%s), 0)", sep, t->columns[i].lost_if);
        sep = ", ";
    }
    add_from(out, t, after->n || upto->n);
    add_where(out, t, after, upto, where);
}

static int by_size(const void *a, const void *b)
{
    const DumpTable *x = *(DumpTable *const *)a, *y = *(DumpTable *const *)b;
    if (x->bytes_estimate != y->bytes_estimate)
        return x->bytes_estimate < y->bytes_estimate ? 1 : -1;
    int c = strcmp(x->database, y->database);
    return c ? c : strcmp(x->name, y->name);
}

DumpTable **chunkplan_order(Catalogue *c, size_t *ret_n)
{
    size_t n = 0;
    for (size_t d = 0; d < c->n_databases; d++)
        n += c->databases[d].n_tables;
    DumpTable **order = xcalloc(n, sizeof(DumpTable *));
    n = 0;
    for (size_t d = 0; d < c->n_databases; d++)
        for (size_t i = 0; i < c->databases[d].n_tables; i++)
            if (c->databases[d].tables[i].kind == TABLE_BASE && c->databases[d].tables[i].has_rows)
                order[n++] = &c->databases[d].tables[i];
    qsort(order, n, sizeof(DumpTable *), by_size);
    *ret_n = n;
    return order;
}

static void digest_table(const DumpTable *t, Str *out)
{
    /* What a view's columns are hangs on where one stands: on a transaction, on a table that came and went.
     */
    if (t->kind == TABLE_BASE)
        chunkplan_select_sql(out, t, &(Bound)STRLIST_INIT, &(Bound)STRLIST_INIT, NULL, false);
    str_addf(out, "%s %s %d;", t->prefix, t->key.name, t->kind);
}

void chunkplan_digest(const Catalogue *c, char ret[65])
{
    Sha256 *s = sha256_new();
    for (size_t i = 0; i < c->n_databases; i++)
        for (size_t t = 0; t < c->databases[i].n_tables; t++) {
            AUTO(str_done) Str text = STR_INIT;
            digest_table(&c->databases[i].tables[t], &text);
            sha256_add(s, text.p, text.len);
        }
    sha256_finish(s, ret);
}
