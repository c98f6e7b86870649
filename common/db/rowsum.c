/* SPDX-License-Identifier: Apache-2.0 */
#include "rowsum.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file/crc.h"
#include "db.h"

/* "CRC,LENGTH;" of a value of up to 9999 bytes: 16 bytes hold it. */
typedef struct FieldText {
    uint64_t low, high; /* the first byte in the lowest */
    unsigned n;
} FieldText;

enum { TEXT_MAX_VALUE = 9999 };

static inline void put(FieldText *t, uint64_t bytes, unsigned n)
{
    if (t->n < 8) {
        t->low |= bytes << 8 * t->n;
        t->high |= t->n ? bytes >> (64 - 8 * t->n) : 0;
    } else {
        t->high |= bytes << 8 * (t->n - 8);
    }
    t->n += n;
}

static inline void put_number(FieldText *t, uint32_t v)
{
    enum { HALF = 100000000 };
    if (v >= HALF) {
        unsigned high = v / HALF;
        put(t, high < 10 ? '0' + high : ('0' + high / 10) | ('0' + high % 10) << 8, 1 + (high >= 10));
        put(t, str_digits8(v % HALF), 8);
        return;
    }
    uint64_t digits = str_digits8(v);
    unsigned zeros = str_zeros8(digits);
    put(t, digits >> 8 * zeros, 8 - zeros);
}

static inline FieldText text_of(uint32_t crc, size_t n)
{
    FieldText t = {0};
    put_number(&t, crc);
    put(&t, ',', 1);
    put_number(&t, (uint32_t)n);
    put(&t, ';', 1);
    return t;
}

static inline uint32_t add_text(uint32_t row, const FieldText *t)
{
    row = crc_add_word(row, t->low, t->n < 8 ? t->n : 8);
    return t->n > 8 ? crc_add_word(row, t->high, t->n - 8) : row;
}

static uint32_t add_long(uint32_t row, uint32_t crc, size_t n)
{
    char text[48];
    size_t length = str_digits(crc, text);
    text[length++] = ',';
    length += str_digits(n, text + length);
    text[length++] = ';';
    return crc_of(row, text, length);
}

/* `row`: the CRC of the row's text so far. */
static inline uint32_t add_field(uint32_t row, const RowSumField *f)
{
    if (!f->p)
        return crc_of(row, "N;", 2);
    uint32_t crc = crc_of(0, f->p, f->n);
    if (f->n > TEXT_MAX_VALUE)
        return add_long(row, crc, f->n);
    FieldText t = text_of(crc, f->n);
    return add_text(row, &t);
}

void rowsum_add(RowSum *s, const RowSumField *fields, size_t n)
{
    uint32_t row = 0;
    for (size_t i = 0; i < n; i++)
        row = add_field(row, &fields[i]);
    s->rows++;
    s->sum += row;
}

/* The text of a value of one byte is of 10 to 13 bytes; a CRC goes over it by what becomes of the CRC when so
 * many zero bytes follow, and the CRC of the text alone. */
enum { BYTE_TEXT = 10, BYTE_TEXTS = 4 };

typedef struct ByteText {
    uint32_t crc;
    unsigned which; /* its length, less BYTE_TEXT */
} ByteText;

struct RowSummer {
    RowSum sum;
    RowSumField first; /* the first field of the row before, in `kept` */
    char kept[256];
    uint32_t first_crc; /* of its text */
    ByteText bytes[256];
    uint32_t zeros[BYTE_TEXTS][4][256]; /* [which][k][b]: of a CRC b << 8 * k */
};

static uint32_t over_zeros(uint32_t crc, size_t n)
{
    while (n--)
        crc = crc >> 8 ^ crc_tables[0][crc & 255];
    return crc;
}

static inline uint32_t add_byte(const RowSummer *r, uint32_t row, unsigned char byte)
{
    const ByteText *t = &r->bytes[byte];
    const uint32_t(*zeros)[256] = r->zeros[t->which];
    return zeros[0][row & 255] ^ zeros[1][row >> 8 & 255] ^ zeros[2][row >> 16 & 255] ^ zeros[3][row >> 24] ^
           t->crc;
}

RowSummer *rowsummer_new(void)
{
    RowSummer *r = NEW(RowSummer);
    for (uint32_t i = 0; i < 256; i++) {
        unsigned char byte = (unsigned char)i;
        FieldText text = text_of(crc_of(0, &byte, 1), 1);
        r->bytes[i] = (ByteText){add_text(0, &text), text.n - BYTE_TEXT};
        for (size_t which = 0; which < BYTE_TEXTS; which++)
            for (unsigned k = 0; k < 4; k++)
                r->zeros[which][k][i] = over_zeros(i << 8 * k, BYTE_TEXT + which);
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

static uint32_t add_first(RowSummer *r, const RowSumField *f)
{
    if (!f->p || f->n > sizeof r->kept)
        return add_field(0, f);
    if (!r->first.p || r->first.n != f->n || memcmp(r->kept, f->p, f->n) != 0) {
        memcpy(r->kept, f->p, f->n);
        r->first = (RowSumField){r->kept, f->n};
        r->first_crc = add_field(0, f);
    }
    return r->first_crc;
}

void rowsummer_add(RowSummer *r, const RowSumField *fields, size_t n)
{
    uint32_t row = n ? add_first(r, &fields[0]) : 0;
    for (size_t i = 1; i < n; i++)
        row = fields[i].p && fields[i].n == 1 ? add_byte(r, row, (unsigned char)*fields[i].p)
                                              : add_field(row, &fields[i]);
    r->sum.rows++;
    r->sum.sum += row;
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
