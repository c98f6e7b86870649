/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* What follows the backslash, 0: the byte needs none. */
static const char sql_escapes[256] = {
    [0] = '0', ['\n'] = 'n', ['\r'] = 'r', [0x1a] = 'Z', ['\\'] = '\\', ['\''] = '\''};
static const char tsv_escapes[256] = {[0] = '0', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['\\'] = '\\'};

static inline char *escape_byte(const char *escapes, char *to, char c)
{
    char e = escapes[(unsigned char)c];
    if (e) {
        *to++ = '\\';
        c = e;
    }
    *to++ = c;
    return to;
}

/* Sixteen bytes at a time while none is a quote, a backslash or below a blank. */
static char *escape(const char *escapes, char *to, const char *p, size_t n)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('\''), slash = _mm_set1_epi8('\\'), low = _mm_set1_epi8(0x1f);
    while (n >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, low), v));
        unsigned bits = (unsigned)_mm_movemask_epi8(hit);
        size_t plain = bits ? (size_t)__builtin_ctz(bits) : 16;
        _mm_storeu_si128((__m128i *)(void *)to, v);
        p += plain;
        to += plain;
        n -= plain;
        if (bits) {
            to = escape_byte(escapes, to, *p++);
            n--;
        }
    }
#endif
    for (; n; n--)
        to = escape_byte(escapes, to, *p++);
    return to;
}

static char *copy(char *to, const char *p, size_t n)
{
    memcpy(to, p, n);
    return to + n;
}

static char *hex(char *to, const char *p, size_t n)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < n; i++) {
        *to++ = digits[(unsigned char)p[i] >> 4];
        *to++ = digits[(unsigned char)p[i] & 15];
    }
    return to;
}

/* ---- a value's begin, bytes and end --------------------------------------------------------------- */

char *format_value_begin(const Format *f, char *to, size_t column, size_t n)
{
    if (column)
        *to++ = f->kind == FORMAT_SQL ? ',' : '\t';
    if (f->kind == FORMAT_TSV)
        return to;
    switch (f->kinds[column]) {
    case VALUE_NUMBER:
    case VALUE_REAL:
        break;
    case VALUE_WORDS:
        to = copy(to, "_utf8mb4'", 9);
        break;
    case VALUE_TEXT:
        *to++ = '\'';
        break;
    case VALUE_HEX:
        if (n > FORMAT_LONGEST_HEX)
            to = copy(to, "_binary'", 8);
        else
            to = copy(to, n ? "0x" : "''", 2); /* a bare 0x is an error */
        break;
    }
    return to;
}

char *format_value_bytes(const Format *f, char *to, size_t column, size_t whole, const char *p, size_t n)
{
    if (f->kind == FORMAT_TSV)
        return escape(tsv_escapes, to, p, n);
    switch (f->kinds[column]) {
    case VALUE_NUMBER:
        return copy(to, p, n);
    case VALUE_REAL:
        to = copy(to, p, n);
        /* As an exact number it would lose its sign. */
        return (n == 2 && memcmp(p, "-0", 2) == 0) || (n == 4 && memcmp(p, "-0.0", 4) == 0)
                   ? copy(to, "e0", 2)
                   : to;
    case VALUE_HEX:
        if (whole <= FORMAT_LONGEST_HEX)
            return hex(to, p, n);
        break;
    case VALUE_WORDS:
    case VALUE_TEXT:
        break;
    }
    return escape(sql_escapes, to, p, n);
}

char *format_value_end(const Format *f, char *to, size_t column, size_t n)
{
    ValueKind kind = f->kinds[column];
    if (f->kind == FORMAT_SQL &&
        (kind == VALUE_TEXT || kind == VALUE_WORDS || (kind == VALUE_HEX && n > FORMAT_LONGEST_HEX)))
        *to++ = '\'';
    return to;
}

char *format_null(const Format *f, char *to, size_t column)
{
    if (column)
        *to++ = f->kind == FORMAT_SQL ? ',' : '\t';
    return f->kind == FORMAT_SQL ? copy(to, "NULL", 4) : copy(to, "\\N", 2);
}

char *format_row_begin(const Format *f, char *to)
{
    if (f->kind == FORMAT_SQL)
        *to++ = '(';
    return to;
}

char *format_row_end(const Format *f, char *to)
{
    *to++ = f->kind == FORMAT_SQL ? ')' : '\n';
    return to;
}

/* ---- rows ----------------------------------------------------------------------------------------- */

size_t format_most(const Value *values, size_t n)
{
    size_t most = 2 * FORMAT_EDGE;
    for (size_t i = 0; i < n; i++)
        most += 2 * values[i].n + FORMAT_EDGE;
    return most + 16; /* escape() stores sixteen bytes at a time */
}

char *format_row(const Format *f, char *to, const Value *values)
{
    to = format_row_begin(f, to);
    for (size_t i = 0; i < f->n; i++) {
        const Value *v = &values[i];
        if (!v->p) {
            to = format_null(f, to, i);
            continue;
        }
        to = format_value_begin(f, to, i, v->n);
        to = format_value_bytes(f, to, i, v->n, v->p, v->n);
        to = format_value_end(f, to, i, v->n);
    }
    return format_row_end(f, to);
}

/* ---- statements ----------------------------------------------------------------------------------- */

void format_insert_head(Str *out, const DumpTable *t)
{
    str_adds(out, "INSERT INTO ");
    db_quote_id(out, t->name);
    const char *sep = " (";
    for (size_t i = 0; i < t->n_columns; i++) {
        if (t->columns[i].generated)
            continue;
        str_adds(out, sep);
        db_quote_id(out, t->columns[i].name);
        sep = ",";
    }
    str_addf(out, "%s) VALUES\n", *sep == ',' ? "" : sep);
}

/* A column whose type takes no binary string is read into a variable and named utf8mb4; so is a number that
 * stands for members. */
void format_load_data(Str *out, const DumpTable *t)
{
    AUTO(str_done) Str set = STR_INIT;
    str_adds(out, "LOAD DATA LOCAL INFILE '%s' INTO TABLE ");
    db_quote_id(out, t->name);
    str_adds(out,
             " CHARACTER SET binary FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'");
    const char *sep = " (";
    for (size_t i = 0; i < t->n_columns; i++) {
        const Column *c = &t->columns[i];
        if (c->generated)
            continue;
        str_adds(out, sep);
        sep = ",";
        if (c->kind != VALUE_WORDS && !c->by_number) {
            db_quote_id(out, c->name);
            continue;
        }
        str_addf(out, "@v%zu", i);
        str_adds(&set, set.len ? ", " : " SET ");
        db_quote_id(&set, c->name);
        /* Read as a text it would be looked for among the members first. */
        str_addf(&set, c->by_number ? " = CAST(@v%zu AS UNSIGNED)" : " = CONVERT(@v%zu USING utf8mb4)", i);
    }
    str_addf(out, "%s)%s", *sep == ',' ? "" : " (@none", str_z(&set));
}

void format_column_expr(Str *out, const Column *c)
{
    str_adds(out, c->read_before ? c->read_before : "");
    db_quote_id(out, c->name);
    str_adds(out, c->read_after ? c->read_after : "");
}
