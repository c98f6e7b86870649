/* SPDX-License-Identifier: Apache-2.0 */
#include "content.h"

#include <string.h>
#include <strings.h>

/* ---- words ---------------------------------------------------------------------------------------- */

typedef struct SqlWord {
    const char *p;
    size_t n;
} SqlWord;

static bool is_wordy(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* A comment of a version that no server has hides what it holds; that of another is code. */
static const char *skip_comment(const char *p)
{
    static const char hidden[] = "/*!999999";
    if (str_starts(p, "/*!") && !str_starts(p, hidden)) {
        for (p += 3; *p >= '0' && *p <= '9';)
            p++;
        return p;
    }
    const char *end = strstr(p + 2, "*/");
    return end ? end + 2 : p + strlen(p);
}

static const char *skip_blanks(const char *p)
{
    for (;;) {
        if (*p && strchr(" \t\r\n", *p))
            p++;
        else if (p[0] == '/' && p[1] == '*')
            p = skip_comment(p);
        else if (p[0] == '*' && p[1] == '/')
            p += 2;
        else if (*p == '#' || (p[0] == '-' && p[1] == '-' && (unsigned char)p[2] <= ' '))
            p += strcspn(p, "\n");
        else
            return p;
    }
}

static const char *end_of_quoted(const char *p)
{
    char quote = *p++;
    for (; *p; p++) {
        if (*p == '\\' && quote != '`' && p[1])
            p++;
        else if (*p == quote && *++p != quote)
            return p;
    }
    return p;
}

static SqlWord take(const char **at)
{
    const char *p = skip_blanks(*at), *end = p;
    if (*p == '`' || *p == '\'' || *p == '"')
        end = end_of_quoted(p);
    else if (is_wordy(*p))
        while (is_wordy(*end))
            end++;
    else if (*p)
        end++;
    *at = end;
    return (SqlWord){p, (size_t)(end - p)};
}

static bool is(SqlWord w, const char *text)
{
    return w.n == strlen(text) && strncasecmp(w.p, text, w.n) == 0;
}

static bool take_if(const char **at, const char *text)
{
    const char *p = *at;
    if (!is(take(&p), text))
        return false;
    *at = p;
    return true;
}

static char *unquoted(SqlWord w)
{
    if (!w.n || *w.p != '`')
        return xstrndup(w.p, w.n);
    Str s = STR_INIT;
    for (size_t i = 1; i + 1 < w.n; i++) {
        str_addc(&s, w.p[i]);
        i += w.p[i] == '`';
    }
    return s.p ? str_take(&s) : xstrdup("");
}

/* ---- statements ----------------------------------------------------------------------------------- */

static char *take_name(const char **at)
{
    char *name = unquoted(take(at));
    if (take_if(at, ".")) {
        free(name);
        name = unquoted(take(at));
    }
    if (*name)
        return name;
    free(name);
    return NULL;
}

static void take_definer(const char **at, const char *sql, Content *c)
{
    const char *p = skip_blanks(*at), *from = p;
    if (!take_if(&p, "DEFINER") || !take_if(&p, "="))
        return;
    take(&p);
    if (take_if(&p, "@"))
        take(&p);
    else if (take_if(&p, "("))
        take(&p);
    c->definer_at = (size_t)(from - sql);
    c->definer_n = (size_t)(p - from);
    *at = p;
}

static const struct {
    const char *word;
    ContentKind kind;
} kinds[] = {
    {"DATABASE", CONTENT_DATABASE}, {"SCHEMA", CONTENT_DATABASE},     {"TABLE", CONTENT_TABLE},
    {"SEQUENCE", CONTENT_SEQUENCE}, {"VIEW", CONTENT_VIEW},           {"TRIGGER", CONTENT_TRIGGER},
    {"FUNCTION", CONTENT_FUNCTION}, {"PROCEDURE", CONTENT_PROCEDURE}, {"PACKAGE", CONTENT_PACKAGE},
    {"EVENT", CONTENT_EVENT},
};

const char *content_kind_name(ContentKind kind)
{
    if (kind == CONTENT_PACKAGE_BODY)
        return "PACKAGE BODY";
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (kinds[i].kind == kind && kind != CONTENT_DATABASE)
            return kinds[i].word;
    return NULL;
}

/* What may stand between CREATE and the kind. */
static bool take_option(const char **at, const char *sql, Content *c)
{
    static const char *const alone[] = {"OR", "REPLACE", "AGGREGATE", "TEMPORARY"};
    const char *before = *at;
    take_definer(at, sql, c);
    if (*at != before)
        return true;
    for (size_t i = 0; i < COUNT(alone); i++)
        if (take_if(at, alone[i]))
            return true;
    if (take_if(at, "ALGORITHM") && take_if(at, "=")) {
        take(at);
        return true;
    }
    if (take_if(at, "SQL") && take_if(at, "SECURITY")) {
        take(at);
        return true;
    }
    return false;
}

static void parse_create(const char *at, const char *sql, Content *c)
{
    while (take_option(&at, sql, c))
        continue;
    SqlWord w = take(&at);
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (is(w, kinds[i].word))
            c->kind = kinds[i].kind;
    if (c->kind == CONTENT_PACKAGE && take_if(&at, "BODY"))
        c->kind = CONTENT_PACKAGE_BODY;
    if (take_if(&at, "IF"))
        while (take_if(&at, "NOT") || take_if(&at, "EXISTS"))
            continue;
    if (c->kind != CONTENT_OTHER)
        c->name = take_name(&at);
    c->options_at = (size_t)(at - sql);
}

static void parse_insert(const char *at, Content *c)
{
    while (take_if(&at, "IGNORE") || take_if(&at, "LOW_PRIORITY") || take_if(&at, "DELAYED") ||
           take_if(&at, "HIGH_PRIORITY") || take_if(&at, "INTO"))
        continue;
    c->kind = CONTENT_ROWS;
    c->name = take_name(&at);
}

static void parse_load_data(const char *at, Content *c)
{
    enum { MOST_WORDS = 12 };
    for (int i = 0; i < MOST_WORDS; i++)
        if (take_if(&at, "TABLE")) {
            c->kind = CONTENT_LOAD_DATA;
            c->name = take_name(&at);
            return;
        } else {
            take(&at);
        }
}

void content_parse(const char *sql, Content *ret)
{
    const char *at = sql;
    *ret = (Content){0};
    SqlWord w = take(&at);
    if (is(w, "CREATE"))
        parse_create(at, sql, ret);
    else if (is(w, "INSERT") || is(w, "REPLACE"))
        parse_insert(at, ret);
    else if (is(w, "LOAD"))
        parse_load_data(at, ret);
}

void content_done(Content *c)
{
    free(c->name);
    *c = (Content){0};
}

char *content_unquoted(const char *literal, const char **ret_end)
{
    static const char letters[] = "0nrZ", bytes[] = "\0\n\r\032";
    Str s = STR_INIT;
    const char *p = literal;
    if (*p++ != '\'')
        return NULL;
    for (; *p && (*p != '\'' || p[1] == '\''); p++) {
        const char *letter = *p == '\\' && p[1] ? strchr(letters, p[1]) : NULL;
        bool two = (*p == '\\' && p[1]) || *p == '\'';
        str_addc(&s, letter ? bytes[letter - letters] : two ? p[1] : *p);
        p += two;
    }
    if (*p != '\'') {
        str_done(&s);
        return NULL;
    }
    *ret_end = p + 1;
    return s.p ? str_take(&s) : xstrdup("");
}

/* An object of siding-dump: SET @siding_sql = 'CREATE …'. */
static void parse_quoted(const char *line, Content *ret)
{
    static const char set[] = "SET @siding_sql = ";
    const char *end;
    AUTOFREE char *sql = str_starts(line, set) ? content_unquoted(line + sizeof set - 1, &end) : NULL;
    content_parse(sql ? sql : line, ret);
}

void content_of_file(const char *text, Content *ret)
{
    *ret = (Content){0};
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        parse_quoted(line, ret);
        if (ret->kind != CONTENT_OTHER)
            return;
        content_done(ret);
    }
}

/* ---- definers ------------------------------------------------------------------------------------- */

char *content_with_definer(const char *sql, const Content *c, const char *definer)
{
    if (!c->definer_n)
        return xstrdup(sql);
    return xasprintf("%.*s%s%s%s", (int)c->definer_at, sql, definer ? "DEFINER=" : "", definer ? definer : "",
                     sql + c->definer_at + c->definer_n);
}
