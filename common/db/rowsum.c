/* SPDX-License-Identifier: Apache-2.0 */
#include "rowsum.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file/gz.h"
#include "db.h"

enum { LONGEST_FIELD = 48, ONE_BYTE_FIELD = 16 };

static size_t add_field(char *out, const RowSumField *f)
{
    if (!f->p) {
        memcpy(out, "N;", 2);
        return 2;
    }
    size_t n = str_digits(gz_crc32(0, f->p, f->n), out);
    out[n++] = ',';
    n += str_digits(f->n, out + n);
    out[n++] = ';';
    return n;
}

/* Of a row: what did not fit is in crc already. */
typedef struct RowText {
    uint32_t crc;
    size_t len;
    char text[512];
} RowText;

static char *room(RowText *r)
{
    if (r->len + LONGEST_FIELD > sizeof r->text) {
        r->crc = gz_crc32(r->crc, r->text, r->len);
        r->len = 0;
    }
    return r->text + r->len;
}

static void add_row(RowSum *s, const RowText *r)
{
    s->rows++;
    s->sum += gz_crc32(r->crc, r->text, r->len);
}

void rowsum_add(RowSum *s, const RowSumField *fields, size_t n)
{
    RowText row;
    row.crc = 0;
    row.len = 0;
    for (size_t i = 0; i < n; i++)
        row.len += add_field(room(&row), &fields[i]);
    add_row(s, &row);
}

struct RowSummer {
    RowSum sum;
    RowSumField first; /* the first field of the row before, in `kept` */
    char kept[256], first_text[LONGEST_FIELD];
    size_t first_length;
    struct {
        char text[ONE_BYTE_FIELD];
        unsigned char length;
    } bytes[256];
};

RowSummer *rowsummer_new(void)
{
    RowSummer *r = NEW(RowSummer);
    for (int i = 0; i < 256; i++) {
        char byte = (char)i, text[LONGEST_FIELD] = {0};
        r->bytes[i].length = (unsigned char)add_field(text, &(RowSumField){&byte, 1});
        memcpy(r->bytes[i].text, text, ONE_BYTE_FIELD);
    }
    return r;
}

void rowsummer_free(RowSummer *r)
{
    free(r);
}

RowSum rowsummer_sum(const RowSummer *r)
{
    return r->sum;
}

static size_t add_first(RowSummer *r, char *out, const RowSumField *f)
{
    if (!f->p || f->n > sizeof r->kept)
        return add_field(out, f);
    if (!r->first.p || r->first.n != f->n || memcmp(r->kept, f->p, f->n) != 0) {
        memcpy(r->kept, f->p, f->n);
        r->first = (RowSumField){r->kept, f->n};
        r->first_length = add_field(r->first_text, f);
    }
    memcpy(out, r->first_text, sizeof r->first_text);
    return r->first_length;
}

static size_t add_other(const RowSummer *r, char *out, const RowSumField *f)
{
    if (!f->p || f->n != 1)
        return add_field(out, f);
    unsigned char byte = (unsigned char)*f->p;
    memcpy(out, r->bytes[byte].text, ONE_BYTE_FIELD);
    return r->bytes[byte].length;
}

void rowsummer_add(RowSummer *r, const RowSumField *fields, size_t n)
{
    RowText row;
    row.crc = 0;
    row.len = n ? add_first(r, row.text, &fields[0]) : 0;
    for (size_t i = 1; i < n; i++)
        row.len += add_other(r, room(&row), &fields[i]);
    add_row(&r->sum, &row);
}

void rowsum_join(RowSum *s, const RowSum *other)
{
    s->rows = i64_sum(s->rows, other->rows);
    s->sum += other->sum;
}

char *rowsum_text(const RowSum *s)
{
    return xasprintf("%" PRId64 ":%" PRIu64, s->rows, s->sum);
}

bool rowsum_parse(const char *text, RowSum *ret)
{
    const char *colon = strchr(text, ':');
    char *end;
    long long rows;
    AUTOFREE char *head = colon ? xstrndup(text, (size_t)(colon - text)) : NULL;
    if (!head || !str_to_i64(head, 0, INT64_MAX, &rows) || colon[1] < '0' || colon[1] > '9')
        return false;
    *ret = (RowSum){rows, strtoull(colon + 1, &end, 10)};
    return !*end;
}

void rowsum_sql_exprs(Str *out, const char *database, const char *table, const StrList *exprs,
                      const char *where)
{
    str_adds(out, "SELECT CONCAT(COUNT(*), ':', COALESCE(SUM(CRC32(CONCAT(''");
    for (size_t i = 0; i < exprs->n; i++)
        str_addf(out, ", COALESCE(CONCAT(CRC32(%s), ',', LENGTH(%s), ';'), 'N;')", exprs->v[i], exprs->v[i]);
    str_adds(out, "))), 0)) FROM ");
    db_quote_table(out, database, table);
    if (where)
        str_addf(out, " WHERE %s", where);
}

void rowsum_sql(Str *out, const char *database, const char *table, const StrList *columns, const char *where)
{
    StrList exprs = STRLIST_INIT;
    for (size_t i = 0; i < columns->n; i++) {
        AUTO(str_done) Str name = STR_INIT;
        db_quote_id(&name, columns->v[i]);
        strlist_add(&exprs, str_z(&name));
    }
    rowsum_sql_exprs(out, database, table, &exprs, where);
    strlist_done(&exprs);
}
