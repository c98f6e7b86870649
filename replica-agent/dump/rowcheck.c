/* SPDX-License-Identifier: Apache-2.0 */
#include "rowcheck.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/file/crc.h"
#include "format.h"

static const char SEPARATOR[3] = {0, '\xff', 0};

/* CONCAT_WS gives NULL beyond max_allowed_packet: 64 KB a column is safe, a long BLOB is not. */
static bool is_digested(const Column *c)
{
    static const char *const types[] = {
        "mediumblob",   "longblob",           "mediumtext",     "longtext",   "json",
        "geometry",     "linestring",         "polygon",        "multipoint", "multilinestring",
        "multipolygon", "geometrycollection", "geomcollection", "vector"};
    for (size_t i = 0; i < COUNT(types); i++)
        if (str_eq(c->type, types[i]))
            return true;
    return false;
}

static bool has_stored_column(const DumpTable *t)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (!t->columns[i].generated)
            return true;
    return false;
}

static void add_null_digit(Str *out, const Column *c, const char *if_null, const char *if_not)
{
    str_adds(out, "IF(");
    db_quote_id(out, c->name);
    str_addf(out, " IS NULL, %s, %s)", if_null, if_not);
}

/* Chosen among texts: to make text of two numbers and join it takes a server twice as long. */
static void add_null_digits(Str *out, const Column *a, const Column *b)
{
    AUTO(str_done) Str if_null = STR_INIT, if_not = STR_INIT;
    if (!b) {
        add_null_digit(out, a, "'1'", "'0'");
        return;
    }
    add_null_digit(&if_null, b, "'11'", "'10'");
    add_null_digit(&if_not, b, "'01'", "'00'");
    add_null_digit(out, a, if_null.p, if_not.p);
}

static const Column *next_nullable(const DumpTable *t, size_t *at)
{
    while (*at < t->n_columns) {
        const Column *c = &t->columns[(*at)++];
        if (!c->generated && c->nullable)
            return c;
    }
    return NULL;
}

static void add_mask(Str *out, const DumpTable *t)
{
    AUTO(str_done) Str mask = STR_INIT;
    const Column *a, *b;
    size_t at = 0, n = 0;
    for (; (a = next_nullable(t, &at)); n++) {
        b = next_nullable(t, &at);
        str_adds(&mask, n ? ", " : "");
        add_null_digits(&mask, a, b);
    }
    if (n)
        str_addf(out, n > 1 ? ", CONCAT(%s)" : ", %s", mask.p);
}

static void add_row_crc(Str *out, const DumpTable *t)
{
    str_adds(out, "CRC32(CONCAT_WS(_binary X'00FF00' COLLATE `binary`");
    if (!has_stored_column(t))
        str_adds(out, ", ''");
    for (size_t i = 0; i < t->n_columns; i++) {
        const Column *c = &t->columns[i];
        AUTO(str_done) Str e = STR_INIT;
        if (c->generated)
            continue;
        format_column_expr(&e, c);
        if (is_digested(c))
            str_addf(out, ", CONCAT(CRC32(%s), ',', LENGTH(%s))", e.p, e.p);
        else
            str_addf(out, ", %s", e.p);
    }
    add_mask(out, t);
    str_adds(out, "))");
}

void rowcheck_sql(Str *out, const DumpTable *t, const char *where)
{
    str_adds(out, "SELECT CONCAT(COUNT(*), ':', COALESCE(SUM(");
    add_row_crc(out, t);
    str_adds(out, "), 0)) FROM ");
    db_quote_table(out, t->database, t->name);
    str_adds(out, t->versioned ? " FOR SYSTEM_TIME ALL" : "");
    if (where && *where)
        str_addf(out, " WHERE %s", where);
}

const char *const rowcheck_reset_sql = "SET @siding_sum = 0";
const char *const rowcheck_sent_sql = "SELECT CONCAT(FOUND_ROWS(), ':', @siding_sum)";

void rowcheck_add_sql(Str *out, const DumpTable *t)
{
    str_adds(out, "(@siding_sum := @siding_sum + ");
    add_row_crc(out, t);
    str_adds(out, ") & 0");
}

bool rowcheck_parse(const char *text, RowSum *ret)
{
    return text && sscanf(text, "%" SCNd64 ":%" SCNu64, &ret->rows, &ret->sum) == 2;
}

/* ---- fed with values ------------------------------------------------------------------------------ */

enum { NULLABLE = 1, DIGESTED = 2 };

void rowcheck_init(RowCheck *c, const DumpTable *t)
{
    memset(c, 0, offsetof(RowCheck, held));
    c->flags = xcalloc(t->n_columns + 1, 1);
    c->mask = xcalloc(t->n_columns + 1, 1);
    for (size_t i = 0; i < t->n_columns; i++)
        if (!t->columns[i].generated)
            c->flags[c->n++] = (unsigned char)((t->columns[i].nullable ? NULLABLE : 0) |
                                               (is_digested(&t->columns[i]) ? DIGESTED : 0));
}

void rowcheck_done(RowCheck *c)
{
    free(c->mask);
    free(c->flags);
}

static void flush(RowCheck *c)
{
    c->row_crc = crc_of(c->row_crc, c->held, c->n_held);
    c->n_held = 0;
}

static void add(RowCheck *c, const char *p, size_t n)
{
    if (n > sizeof c->held - c->n_held) {
        flush(c);
        if (n > sizeof c->held / 2) {
            c->row_crc = crc_of(c->row_crc, p, n);
            return;
        }
    }
    memcpy(c->held + c->n_held, p, n);
    c->n_held += n;
}

/* 0 beyond the last column: a row with too many values differs anyway. */
static unsigned flags_here(const RowCheck *c)
{
    return c->column < c->n ? c->flags[c->column] : 0;
}

static void separate(RowCheck *c)
{
    if (c->any)
        add(c, SEPARATOR, sizeof SEPARATOR);
    c->any = true;
}

static void note_null(RowCheck *c, char digit)
{
    if (flags_here(c) & NULLABLE)
        c->mask[c->n_mask++] = digit;
}

void rowcheck_value_begin(RowCheck *c)
{
    separate(c);
    note_null(c, '0');
    c->value_crc = 0;
    c->value_n = 0;
}

void rowcheck_bytes(RowCheck *c, const char *p, size_t n)
{
    if (!(flags_here(c) & DIGESTED)) {
        add(c, p, n);
        return;
    }
    c->value_crc = crc_of(c->value_crc, p, n);
    c->value_n += n;
}

void rowcheck_value_end(RowCheck *c)
{
    if (flags_here(c) & DIGESTED) {
        char text[48];
        int n = snprintf(text, sizeof text, "%" PRIu32 ",%zu", c->value_crc, c->value_n);
        add(c, text, (size_t)n);
    }
    c->column++;
}

void rowcheck_value(RowCheck *c, const char *p, size_t n)
{
    rowcheck_value_begin(c);
    rowcheck_bytes(c, p, n);
    rowcheck_value_end(c);
}

void rowcheck_null(RowCheck *c)
{
    note_null(c, '1');
    c->column++;
}

char *rowcheck_room(RowCheck *c)
{
    if (flags_here(c) & DIGESTED)
        return NULL;
    if (c->n_held + sizeof SEPARATOR > sizeof c->held - ROWCHECK_ROOM)
        flush(c);
    char *p = c->held + c->n_held;
    if (!c->any)
        return p;
    memcpy(p, SEPARATOR, sizeof SEPARATOR);
    return p + sizeof SEPARATOR;
}

void rowcheck_take(RowCheck *c, size_t n)
{
    c->n_held += n + (c->any ? sizeof SEPARATOR : 0);
    c->any = true;
    note_null(c, '0');
    c->column++;
}

void rowcheck_row_end(RowCheck *c)
{
    if (c->n_mask) {
        separate(c);
        add(c, c->mask, c->n_mask);
        c->n_mask = 0;
    }
    flush(c);
    c->sum.rows++;
    c->sum.sum += c->row_crc;
    c->row_crc = 0;
    c->any = false;
    c->column = 0;
}
