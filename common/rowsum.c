/* SPDX-License-Identifier: Apache-2.0 */
#include "rowsum.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "gz.h"

enum { LONGEST_FIELD = 48 };

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

void rowsum_add(RowSum *s, const RowSumField *fields, size_t n)
{
    uint32_t row = 0;
    char text[512];
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (len + LONGEST_FIELD > sizeof text) {
            row = gz_crc32(row, text, len);
            len = 0;
        }
        len += add_field(text + len, &fields[i]);
    }
    row = gz_crc32(row, text, len);
    s->rows++;
    s->sum += row;
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
