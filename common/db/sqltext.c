/* SPDX-License-Identifier: Apache-2.0 */
#include "sqltext.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c > 127 || (c && strchr("_$@:", c));
}

static bool quoted(const char *p, SqlToken *ret, Err *err)
{
    char quote = *p;
    size_t n = 1;
    while (p[n] && (p[n] != quote || p[n + 1] == quote))
        n += (p[n] == '\\' && quote != '`' && p[n + 1]) || p[n] == quote ? 2 : 1;
    *ret = (SqlToken){SQL_QUOTED, p, n + 1};
    return p[n] || err_set(err, ERR_CONFIG, 0, "the text that begins with %.20s has no end", p);
}

/* A server takes "--" for a comment only before a blank or at the end. */
static bool begins_line_comment(const char *p)
{
    return *p == '#' || (p[0] == '-' && p[1] == '-' && (!p[2] || isspace((unsigned char)p[2])));
}

/* The head of what the servers run, or take for a hint, all the same: what is in it is code. 0: none. */
static size_t executed_head(const char *p)
{
    size_t n = p[2] == '!' || p[2] == '+' ? 3 : p[2] == 'M' && p[3] == '!' ? 4 : 0;
    return n ? n + strspn(p + n, "0123456789") : 0;
}

static bool block(const char *p, SqlToken *ret, Err *err)
{
    size_t head = executed_head(p);
    const char *end = strstr(p + 2, "*/");
    *ret = (SqlToken){head ? SQL_CODE : SQL_COMMENT, p, head ? head : end ? (size_t)(end + 2 - p) : 0};
    return end || err_set(err, ERR_CONFIG, 0, "the comment that begins with %.20s has no end", p);
}

static size_t span(const char *p, bool (*is)(char))
{
    size_t n = 0;
    while (p[n] && is(p[n]))
        n++;
    return n;
}

static bool is_blank(char c)
{
    return isspace((unsigned char)c);
}

bool sqltext_next(const char *p, SqlToken *ret, Err *err)
{
    if (*p == '\'' || *p == '"' || *p == '`')
        return quoted(p, ret, err);
    if (p[0] == '/' && p[1] == '*')
        return block(p, ret, err);
    size_t n = span(p, is_blank);
    if (begins_line_comment(p))
        *ret = (SqlToken){SQL_COMMENT, p, strcspn(p, "\n")};
    else if (n)
        *ret = (SqlToken){SQL_BLANK, p, n};
    else if (!*p)
        *ret = (SqlToken){SQL_END, p, 0};
    else
        *ret = (SqlToken){SQL_CODE, p, (n = span(p, is_word)) ? n : 1};
    return true;
}

/* ---- one SELECT ----------------------------------------------------------------------------------- */

typedef struct Shape {
    int depth;
    bool begun;
    char *first; /* its first word */
} Shape;

static bool follow(Shape *s, const SqlToken *t, Err *err)
{
    s->depth += *t->p == '(';
    s->depth -= *t->p == ')';
    if (*t->p == ';')
        return err_set(err, ERR_CONFIG, 0, "holds a semicolon: give one SELECT without it");
    if (s->depth < 0)
        return err_set(err, ERR_CONFIG, 0, "closes a parenthesis that it did not open");
    if (!s->begun && *t->p != '(' && *t->p != '/') {
        s->begun = true;
        s->first = xstrndup(t->p, t->n);
    }
    return true;
}

static bool judge(const Shape *s, Err *err)
{
    static const char *const known[] = {"SELECT", "WITH", "VALUES"};
    if (s->depth)
        return err_set(err, ERR_CONFIG, 0, "does not close a parenthesis");
    for (size_t i = 0; s->first && i < COUNT(known); i++)
        if (strcasecmp(s->first, known[i]) == 0)
            return true;
    return err_set(err, ERR_CONFIG, 0, "is not a SELECT");
}

bool sqltext_select(const char *text, char **ret, Err *err)
{
    Str out = STR_INIT;
    Shape shape = {0};
    SqlToken t = {0};
    bool ok;
    for (const char *p = text; (ok = sqltext_next(p, &t, err)) && t.kind != SQL_END; p = t.p + t.n) {
        if (t.kind == SQL_COMMENT)
            str_addc(&out, ' ');
        else
            str_add(&out, t.p, t.n);
        if (t.kind == SQL_CODE && !(ok = follow(&shape, &t, err)))
            break;
    }
    ok = ok && judge(&shape, err);
    free(shape.first);
    if (!ok) {
        str_done(&out);
        return false;
    }
    *ret = str_take(&out);
    return true;
}

void sqltext_replace(const char *text, const char *word, const char *by, Str *out, size_t *ret)
{
    Err ignored;
    SqlToken t = {0};
    size_t n = strlen(word);
    *ret = 0;
    for (const char *p = text; sqltext_next(p, &t, &ignored) && t.kind != SQL_END; p = t.p + t.n) {
        bool hit = t.kind == SQL_CODE && t.n == n && strncmp(t.p, word, n) == 0;
        *ret += hit;
        if (hit)
            str_adds(out, by);
        else
            str_add(out, t.p, t.n);
    }
}
