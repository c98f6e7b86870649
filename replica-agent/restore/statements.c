/* SPDX-License-Identifier: Apache-2.0 */
#include "statements.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void statements_init(StatementCutter *s)
{
    *s = (StatementCutter){.delimiter = ";", .longest = STATEMENTS_LONGEST};
}

void statements_done(StatementCutter *s)
{
    str_done(&s->text);
}

void statements_feed(StatementCutter *s, const char *p, size_t n)
{
    if (s->at) {
        memmove(s->text.p, s->text.p + s->at, s->text.len - s->at);
        s->text.len -= s->at;
        s->seen -= s->at;
        s->at = 0;
    }
    str_add(&s->text, p, n);
}

static bool is_blank(const char *p, size_t n)
{
    for (; n; p++, n--)
        if (!strchr(" \t\r\n", *p))
            return false;
    return true;
}

/* "DELIMITER ;;" on a line of its own is for the client. */
static bool take_delimiter(StatementCutter *s, const char *p, size_t n)
{
    static const char word[] = "DELIMITER ";
    if (n < sizeof word || strncasecmp(p, word, sizeof word - 1) != 0)
        return false;
    snprintf(s->delimiter, sizeof s->delimiter, "%.*s", (int)(n - sizeof word + 1), p + sizeof word - 1);
    return true;
}

const char *statements_next(StatementCutter *s, size_t *ret_n)
{
    const char *newline;
    while (s->seen < s->text.len && (newline = memchr(s->text.p + s->seen, '\n', s->text.len - s->seen))) {
        size_t end = (size_t)(newline - s->text.p), n = end - s->at, d = strlen(s->delimiter);
        const char *p = s->text.p + s->at;
        s->seen = end + 1;
        if (is_blank(p, n) || take_delimiter(s, p, n)) {
            s->at = s->seen;
        } else if (n >= d && memcmp(p + n - d, s->delimiter, d) == 0) {
            s->at = s->seen;
            *ret_n = n - d;
            s->text.p[s->at - 1 - d] = 0;
            return p;
        }
    }
    s->seen = s->text.len;
    return NULL;
}

bool statements_is_endless(const StatementCutter *s)
{
    return s->text.len - s->at > s->longest;
}

bool statements_ended(const StatementCutter *s)
{
    return s->at == s->text.len || is_blank(s->text.p + s->at, s->text.len - s->at);
}

bool statements_is_insert(const char *p, size_t n)
{
    return n > 7 && strncasecmp(p, "INSERT ", 7) == 0;
}
