/* SPDX-License-Identifier: Apache-2.0
 * Growing byte strings and string lists, and the allocation wrappers. Out of memory aborts: the
 * persisted state makes a restart safe, a half-handled failure would not be.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "err.h"

void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s); /* NULL gives NULL */
/* Puts a copy in place of an owned string, which it may be part of. */
void str_put(char **to, const char *text);
char *xstrndup(const char *s, size_t n);
char *xstrtrim(const char *s, size_t n); /* without white space at its ends */
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
char *xvasprintf(const char *fmt, va_list ap) PRINTF_LIKE(1, 0);

#define NEW(T) ((T *)xcalloc(1, sizeof(T)))
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Cleanup of locals: `AUTOFREE char *s = …;` frees at scope end; AUTO(str_done) Str s = STR_INIT; */
static inline void autofree_(void *p)
{
    free(*(void **)p);
}
#define AUTOFREE __attribute__((cleanup(autofree_)))
#define AUTO(f) __attribute__((cleanup(f)))
/* Takes the value out of a variable that would be freed: `return STEAL(s);` */
#define EXCHANGE(a, b)                                                                                       \
    do {                                                                                                     \
        __typeof__(a) swapped_ = (a);                                                                        \
        (a) = (b);                                                                                           \
        (b) = swapped_;                                                                                      \
    } while (0)
#define STEAL(v)                                                                                             \
    ({                                                                                                       \
        __typeof__(v) stolen_ = (v);                                                                         \
        (v) = NULL;                                                                                          \
        stolen_;                                                                                             \
    })

/* Bytes with a NUL behind them, which `len` does not count. Zero-initialised is empty. */
typedef struct Str {
    char *p;
    size_t len, cap;
} Str;
#define STR_INIT                                                                                             \
    {                                                                                                        \
        NULL, 0, 0                                                                                           \
    }

void str_done(Str *s);
void str_clear(Str *s); /* keeps the memory */
void str_reserve(Str *s, size_t more);
void str_add(Str *s, const char *bytes, size_t n);
void str_adds(Str *s, const char *z);
void str_addc(Str *s, char c);
void str_addf(Str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *str_z(const Str *s); /* never NULL */
char *str_take(Str *s);          /* the caller frees; s is empty afterwards */

/* A NULL-terminated list of owned strings. */
typedef struct StrList {
    char **v;
    size_t n, cap;
} StrList;
#define STRLIST_INIT                                                                                         \
    {                                                                                                        \
        NULL, 0, 0                                                                                           \
    }

void strlist_done(StrList *l);
void strlist_add(StrList *l, const char *s);
void strlist_add_all(StrList *l, const StrList *from);
void strlist_addf(StrList *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool strlist_has(const StrList *l, const char *s);
void strlist_split(StrList *l, const char *s, char sep); /* empty parts are left out */

char *strlist_join(const StrList *l, const char *between); /* owned */

bool str_eq(const char *a, const char *b); /* NULL equals NULL only */
void str_set(char **to, const char *text); /* an owned copy in place of what was there; text may be NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

size_t str_digits(uint64_t v, char ret[20]); /* decimal, without a zero byte; the length */
/* Of a number below 10^8 all eight digits, the first in the lowest byte. All at once: halves of four digits,
 * then pairs, then digits, each in lanes of the word; the products stand for divisions by 100 and 10 that are
 * exact for so few digits. */
static inline uint64_t str_digits8(uint32_t v)
{
    uint64_t d = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t hundreds = (d * 10486 >> 20) & 0x0000007F0000007F;
    d = hundreds | (d - 100 * hundreds) << 16;
    uint64_t tens = (d * 103 >> 10) & 0x000F000F000F000F;
    d = tens | (d - 10 * tens) << 8;
    return d + 0x3030303030303030;
}

/* How many of these are leading zeros, at most seven. */
static inline unsigned str_zeros8(uint64_t digits)
{
    uint64_t other = (digits ^ 0x3030303030303030) | UINT64_C(1) << 56;
    return (unsigned)__builtin_ctzll(other) / 8;
}

/* Parses a whole decimal number within [min, max]; false for anything else. */
bool str_to_i64(const char *s, long long min, long long max, long long *ret);
/* INT64_MAX where the sum is out of range: a number that nothing has stays wrong. */
int64_t i64_sum(int64_t a, int64_t b);

/* The entry of `known` (NULL-terminated) nearest to `word` by edit distance, NULL if none is near. */
const char *str_nearest(const char *word, const char *const *known);
