/* SPDX-License-Identifier: Apache-2.0 */
#include "portable_create.h"

#include <string.h>

/* No version of either server is as high. */
#define HIDDEN "/*!999999 "

/* ---- as the server reads --------------------------------------------------------------------------- */

typedef enum Where { CODE, QUOTED, LINE_COMMENT, BLOCK_COMMENT } Where;

typedef struct Reader {
    Where where;
    char quote;
    bool backslash;
} Reader;

static bool is_quote(char c)
{
    return c == '\'' || c == '"' || c == '`';
}

static bool begins_line_comment(const char *p)
{
    return *p == '#' || (p[0] == '-' && p[1] == '-' && (unsigned char)p[2] <= ' ');
}

static size_t in_code(Reader *r, const char *p)
{
    if (is_quote(*p)) {
        r->where = QUOTED;
        r->quote = *p;
    } else if (begins_line_comment(p)) {
        r->where = LINE_COMMENT;
    } else if (p[0] == '/' && p[1] == '*') {
        r->where = BLOCK_COMMENT;
        return 2;
    }
    return 1;
}

/* Passes over what begins at p: how many bytes. */
static size_t pass(Reader *r, const char *p)
{
    switch (r->where) {
    case CODE:
        return in_code(r, p);
    case QUOTED:
        if (*p == '\\' && r->backslash && r->quote != '`' && p[1])
            return 2;
        r->where = *p == r->quote ? CODE : QUOTED;
        return 1;
    case LINE_COMMENT:
        r->where = *p == '\n' ? CODE : LINE_COMMENT;
        return 1;
    case BLOCK_COMMENT:
        if (p[0] != '*' || p[1] != '/')
            return 1;
        r->where = CODE;
        return 2;
    }
    return 1;
}

/* The text without a semicolon at the end of a line; a blank in a comment says nothing. */
static bool part_lines(Str *out, const char *sql, bool backslash, Where *ret_end)
{
    Reader r = {.backslash = backslash};
    for (const char *p = sql; *p;) {
        size_t n = pass(&r, p);
        str_add(out, p, n);
        bool ends_line = p[n - 1] == ';' && p[n] == '\n';
        if (ends_line && r.where == QUOTED)
            return false;
        if (ends_line)
            str_adds(out, r.where == CODE ? HIDDEN "*/" : " ");
        p += n;
    }
    *ret_end = r.where;
    return r.where == CODE || r.where == LINE_COMMENT;
}

/* ---- as a client reads ------------------------------------------------------------------------------ */

static bool troubles_client(const char *p)
{
    return *p == ';' || *p == '\\' || *p == '#' || (p[0] == '-' && p[1] == '-') ||
           (p[0] == '/' && p[1] == '*');
}

/* Whether a client that believes to be in quotes at the begin sees nothing else until the end, but for other
 * quotes. */
static bool client_passes(const char *text, char quote, bool backslash)
{
    char in = quote;
    for (const char *p = text; *p; p++) {
        if (in && *p == '\\' && backslash && p[1])
            p++;
        else if (in)
            in = *p == in ? 0 : in;
        else if (is_quote(*p))
            in = *p;
        else if (troubles_client(p))
            return false;
    }
    return in == quote;
}

bool portable_create(Str *out, const char *sql, bool backslash_escapes)
{
    static const char create[] = "CREATE ", quotes[] = "\"'`";
    AUTO(str_done) Str text = STR_INIT;
    Where end;
    if (!str_starts(sql, create) || !part_lines(&text, sql + sizeof create - 1, backslash_escapes, &end))
        return false;
    if (end == LINE_COMMENT)
        str_addc(&text, '\n');
    for (const char *q = quotes; *q; q++)
        if (client_passes(str_z(&text), *q, backslash_escapes)) {
            str_addf(out, "CREATE " HIDDEN "%c*/ %s" HIDDEN "%c*/;\n", *q, str_z(&text), *q);
            return true;
        }
    return false;
}
