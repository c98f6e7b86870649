/* SPDX-License-Identifier: Apache-2.0 */
#include "blame.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/text.h"

typedef struct BlamedRow {
    const char *p;
    size_t n;
} BlamedRow;

typedef struct Rows {
    BlamedRow *v;
    size_t n;
} Rows;

/* ---- rows of a statement -------------------------------------------------------------------------- */

/* Behind a text or name in quotes, or `end`. */
static const char *skip_quoted(const char *p, const char *end)
{
    for (char quote = *p++; p < end; p++) {
        if (*p == '\\' && quote != '`')
            p++;
        else if (*p == quote && ++p < end && *p != quote)
            return p;
    }
    return end;
}

static const char *skip_between(const char *p, const char *end)
{
    while (p < end && *p && strchr(" \t\r\n,", *p))
        p++;
    return p;
}

const char *blame_rows_of(const char *sql, size_t n)
{
    static const char word[] = "VALUES";
    const char *end = sql + n;
    for (const char *p = sql; p < end;) {
        if (*p && strchr("'\"`", *p)) {
            p = skip_quoted(p, end);
        } else if ((size_t)(end - p) > sizeof word && strncasecmp(p, word, sizeof word - 1) == 0) {
            p = skip_between(p + sizeof word - 1, end);
            return p < end && *p == '(' ? p : NULL;
        } else {
            p++;
        }
    }
    return NULL;
}

bool blame_next_row(const char **at, const char *end, const char **ret, size_t *ret_n)
{
    const char *from = skip_between(*at, end);
    int depth = 0;
    for (const char *p = from; p < end;) {
        if (*p && strchr("'\"`", *p)) {
            p = skip_quoted(p, end);
            continue;
        }
        depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
        p++;
        if (depth > 0)
            continue;
        *ret = from;
        *ret_n = (size_t)(p - from);
        *at = p;
        return *from == '(';
    }
    return false;
}

static void cut_rows(const char *at, const char *end, Rows *ret)
{
    BlamedRow row;
    size_t room = 0;
    while (blame_next_row(&at, end, &row.p, &row.n)) {
        if (ret->n == room)
            ret->v = xrealloc(ret->v, (room = room ? 2 * room : 64) * sizeof(BlamedRow));
        ret->v[ret->n++] = row;
    }
}

/* ---- the row -------------------------------------------------------------------------------------- */

static bool try_rows(Db *db, const char *sql, const Rows *rows, size_t from, size_t to, Err *err)
{
    AUTO(str_done) Str part = STR_INIT;
    const char *begin = rows->v[from].p, *end = rows->v[to - 1].p + rows->v[to - 1].n;
    str_add(&part, sql, (size_t)(rows->v[0].p - sql));
    str_add(&part, begin, (size_t)(end - begin));
    return db_exec(db, err, part.p, "");
}

/* Halves are put in until one row is left, those before it are in then: a key that is there twice is told by
 * the second. False: it is not to be found. */
static bool search(Db *db, const char *sql, const Rows *rows, size_t *ret, Err *ret_err)
{
    size_t from = 0, to = rows->n;
    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;
        Err err;
        if (try_rows(db, sql, rows, from, middle, &err))
            from = middle;
        else if (err.kind == ERR_DB && !db_locked_out(&err))
            to = middle;
        else
            return false;
    }
    *ret = from;
    return !try_rows(db, sql, rows, from, to, ret_err) && ret_err->kind == ERR_DB && !db_locked_out(ret_err);
}

/* "… at row 12" */
static bool said_by_server(const Err *failed, const Rows *rows, size_t *ret)
{
    const char *said = strstr(failed->text, " at row ");
    long number = said ? strtol(said + 8, NULL, 10) : 0;
    if (number < 1 || (size_t)number > rows->n)
        return false;
    *ret = (size_t)number - 1;
    return true;
}

static void excerpt(const BlamedRow *row, Str *out)
{
    enum { BYTES = 400, COLUMNS = 60 };
    AUTOFREE char *begin = xstrndup(row->p, row->n < BYTES ? row->n : BYTES);
    AUTO(str_done) Str clean = STR_INIT;
    text_clean(&clean, begin);
    text_cut(out, str_z(&clean), COLUMNS);
}

bool blame_row(Db *db, const char *sql, size_t n, int64_t number, bool in_transaction, const Err *failed,
               Err *err)
{
    Rows rows = {0};
    Err own = *failed, undo;
    size_t row = 0;
    AUTO(str_done) Str text = STR_INIT;
    const char *at = blame_rows_of(sql, n);
    if (at)
        cut_rows(at, sql + n, &rows);
    bool found =
        rows.n && (in_transaction ? search(db, sql, &rows, &row, &own) : said_by_server(failed, &rows, &row));
    if (in_transaction && !db_exec(db, &undo, "ROLLBACK", ""))
        found = false; /* the connection is gone, and what was tried with it */
    if (found)
        excerpt(&rows.v[row], &text);
    free(rows.v);
    if (!found)
        return err_set(err, failed->kind, failed->code, "INSERT %lld of the file: %.800s", (long long)number,
                       failed->text);
    return err_set(err, own.kind, own.code, "INSERT %lld of the file, row %zu: %.600s; the row begins %s",
                   (long long)number, row + 1, own.text, str_z(&text));
}
