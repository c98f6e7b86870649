/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/proof.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/db/sqltext.h"
#include "common/db/warnings.h"
#include "replica-agent/index/source.h"

static const char WORD[] = ":frozen_at";
static const char ANCIENT[] = "'1970-01-02 00:00:00.000'"; /* within TIMESTAMP, and before any record */

/* ---- text ----------------------------------------------------------------------------------------- */

enum { MOST_TOKENS = 20000 };

typedef struct Tokens {
    SqlToken *v;
    size_t n;
} Tokens;

static bool cut(const char *text, Tokens *ret, Err *err)
{
    SqlToken t = {0};
    for (const char *p = text; sqltext_next(p, &t, err); p = t.p + t.n) {
        if (t.kind == SQL_END)
            return true;
        if (ret->n == MOST_TOKENS)
            return err_set(err, ERR_CONFIG, 0, "more than %d words", MOST_TOKENS);
        if (t.kind == SQL_CODE || t.kind == SQL_QUOTED) {
            ret->v = xrealloc(ret->v, (ret->n + 1) * sizeof t);
            ret->v[ret->n++] = t;
        }
    }
    return false;
}

static bool is_char(const Tokens *t, size_t i, char c)
{
    return i < t->n && t->v[i].kind == SQL_CODE && t->v[i].n == 1 && *t->v[i].p == c;
}

static bool is_one_of(const SqlToken *t, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (t->kind == SQL_CODE && t->n == strlen(words[i]) && strncasecmp(t->p, words[i], t->n) == 0)
            return true;
    return false;
}

/* A word before a parenthesis that is no function. */
static bool is_function(const SqlToken *t)
{
    static const char *const others[] = {"AND",    "OR",   "NOT",    "XOR",  "WHERE",  "ON",   "IN",
                                         "SELECT", "WHEN", "THEN",   "ELSE", "HAVING", "FROM", "BETWEEN",
                                         "UNION",  "ALL",  "EXISTS", "LIKE", "IS",     "ANY",  "SOME"};
    return t->kind == SQL_CODE && (isalpha((unsigned char)*t->p) || *t->p == '_') &&
           !is_one_of(t, others, COUNT(others));
}

/* The parenthesis that encloses token `at`; SIZE_MAX: none. */
static size_t opening(const Tokens *t, size_t at)
{
    int depth = 0;
    for (size_t i = at; i-- > 0;) {
        depth += is_char(t, i, ')');
        if (is_char(t, i, '(') && depth-- == 0)
            return i;
    }
    return SIZE_MAX;
}

static size_t closing(const Tokens *t, size_t open)
{
    int depth = 0;
    for (size_t i = open; i < t->n; i++) {
        depth += is_char(t, i, '(');
        if (is_char(t, i, ')') && --depth == 0)
            return i;
    }
    return t->n - 1;
}

/* The calls around the word: CONVERT_TZ(:frozen_at, 'UTC', 'Europe/Paris'). Owned. */
static char *calls_around(const Tokens *t, size_t at)
{
    size_t from = at, to = at;
    for (size_t open; (open = opening(t, from)) != SIZE_MAX && open > 0 && is_function(&t->v[open - 1]);) {
        from = open - 1;
        to = closing(t, open);
    }
    const char *end = t->v[to].p + t->v[to].n;
    return xstrndup(t->v[from].p, (size_t)(end - t->v[from].p));
}

/* ---- is the comparison NULL? ---------------------------------------------------------------------- */

static bool check_value(Db *db, const char *expression, Err *err)
{
    Err ignored;
    AUTO(str_done) Str sql = STR_INIT;
    AUTOFREE char *value = NULL;
    size_t n;
    str_adds(&sql, "SELECT ");
    sqltext_replace(expression, WORD, "'2020-01-02 03:04:05.000'", &sql, &n);
    if (!db_value(db, &value, &ignored, str_z(&sql), "")) /* of columns, say: then the rows tell */
        return true;
    return value ||
           err_set(err, ERR_REFUSED, 0,
                   "changed_since: %s is NULL on this server, so nothing is ever later and no change "
                   "would be found. With CONVERT_TZ, load the time zone tables (mariadb-tzinfo-to-sql, "
                   "mysql_tzinfo_to_sql), or compare in UTC",
                   expression);
}

static bool check_values(Db *db, const Tokens *t, Err *err)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->v[i].kind != SQL_CODE || t->v[i].n != sizeof WORD - 1 ||
            strncmp(t->v[i].p, WORD, t->v[i].n) != 0)
            continue;
        AUTOFREE char *expression = calls_around(t, i);
        if (!check_value(db, expression, err))
            return false;
    }
    return true;
}

/* ---- does it find anything? ----------------------------------------------------------------------- */

static bool has_row(Db *db, const char *sql, bool *ret, Err *err)
{
    DbRows *rows;
    if (!db_query(db, &rows, err, sql, ""))
        return false;
    bool ok = db_next(rows, ret, err);
    db_rows_free(rows);
    return ok;
}

/* "db.`table`" behind FROM or JOIN at token i. */
static bool table_at(const Tokens *t, size_t i, Str *out)
{
    static const char *const before[] = {"FROM", "JOIN"};
    if (!is_one_of(&t->v[i], before, COUNT(before)) || i + 1 >= t->n || is_char(t, i + 1, '('))
        return false;
    str_add(out, t->v[i + 1].p, t->v[i + 1].n);
    for (size_t k = i + 2; k + 1 < t->n && is_char(t, k, '.'); k += 2) {
        str_addc(out, '.');
        str_add(out, t->v[k + 1].p, t->v[k + 1].n);
    }
    return true;
}

/* Its tables have no row: a change that is not there cannot be found. */
static bool source_is_empty(Db *db, const Tokens *t, bool *ret, Err *err)
{
    *ret = true;
    for (size_t i = 0; *ret && i < t->n; i++) {
        AUTO(str_done) Str table = STR_INIT;
        bool some = false;
        if (!table_at(t, i, &table))
            continue;
        AUTOFREE char *sql = xasprintf("SELECT 1 FROM %s LIMIT 1", str_z(&table));
        if (!has_row(db, sql, &some, err))
            return false;
        *ret = !some;
    }
    return true;
}

static bool check_ancient(Db *db, const IndexDefinition *d, const Tokens *t, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    bool some = false, empty = false;
    size_t n;
    str_adds(&sql, "SELECT * FROM (");
    sqltext_replace(d->changed_since, WORD, ANCIENT, &sql, &n);
    str_adds(&sql, ") AS changes LIMIT 1");
    if (!n)
        return err_set(err, ERR_CONFIG, 0,
                       "changed_since does not use :frozen_at outside quotes and comments");
    if (!has_row(db, str_z(&sql), &some, err))
        return err_prefix(err, "changed_since");
    if (!warnings_check(db, WARNINGS_READ, "changed_since", err))
        return false;
    if (some)
        return true;
    if (!source_is_empty(db, t, &empty, err))
        return err_prefix(err, "changed_since");
    return empty ||
           err_set(err, ERR_REFUSED, 0,
                   "changed_since finds no key for changes since 1970, though its tables have rows: it "
                   "would find no change either. Is the column it compares NULL, or of another type?");
}

bool proof_of_index(Db *db, const IndexDefinition *d, Err *err)
{
    FieldSource source;
    Tokens t = {NULL, 0};
    if (!source_open(db, d, &source, err))
        return false;
    source_close(&source);
    if (!str_eq(d->on_change, "delta"))
        return true;
    bool ok = cut(d->changed_since, &t, err) || err_prefix(err, "changed_since");
    ok = ok && check_values(db, &t, err) && check_ancient(db, d, &t, err);
    free(t.v);
    return ok;
}
