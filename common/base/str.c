/* SPDX-License-Identifier: Apache-2.0 */
#include "str.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void out_of_memory(void)
{
    fputs("out of memory\n", stderr);
    abort();
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *xrealloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

char *xstrdup(const char *s)
{
    return s ? xstrndup(s, strlen(s)) : NULL;
}

void str_put(char **to, const char *text)
{
    char *old = *to;
    *to = xstrdup(text);
    free(old);
}

char *xstrndup(const char *s, size_t n)
{
    char *p = xcalloc(n + 1, 1);
    memcpy(p, s, n);
    return p;
}

char *xstrtrim(const char *s, size_t n)
{
    while (n && isspace((unsigned char)*s)) {
        s++;
        n--;
    }
    while (n && isspace((unsigned char)s[n - 1]))
        n--;
    return xstrndup(s, n);
}

static void str_addv(Str *s, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        out_of_memory();
    str_reserve(s, (size_t)n);
    vsnprintf(s->p + s->len, (size_t)n + 1, fmt, ap);
    s->len += (size_t)n;
}

char *xvasprintf(const char *fmt, va_list ap)
{
    Str s = STR_INIT;
    str_addv(&s, fmt, ap);
    return str_take(&s);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    return text;
}

void str_done(Str *s)
{
    free(s->p);
    *s = (Str)STR_INIT;
}

void str_clear(Str *s)
{
    s->len = 0;
    if (s->p)
        s->p[0] = 0;
}

void str_reserve(Str *s, size_t more)
{
    size_t need = s->len + more + 1;
    if (need <= s->cap)
        return;
    size_t cap = s->cap ? s->cap : 64;
    while (cap < need)
        cap *= 2;
    s->p = xrealloc(s->p, cap);
    s->cap = cap;
    s->p[s->len] = 0;
}

void str_add(Str *s, const char *bytes, size_t n)
{
    str_reserve(s, n);
    if (n)
        memcpy(s->p + s->len, bytes, n);
    s->len += n;
    s->p[s->len] = 0;
}

void str_adds(Str *s, const char *z)
{
    str_add(s, z, strlen(z));
}

void str_addc(Str *s, char c)
{
    str_add(s, &c, 1);
}

void str_addf(Str *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    str_addv(s, fmt, ap);
    va_end(ap);
}

const char *str_z(const Str *s)
{
    return s->p ? s->p : "";
}

char *str_take(Str *s)
{
    char *p = s->p ? s->p : xstrdup("");
    *s = (Str)STR_INIT;
    return p;
}

void strlist_done(StrList *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (StrList)STRLIST_INIT;
}

static void strlist_push(StrList *l, char *owned)
{
    if (l->n + 2 > l->cap) {
        l->cap = l->cap ? l->cap * 2 : 8;
        l->v = xrealloc(l->v, l->cap * sizeof *l->v);
    }
    l->v[l->n++] = owned;
    l->v[l->n] = NULL;
}

void strlist_add(StrList *l, const char *s)
{
    strlist_push(l, xstrdup(s));
}

void strlist_add_all(StrList *l, const StrList *from)
{
    for (size_t i = 0; i < from->n; i++)
        strlist_add(l, from->v[i]);
}

void strlist_addf(StrList *l, const char *fmt, ...)
{
    Str s = STR_INIT;
    va_list ap;
    va_start(ap, fmt);
    str_addv(&s, fmt, ap);
    va_end(ap);
    strlist_push(l, str_take(&s));
}

bool strlist_has(const StrList *l, const char *s)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i], s) == 0)
            return true;
    return false;
}

void strlist_split(StrList *l, const char *s, char sep)
{
    while (s && *s) {
        const char *end = strchr(s, sep);
        size_t n = end ? (size_t)(end - s) : strlen(s);
        if (n)
            strlist_push(l, xstrndup(s, n));
        s += n + (end ? 1 : 0);
    }
}

char *strlist_join(const StrList *l, const char *between)
{
    Str s = STR_INIT;
    for (size_t i = 0; i < l->n; i++)
        str_addf(&s, "%s%s", i ? between : "", l->v[i]);
    return s.len ? str_take(&s) : xstrdup("");
}

bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

int64_t i64_sum(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static char *put_digits8(char *to, uint64_t digits, unsigned n)
{
    digits = htole64(digits);
    memcpy(to, &digits, sizeof digits);
    return to + n;
}

size_t str_digits(uint64_t v, char ret[20])
{
    enum { GROUP = 100000000 };
    uint64_t groups[3];
    size_t n = 0;
    for (; v >= GROUP; v /= GROUP)
        groups[n++] = v % GROUP;
    uint64_t first = str_digits8((uint32_t)v);
    unsigned zeros = str_zeros8(first);
    char *to = put_digits8(ret, first >> 8 * zeros, 8 - zeros);
    while (n)
        to = put_digits8(to, str_digits8((uint32_t)groups[--n]), 8);
    return (size_t)(to - ret);
}

bool str_to_i64(const char *s, long long min, long long max, long long *ret)
{
    if (!s || !*s || strspn(s, "-0123456789") != strlen(s))
        return false;
    char *end;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    if (errno || *end || end == s || n < min || n > max)
        return false;
    *ret = n;
    return true;
}

enum { LONGEST_WORD = 200 };

static size_t edit_distance(const char *a, const char *b)
{
    size_t n = strlen(b), row[64];
    if (n >= COUNT(row))
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

const char *str_nearest(const char *word, const char *const *known)
{
    const char *best = NULL;
    size_t n = strlen(word), best_distance = n / 3 + 2;
    if (n > LONGEST_WORD) /* looking would take long, and nothing is near */
        return NULL;
    for (; *known; known++) {
        size_t d = edit_distance(word, *known);
        if (d < best_distance) {
            best_distance = d;
            best = *known;
        }
    }
    return best;
}

void str_set(char **to, const char *text)
{
    if (str_eq(*to, text))
        return;
    char *copy = xstrdup(text);
    free(*to);
    *to = copy;
}
