/* SPDX-License-Identifier: Apache-2.0
 * Quoting of identifiers and strings, and binding of values as literals: pure, valid for utf8mb4 and binary
 * connections without NO_BACKSLASH_ESCAPES, which Siding's sessions never set.
 */
#include "db.h"

#include <inttypes.h>
#include <string.h>

void db_quote_id(Str *out, const char *name)
{
    str_addc(out, '`');
    for (; *name; name++) {
        if (*name == '`')
            str_addc(out, '`');
        str_addc(out, *name);
    }
    str_addc(out, '`');
}

void db_quote_table(Str *out, const char *db, const char *table)
{
    db_quote_id(out, db);
    str_addc(out, '.');
    db_quote_id(out, table);
}

void db_quote_ids(Str *out, const StrList *names)
{
    for (size_t i = 0; i < names->n; i++) {
        str_adds(out, i ? ", " : "");
        db_quote_id(out, names->v[i]);
    }
}

static char escape_of(char c)
{
    switch (c) {
    case 0:
        return '0';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\x1a':
        return 'Z';
    case '\\':
    case '\'':
    case '"':
        return c;
    default:
        return 0;
    }
}

void db_quote_str(Str *out, const char *bytes, size_t n)
{
    str_reserve(out, n + 2);
    str_addc(out, '\'');
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        char e = escape_of(bytes[i]);
        if (!e)
            continue;
        str_add(out, bytes + from, i - from);
        str_addc(out, '\\');
        str_addc(out, e);
        from = i + 1;
    }
    str_add(out, bytes + from, n - from);
    str_addc(out, '\'');
}

bool db_split_table(const char *name, char **ret_db, char **ret_table)
{
    const char *dot = name ? strchr(name, '.') : NULL;
    if (!dot || dot == name || !dot[1])
        return false;
    *ret_db = xstrndup(name, (size_t)(dot - name));
    *ret_table = xstrdup(dot + 1);
    return true;
}

/* The length of a quoted text or comment at `p`, 0 if neither begins here. */
static size_t opaque(const char *p)
{
    if (p[0] == '/' && p[1] == '*') {
        const char *end = strstr(p + 2, "*/");
        return end ? (size_t)(end + 2 - p) : strlen(p);
    }
    if (*p == '#' || (p[0] == '-' && p[1] == '-' && strchr(" \t\n", p[2])))
        return strcspn(p, "\n");
    if (!strchr("'\"`", *p))
        return 0;
    size_t n = 1;
    while (p[n] && p[n] != *p)
        n += p[n] == '\\' && *p != '`' && p[n + 1] ? 2 : 1;
    return n + (p[n] != 0); /* a doubled quote just begins the next text */
}

static bool bind_one(Str *out, char letter, va_list *ap)
{
    if (letter == 'i') {
        str_addf(out, "%" PRId64, va_arg(*ap, int64_t));
        return true;
    }
    const char *bytes = va_arg(*ap, const char *);
    size_t n = letter == 'b' ? va_arg(*ap, size_t) : bytes ? strlen(bytes) : 0;
    if (!bytes) {
        str_adds(out, "NULL");
        return true;
    }
    if (letter == 'b')
        str_adds(out, "_binary");
    db_quote_str(out, bytes, n);
    return letter == 'b' || letter == 's';
}

bool db_bind(Str *out, const char *sql, const char *fmt, va_list ap, Err *err)
{
    va_list values;
    va_copy(values, ap);
    const char *letter = fmt;
    bool ok = true;
    for (const char *p = sql; *p && ok;) {
        size_t n = opaque(p);
        if (*p != '?' || n) {
            str_add(out, p, n ? n : 1);
            p += n ? n : 1;
            continue;
        }
        ok = *letter && bind_one(out, *letter++, &values);
        p++;
    }
    va_end(values);
    if (!ok || *letter)
        return err_set(err, ERR_DB, 0, "the statement does not take %zu values: %.200s", strlen(fmt), sql);
    return true;
}
