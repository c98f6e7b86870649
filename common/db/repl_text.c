/* SPDX-License-Identifier: Apache-2.0 */
#include "repl_text.h"

#include <string.h>

#include "common/base/str.h"

/* Behind it a server quotes what it was doing: a statement with its values. */
static const char *statement_in(const char *text)
{
    static const char *const words[] = {"Query: '", "Query partially completed", "query '", "query: '"};
    const char *first = NULL;
    for (size_t i = 0; i < COUNT(words); i++) {
        const char *at = strstr(text, words[i]);
        if (at && (!first || at < first))
            first = at;
    }
    return first;
}

/* Values are quoted by ', names by ` or as what follows one of these words. */
static bool is_name(const char *text, const char *quote)
{
    static const char *const before[] = {"Table ",       "table ",     "column ",   "Column ",  "key ",
                                         "database ",    "database: ", "index ",    "for key ", "KEY ",
                                         "procedure ",   "PROCEDURE ", "FUNCTION ", "View ",    "user ",
                                         "transaction ", "variable "};
    for (size_t i = 0; i < COUNT(before); i++) {
        size_t n = strlen(before[i]);
        if ((size_t)(quote - text) >= n && strncmp(quote - n, before[i], n) == 0)
            return true;
    }
    return false;
}

static const char *last_of(const char *text, const char *word)
{
    const char *last = NULL;
    for (const char *p = text; (p = strstr(p, word)); p++)
        last = p;
    return last;
}

/* The end of a value quoted at `p`. It may hold quotes itself: the last place counts where the server's text
 * is known to go on, else the first where a word ends. */
static const char *end_of_value(const char *p)
{
    static const char *const behind[] = {"' for key ", "' for column ", "' for function ", "' at row "};
    const char *end = NULL;
    for (size_t i = 0; i < COUNT(behind); i++) {
        const char *last = last_of(p + 1, behind[i]);
        if (last && (!end || last + 1 < end))
            end = last + 1;
    }
    if (end)
        return end;
    for (const char *q = p + 1; *q; q++)
        if (*q == '\'' && (!q[1] || strchr(" ,.;:)'", q[1])))
            return q + 1;
    return p + strlen(p);
}

/* "Error 'Duplicate entry '5' for key 'PRIMARY'' on query": the outer quotes hold the text itself. */
static bool holds_text(const char *text, const char *quote)
{
    return quote - text >= 6 && strncmp(quote - 6, "Error ", 6) == 0;
}

static const char *name_end(const char *p)
{
    const char *end = strchr(p + 1, '\'');
    return end ? end + 1 : p + strlen(p);
}

/* Copies or leaves out what is quoted at `p`; what is behind it. */
static const char *take_quoted(Str *out, const char *text, const char *p)
{
    if (holds_text(text, p)) {
        str_addc(out, *p);
        return p + 1;
    }
    if (!is_name(text, p)) {
        str_adds(out, "…");
        return end_of_value(p);
    }
    const char *behind = name_end(p);
    str_add(out, p, (size_t)(behind - p));
    return behind;
}

char *repl_text_without_rows(const char *text)
{
    Str out = STR_INIT;
    const char *from = text ? text : "", *end = statement_in(from);
    AUTOFREE char *shown = xstrndup(from, end ? (size_t)(end - from) : strlen(from));
    for (const char *p = shown; *p;) {
        if (*p == '\'' && (p == shown || strchr(" (", p[-1])))
            p = take_quoted(&out, shown, p);
        else
            str_addc(&out, *p++);
    }
    while (end && out.len && strchr(" .,;", out.p[out.len - 1]))
        out.p[--out.len] = 0;
    return out.len ? str_take(&out) : xstrdup("");
}
