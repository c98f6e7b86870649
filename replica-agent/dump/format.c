/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

#include <string.h>

static void add_hex(Str *out, const char *p, size_t n)
{
    static const char digits[] = "0123456789ABCDEF";
    str_reserve(out, 2 * n + 2);
    str_add(out, "0x", 2);
    char *to = out->p + out->len;
    for (size_t i = 0; i < n; i++) {
        *to++ = digits[(unsigned char)p[i] >> 4];
        *to++ = digits[(unsigned char)p[i] & 15];
    }
    *to = 0;
    out->len += 2 * n;
}

void format_value(Str *out, ValueKind kind, const char *p, size_t n)
{
    if (!p) {
        str_add(out, "NULL", 4);
        return;
    }
    switch (kind) {
    case VALUE_NUMBER:
        str_add(out, p, n);
        break;
    case VALUE_REAL:
        str_add(out, p, n);
        if ((n == 2 && memcmp(p, "-0", 2) == 0) || (n == 4 && memcmp(p, "-0.0", 4) == 0))
            str_add(out, "e0", 2); /* as an exact number it would lose its sign */
        break;
    case VALUE_WORDS:
        str_adds(out, "_utf8mb4");
        db_quote_str(out, p, n);
        break;
    case VALUE_TEXT:
        db_quote_str(out, p, n);
        break;
    case VALUE_HEX:
        if (n)
            add_hex(out, p, n);
        else
            str_add(out, "''", 2); /* a bare 0x is an error */
        break;
    }
}

void format_row(Str *out, const ValueKind *kinds, const Value *values, size_t n)
{
    str_addc(out, '(');
    for (size_t i = 0; i < n; i++) {
        if (i)
            str_addc(out, ',');
        format_value(out, kinds[i], values[i].p, values[i].n);
    }
    str_addc(out, ')');
}

void format_insert_head(Str *out, const Table *t)
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
    str_adds(out, ") VALUES\n");
}

void format_column_expr(Str *out, const Column *c)
{
    str_adds(out, c->read_before ? c->read_before : "");
    db_quote_id(out, c->name);
    str_adds(out, c->read_after ? c->read_after : "");
}

size_t format_stored_columns(const Table *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_columns; i++)
        n += !t->columns[i].generated;
    return n;
}
