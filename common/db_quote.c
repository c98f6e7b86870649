/* SPDX-License-Identifier: Apache-2.0
 * Quoting of identifiers and strings: pure, valid for utf8mb4 and binary connections without
 * NO_BACKSLASH_ESCAPES, which Siding's sessions never set.
 */
#include "db.h"

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
