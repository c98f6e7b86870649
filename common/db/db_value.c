/* SPDX-License-Identifier: Apache-2.0
 * Values of rows, whoever gives the rows: the client library, or the script of a test.
 */
#include <stdlib.h>

#include "db.h"

bool db_query(Db *db, DbRows **ret, Err *err, const char *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = db_query_v(db, ret, err, sql, fmt, ap);
    va_end(ap);
    return ok;
}

const char *db_text(const DbRows *r, const char *name)
{
    int i = name ? db_column_index(r, name) : -1;
    const char *p = i < 0 ? NULL : db_field(r, (size_t)i, NULL);
    return p ? p : "";
}

int64_t db_int(const DbRows *r, const char *name)
{
    return strtoll(db_text(r, name), NULL, 10);
}

static bool value_v(Db *db, char **ret, Err *err, const char *sql, const char *fmt, va_list ap)
{
    DbRows *r;
    bool more;
    if (!db_query_v(db, &r, err, sql, fmt, ap))
        return false;
    bool ok = db_next(r, &more, err);
    if (ok && !more)
        ok = err_set(err, ERR_NOT_FOUND, 0, "no row for: %.200s", sql);
    if (ok) {
        size_t n;
        const char *p = db_field(r, 0, &n);
        *ret = p ? xstrndup(p, n) : NULL;
    }
    db_rows_free(r);
    return ok;
}

bool db_value(Db *db, char **ret, Err *err, const char *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = value_v(db, ret, err, sql, fmt, ap);
    va_end(ap);
    return ok;
}

bool db_value_int(Db *db, int64_t *ret, Err *err, const char *sql, const char *fmt, ...)
{
    AUTOFREE char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    bool ok = value_v(db, &text, err, sql, fmt, ap);
    va_end(ap);
    if (ok)
        *ret = text ? strtoll(text, NULL, 10) : 0;
    return ok;
}
