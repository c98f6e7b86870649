/* SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { MOST_COLUMNS = 4096, STORE = 16 /* bytes that may be written behind the last one */ };

/* What is read, and where its lines go: they take at most twice the room. */
typedef struct Cursor {
    const char *p, *end;
    char *to;
} Cursor;

/* ---- the head ------------------------------------------------------------------------------------- */

static bool take(Cursor *c, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return false;
    c->p += n;
    return true;
}

/* A name in back quotes, with them. */
static bool take_name(Cursor *c, const char **ret, size_t *ret_n)
{
    const char *from = c->p;
    if (!take(c, "`"))
        return false;
    for (; c->p < c->end; c->p++) {
        if (*c->p != '`')
            continue;
        if (++c->p == c->end || *c->p != '`') {
            *ret = from;
            *ret_n = (size_t)(c->p - from);
            return true;
        }
    }
    return false;
}

typedef struct Head {
    const char *table;
    size_t table_n, n;
    struct {
        const char *p;
        size_t n;
        bool words; /* its type takes no binary string: it is named utf8mb4 */
    } columns[MOST_COLUMNS];
} Head;

static bool take_head(Cursor *c, Head *h)
{
    h->n = 0;
    if (!take(c, "INSERT INTO ") || !take_name(c, &h->table, &h->table_n) || !take(c, " ("))
        return false;
    do {
        if (h->n == MOST_COLUMNS || !take_name(c, &h->columns[h->n].p, &h->columns[h->n].n))
            return false;
        h->columns[h->n++].words = false;
    } while (take(c, ","));
    return take(c, ") VALUES\n");
}

static void write_statement(const Head *h, Str *out)
{
    AUTO(str_done) Str set = STR_INIT;
    str_clear(out);
    str_addf(
        out,
        "LOAD DATA LOCAL INFILE 'siding' INTO TABLE %.*s CHARACTER SET binary FIELDS TERMINATED BY '\\t' "
        "ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (",
        (int)h->table_n, h->table);
    for (size_t i = 0; i < h->n; i++) {
        str_adds(out, i ? "," : "");
        if (!h->columns[i].words) {
            str_add(out, h->columns[i].p, h->columns[i].n);
            continue;
        }
        str_addf(out, "@v%zu", i);
        str_addf(&set, "%s%.*s = CONVERT(@v%zu USING utf8mb4)", set.len ? ", " : " SET ",
                 (int)h->columns[i].n, h->columns[i].p, i);
    }
    str_addf(out, ")%s", str_z(&set));
}

/* ---- values --------------------------------------------------------------------------------------- */

/* Plain bytes up to a quote, a backslash, a tab or a newline; sixteen at a time. */
static void copy_plain(Cursor *c)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('\''), slash = _mm_set1_epi8('\\'), tab = _mm_set1_epi8('\t'),
                  newline = _mm_set1_epi8('\n');
    while (c->end - c->p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)c->p);
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
                                   _mm_or_si128(_mm_cmpeq_epi8(v, tab), _mm_cmpeq_epi8(v, newline)));
        unsigned bits = (unsigned)_mm_movemask_epi8(hit), plain = bits ? (unsigned)__builtin_ctz(bits) : 16;
        _mm_storeu_si128((__m128i *)(void *)c->to, v);
        c->p += plain;
        c->to += plain;
        if (bits)
            return;
    }
#endif
    while (c->p < c->end && *c->p != '\'' && *c->p != '\\' && *c->p != '\t' && *c->p != '\n')
        *c->to++ = *c->p++;
}

static void put(Cursor *c, const char *two)
{
    *c->to++ = two[0];
    *c->to++ = two[1];
}

/* Behind the opening quote, to behind the closing one. The escapes mean the same in a line. */
static bool take_text(Cursor *c)
{
    for (;;) {
        copy_plain(c);
        if (c->p == c->end || *c->p == '\n')
            return false;
        char stop = *c->p++;
        if (stop == '\'')
            return true;
        if (stop == '\t') {
            put(c, "\\t");
            continue;
        }
        if (c->p == c->end || !*c->p || !strchr("0nrZ\\'", *c->p))
            return false;
        put(c, c->p - 1);
        c->p++;
    }
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool take_hex(Cursor *c)
{
    static const char escapes[256] = {[0] = '0', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['\\'] = '\\'};
    const char *from = c->p;
    for (; c->end - c->p >= 2; c->p += 2) {
        int high = digit(c->p[0]), low = digit(c->p[1]);
        if (high < 0 || low < 0)
            break;
        char byte = (char)(high << 4 | low), escaped = escapes[(unsigned char)byte];
        if (escaped)
            *c->to++ = '\\';
        *c->to++ = escaped ? escaped : byte;
    }
    return c->p > from;
}

static bool take_number(Cursor *c)
{
    const char *from = c->p;
    while (c->p < c->end && *c->p && strchr("0123456789.-+eE", *c->p))
        c->p++;
    size_t n = (size_t)(c->p - from);
    bool zero = (n == 4 && memcmp(from, "-0e0", n) == 0) || (n == 6 && memcmp(from, "-0.0e0", n) == 0);
    n -= zero ? 2 : 0; /* it is written so that an INSERT keeps the sign */
    memcpy(c->to, from, n);
    c->to += n;
    return n > 0;
}

static bool take_value(Cursor *c, bool *words)
{
    if (take(c, "'"))
        return take_text(c);
    if (take(c, "0x"))
        return take_hex(c);
    if (take(c, "NULL")) {
        put(c, "\\N");
        return true;
    }
    if (!take(c, "_utf8mb4'"))
        return take_number(c);
    *words = true;
    return take_text(c);
}

static bool take_row(Cursor *c, Head *h)
{
    if (!take(c, "("))
        return false;
    for (size_t i = 0; i < h->n; i++) {
        if (i)
            *c->to++ = '\t';
        if (!take_value(c, &h->columns[i].words) || !take(c, i + 1 < h->n ? "," : ")"))
            return false;
    }
    *c->to++ = '\n';
    return true;
}

/* ---- all ------------------------------------------------------------------------------------------ */

bool lines_of_insert(const char *sql, size_t n, Lines *io)
{
    Cursor c = {.p = sql, .end = sql + n};
    AUTOFREE Head *h = xcalloc(1, sizeof *h);
    if (!take_head(&c, h))
        return false;
    str_clear(&io->text);
    str_reserve(&io->text, 2 * n + STORE);
    c.to = io->text.p;
    io->rows = 0;
    do {
        if (!take_row(&c, h))
            return false;
        io->rows++;
    } while (take(&c, ",\n"));
    io->text.len = (size_t)(c.to - io->text.p);
    write_statement(h, &io->statement);
    return c.p == c.end;
}

void lines_done(Lines *l)
{
    str_done(&l->statement);
    str_done(&l->text);
}
