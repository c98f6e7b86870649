/* SPDX-License-Identifier: Apache-2.0 */
#include "ddl.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/str.h"

typedef struct Word {
    const char *p;
    size_t n; /* 0: the end, or something that is no word */
} Word;

static const char *skip_blank(const char *p)
{
    for (;;) {
        while (isspace((unsigned char)*p))
            p++;
        const char *end = p[0] == '/' && p[1] == '*' && p[2] != '!' ? strstr(p + 2, "*/") : NULL;
        if (!end)
            return p;
        p = end + 2;
    }
}

static Word word_at(const char *p)
{
    Word w = {skip_blank(p), 0};
    while (isalpha((unsigned char)w.p[w.n]) || w.p[w.n] == '_')
        w.n++;
    return w;
}

static Word next_word(Word w)
{
    return word_at(w.p + w.n);
}

static bool is(Word w, const char *name)
{
    return strlen(name) == w.n && strncasecmp(w.p, name, w.n) == 0;
}

static bool is_one_of(Word w, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is(w, names[i]))
            return true;
    return false;
}

static char *insert_after(const char *sql, Word w, const char *text)
{
    size_t at = (size_t)(w.p + w.n - sql);
    return xasprintf("%.*s %s%s", (int)at, sql, text, sql + at);
}

/* Behind a quoted name, or one byte on. */
static const char *step_over(const char *p)
{
    if (*p != '`' && *p != '\'' && *p != '"')
        return p + 1;
    const char *end = strchr(p + 1, *p);
    return end ? end + 1 : p + strlen(p);
}

/* What is created stands behind "OR REPLACE", "DEFINER=…", "UNIQUE" and the like. */
static Word find_kind(Word after)
{
    static const char *const kinds[] = {"TABLE",   "SEQUENCE", "VIEW",     "PROCEDURE", "FUNCTION",
                                        "TRIGGER", "EVENT",    "USER",     "ROLE",      "INDEX",
                                        "SERVER",  "PACKAGE",  "DATABASE", "SCHEMA"};
    const char *p = after.p + after.n;
    while (*p) {
        Word w = word_at(p);
        if (is_one_of(w, kinds, COUNT(kinds)))
            return w;
        p = w.n ? w.p + w.n : *w.p ? step_over(w.p) : w.p;
    }
    return (Word){p, 0};
}

static char *create_again(const char *sql, Word create)
{
    Word kind = find_kind(create), behind = next_word(kind);
    if (!kind.n || is(next_word(create), "OR") || is(behind, "IF"))
        return NULL;
    /* CREATE OR REPLACE DATABASE would empty it. */
    if (is(kind, "DATABASE") || is(kind, "SCHEMA"))
        return insert_after(sql, kind, "IF NOT EXISTS");
    return insert_after(sql, create, "OR REPLACE");
}

static char *drop_again(const char *sql, Word drop)
{
    Word kind = find_kind(drop);
    if (kind.n && kind.p == next_word(drop).p) {
        Word behind = next_word(kind);
        if (is(kind, "PACKAGE") && is(behind, "BODY")) {
            kind = behind;
            behind = next_word(kind);
        }
        if (!is(behind, "IF"))
            return insert_after(sql, kind, "IF EXISTS");
    }
    return NULL;
}

char *ddl_again(const char *sql)
{
    if (!sql)
        return NULL;
    Word first = word_at(sql);
    if (is(first, "CREATE"))
        return create_again(sql, first);
    if (is(first, "DROP"))
        return drop_again(sql, first);
    return NULL;
}

/* "name", "`na``me`": *p behind it. NULL: there is none. */
static char *take_name(const char **p)
{
    Str name = STR_INIT;
    const char *s = skip_blank(*p);
    char quote = *s == '`' || *s == '"' ? *s++ : 0;
    for (; *s && (quote ? *s != quote || s[1] == quote : isalnum((unsigned char)*s) || strchr("_$", *s));
         s++) {
        if (quote && *s == quote)
            s++;
        str_addc(&name, *s);
    }
    *p = quote && *s ? s + 1 : s;
    if (name.len && (!quote || *s))
        return str_take(&name);
    str_done(&name);
    return NULL;
}

bool ddl_created_table(const char *sql, char **ret_schema, char **ret_name)
{
    Word create = word_at(sql ? sql : ""), kind = find_kind(create), behind = next_word(kind);
    *ret_schema = NULL;
    if (!is(create, "CREATE") || !is(kind, "TABLE"))
        return false;
    if (is(behind, "IF"))
        kind = next_word(next_word(behind));
    const char *p = kind.p + kind.n;
    *ret_name = take_name(&p);
    if (*ret_name && *p == '.') {
        p++;
        *ret_schema = *ret_name;
        *ret_name = take_name(&p);
    }
    if (*ret_name)
        return true;
    free(*ret_schema);
    *ret_schema = NULL;
    return false;
}

static bool begins(const char *sql, const char *name)
{
    return sql && is(word_at(sql), name);
}

DdlVerdict ddl_judge(const DdlText *own, const DdlText *next, size_t n_next, size_t *ret_index)
{
    if (!own->sql)
        return DDL_FOREIGN;
    for (size_t i = 0; i < n_next; i++)
        if (str_eq(own->sql, next[i].sql) && str_eq(own->schema, next[i].schema)) {
            *ret_index = i;
            return DDL_DONE;
        }
    bool by_recovery =
        begins(own->sql, "DROP") && strstr(own->sql, " IF EXISTS ") && strstr(own->sql, "/* generated by");
    for (size_t i = 0; by_recovery && i < n_next; i++)
        if (begins(next[i].sql, "DROP") || begins(next[i].sql, "CREATE")) {
            *ret_index = i;
            return DDL_AGAIN;
        }
    return DDL_FOREIGN;
}
