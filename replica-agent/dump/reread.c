/* SPDX-License-Identifier: Apache-2.0 */
#include "reread.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum State {
    LINE,        /* a line that begins no INSERT is skipped */
    INSERT_LINE, /* the rest of a line that does */
    INSERT_NAME, /* a name in it, which may hold a newline */
    ROW,         /* "(" */
    VALUE,       /* its first byte */
    BARE,        /* a number or NULL */
    TEXT,        /* inside quotes */
    TEXT_ESCAPE,
    AFTER_TEXT,
    HEX_HIGH,
    HEX_LOW,
    AFTER_ROW, /* "," or ";" */
    ROW_LINE,  /* the newline after it; ROW or LINE follows */
    LAST_LINE,
    TSV_VALUE,
    TSV_ESCAPE,
    BROKEN,
};

void reread_init(Reread *r, FormatKind kind, RowCheck *check)
{
    *r = (Reread){.kind = kind, .check = check, .state = kind == FORMAT_SQL ? LINE : TSV_VALUE};
}

bool reread_ended(const Reread *r)
{
    return r->kind == FORMAT_SQL ? r->state == LINE && !r->n_word
                                 : r->state == TSV_VALUE && !r->begun && !r->check->column;
}

static char unescaped(char c)
{
    switch (c) {
    case '0':
        return 0;
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'Z':
        return 0x1a;
    default:
        return c;
    }
}

static bool word_is(const Reread *r, const char *w)
{
    return r->n_word == strlen(w) && memcmp(r->word, w, r->n_word) == 0;
}

static enum State after_value(char c, RowCheck *check)
{
    if (c == ',')
        return VALUE;
    if (c != ')')
        return BROKEN;
    rowcheck_row_end(check);
    return AFTER_ROW;
}

static void end_bare(Reread *r)
{
    if (word_is(r, "NULL")) {
        rowcheck_null(r->check);
    } else {
        if (word_is(r, "-0e0") || word_is(r, "-0.0e0"))
            r->n_word -= 2;
        rowcheck_value(r->check, r->word, r->n_word);
    }
    r->n_word = 0;
}

/* A number, NULL, "0x…", "_utf8mb4'…'" or "_binary'…'": known once it is all here. "()" is a row without
 * values. */
static enum State bare(Reread *r, char c)
{
    if (c == ',' || c == ')') {
        if (r->n_word || r->check->n)
            end_bare(r);
        return after_value(c, r->check);
    }
    if (c == '\'') {
        bool ok = word_is(r, "_utf8mb4") || word_is(r, "_binary");
        r->n_word = 0;
        rowcheck_value_begin(r->check);
        return ok ? TEXT : BROKEN;
    }
    if (r->n_word == sizeof r->word)
        return BROKEN;
    r->word[r->n_word++] = c;
    if (!word_is(r, "0x"))
        return BARE;
    r->n_word = 0;
    rowcheck_value_begin(r->check);
    return HEX_HIGH;
}

static enum State value(Reread *r, char c)
{
    if (c != '\'')
        return bare(r, c);
    rowcheck_value_begin(r->check);
    return TEXT;
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum State hex(Reread *r, char c)
{
    int v = nibble(c);
    if (v < 0) {
        rowcheck_value_end(r->check);
        return r->state == HEX_HIGH ? after_value(c, r->check) : BROKEN;
    }
    if (r->state == HEX_HIGH) {
        r->nibble = (unsigned char)v;
        return HEX_LOW;
    }
    char byte = (char)(r->nibble << 4 | v);
    rowcheck_bytes(r->check, &byte, 1);
    return HEX_HIGH;
}

/* All whole pairs of digits at once. */
static const char *hex_run(Reread *r, const char *p, const char *end)
{
    /* the digit and one: 0 is none */
    static const unsigned char digits[256] = {
        ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
        ['8'] = 9, ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    };
    char bytes[8192];
    size_t n = 0;
    for (; end - p >= 2; p += 2) {
        unsigned high = digits[(unsigned char)p[0]], low = digits[(unsigned char)p[1]];
        if (!high || !low)
            break;
        bytes[n++] = (char)((high - 1) << 4 | (low - 1));
        if (n < sizeof bytes)
            continue;
        rowcheck_bytes(r->check, bytes, n);
        n = 0;
    }
    rowcheck_bytes(r->check, bytes, n);
    return p;
}

static enum State line(Reread *r, char c)
{
    static const char insert[] = "INSERT INTO ";
    if (c == '\n') {
        r->n_word = 0;
        return LINE;
    }
    if (r->n_word < sizeof insert - 1)
        r->word[r->n_word++] = c;
    if (!word_is(r, insert))
        return LINE;
    r->n_word = 0;
    return INSERT_LINE;
}

static enum State after_text(Reread *r, char c)
{
    rowcheck_value_end(r->check);
    return after_value(c, r->check);
}

static enum State step(Reread *r, char c)
{
    switch ((enum State)r->state) {
    case LINE:
        return line(r, c);
    case INSERT_LINE:
        return c == '\n' ? ROW : c == '`' ? INSERT_NAME : INSERT_LINE;
    case INSERT_NAME:
        return c == '`' ? INSERT_LINE : INSERT_NAME;
    case ROW:
        return c == '(' ? VALUE : BROKEN;
    case VALUE:
        return value(r, c);
    case BARE:
        return bare(r, c);
    case TEXT_ESCAPE:
        c = unescaped(c);
        rowcheck_bytes(r->check, &c, 1);
        return TEXT;
    case AFTER_TEXT:
        return after_text(r, c);
    case HEX_HIGH:
    case HEX_LOW:
        return hex(r, c);
    case AFTER_ROW:
        return c == ',' ? ROW_LINE : c == ';' ? LAST_LINE : BROKEN;
    case ROW_LINE:
        return c == '\n' ? ROW : BROKEN;
    case LAST_LINE:
        return c == '\n' ? LINE : BROKEN;
    case TEXT:
    case TSV_VALUE:
    case TSV_ESCAPE:
    case BROKEN:
        break;
    }
    return BROKEN;
}

/* ---- sixteen bytes at a time ---------------------------------------------------------------------- */

enum { BLOCK = 16 };

#ifdef __SSE2__
typedef __m128i Block;

static inline Block block_at(const char *p)
{
    return _mm_loadu_si128((const Block *)(const void *)p);
}

static inline void block_put(char *to, Block v)
{
    _mm_storeu_si128((Block *)(void *)to, v);
}

/* A bit for each byte that is `c`; that is a digit. */
static inline unsigned bytes_that_are(Block v, char c)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
}

static inline unsigned digits_in(Block v)
{
    Block from_0 = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(from_0, _mm_set1_epi8(9)), from_0));
}
#else
typedef struct Block {
    char bytes[BLOCK];
} Block;

static inline Block block_at(const char *p)
{
    Block v;
    memcpy(v.bytes, p, BLOCK);
    return v;
}

static inline void block_put(char *to, Block v)
{
    memcpy(to, v.bytes, BLOCK);
}

static inline unsigned bytes_that_are(Block v, char c)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        bits |= (unsigned)(v.bytes[i] == c) << i;
    return bits;
}

static inline unsigned digits_in(Block v)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        bits |= (unsigned)(v.bytes[i] >= '0' && v.bytes[i] <= '9') << i;
    return bits;
}
#endif

/* The first of three bytes, or `end`. */
static const char *find_first(const char *p, const char *end, char a, char b, char c)
{
    for (; end - p >= BLOCK; p += BLOCK) {
        Block v = block_at(p);
        unsigned bits = bytes_that_are(v, a) | bytes_that_are(v, b) | bytes_that_are(v, c);
        if (bits)
            return p + __builtin_ctz(bits);
    }
    while (p < end && *p != a && *p != b && *p != c)
        p++;
    return p;
}

/* Whole values, all of which lies in the buffer with the byte behind it: most of all text. What is not so is
 * left to the states. */
enum { COPY_MOST = ROWCHECK_ROOM / 2 - 2 * BLOCK };

/* Copies up to a quote or a backslash, and gives that; NULL: too far. May write a block too much. */
static inline const char *copy_plain(const char *p, const char *end, char *to)
{
    const char *last = end - p > COPY_MOST ? p + COPY_MOST : end;
    for (; last - p >= BLOCK; p += BLOCK, to += BLOCK) {
        Block v = block_at(p);
        block_put(to, v);
        unsigned bits = bytes_that_are(v, '\'') | bytes_that_are(v, '\\');
        if (bits)
            return p + __builtin_ctz(bits);
    }
    for (; p < last; *to++ = *p++)
        if (*p == '\'' || *p == '\\')
            return p;
    return NULL;
}

/* Up to the quote that ends it, backslashes taken away, and another byte; NULL as above. */
static inline const char *copy_text(const char *p, const char *end, char *to, size_t *ret_n)
{
    const char *begun = to;
    while (to - begun <= COPY_MOST) {
        const char *stop = copy_plain(p, end, to);
        if (!stop || end - stop < 2)
            return NULL;
        to += stop - p;
        if (*stop != '\\') {
            *ret_n = (size_t)(to - begun);
            return stop;
        }
        *to++ = unescaped(stop[1]);
        p = stop + 2;
    }
    return NULL;
}

/* Digits and a point, or NULL. */
static inline const char *bare_value(RowCheck *check, const char *p, const char *end)
{
    if (end - p < BLOCK)
        return NULL;
    Block v = block_at(p);
    unsigned ends = bytes_that_are(v, ',') | bytes_that_are(v, ')');
    if (!ends)
        return NULL;
    size_t n = (size_t)__builtin_ctz(ends);
    unsigned plain = digits_in(v) | bytes_that_are(v, '.') | (bytes_that_are(v, '-') & 1);
    if (n && !(~plain & ((1u << n) - 1))) {
        char *to = rowcheck_room(check);
        if (!to)
            return NULL;
        block_put(to, v);
        rowcheck_take(check, n);
        return p + n;
    }
    if (n != 4 || memcmp(p, "NULL", 4) != 0)
        return NULL;
    rowcheck_null(check);
    return p + n;
}

static inline const char *quoted_value(RowCheck *check, const char *p, const char *end)
{
    size_t n;
    char *to = rowcheck_room(check);
    if (!to || !(p = copy_text(p + 1, end, to, &n)))
        return NULL;
    rowcheck_take(check, n);
    return p + 1;
}

/* As many of them as there are, from a value's first byte on. */
static const char *whole_values(Reread *r, const char *p, const char *end)
{
    const char *behind;
    while (p < end && (behind = *p == '\'' ? quoted_value(r->check, p, end) : bare_value(r->check, p, end))) {
        enum State s = after_value(*behind, r->check);
        p = behind + 1;
        if (s == AFTER_ROW && end - p > 3 && memcmp(p, ",\n(", 3) == 0)
            p += 3;
        else if (s != VALUE) {
            r->state = (int)s;
            break;
        }
    }
    return p;
}

/* The quoted text's plain bytes at once. */
static const char *text(Reread *r, const char *p, const char *end)
{
    const char *from = p;
    p = find_first(p, end, '\'', '\\', '\\');
    rowcheck_bytes(r->check, from, (size_t)(p - from));
    if (p == end)
        return p;
    r->state = *p == '\'' ? AFTER_TEXT : TEXT_ESCAPE;
    return p + 1;
}

/* ---- TSV ------------------------------------------------------------------------------------------ */

static void tsv_begin(Reread *r)
{
    if (!r->begun)
        rowcheck_value_begin(r->check);
    r->begun = true;
}

static const char *tsv(Reread *r, const char *p, const char *end)
{
    if (r->state == TSV_ESCAPE) {
        r->state = TSV_VALUE;
        if (*p == 'N' && !r->begun) {
            r->quoted_null = true;
            return p + 1;
        }
        char c = unescaped(*p);
        tsv_begin(r);
        rowcheck_bytes(r->check, &c, 1);
        return p + 1;
    }
    const char *from = p;
    p = find_first(p, end, '\t', '\n', '\\');
    if (p > from) {
        tsv_begin(r);
        rowcheck_bytes(r->check, from, (size_t)(p - from));
    }
    if (p == end)
        return p;
    if (*p == '\\') {
        r->state = TSV_ESCAPE;
        return p + 1;
    }
    if (r->quoted_null) {
        rowcheck_null(r->check);
    } else {
        tsv_begin(r);
        rowcheck_value_end(r->check);
    }
    r->quoted_null = r->begun = false;
    if (*p == '\n')
        rowcheck_row_end(r->check);
    return p + 1;
}

bool reread_feed(Reread *r, const char *p, size_t n)
{
    const char *end = p + n, *behind;
    while (p < end && r->state != BROKEN) {
        if (r->kind == FORMAT_TSV)
            p = tsv(r, p, end);
        else if (r->state == VALUE && (behind = whole_values(r, p, end)) != p)
            p = behind;
        else if (r->state == TEXT)
            p = text(r, p, end);
        else if (r->state == HEX_HIGH && end - p >= 2 && (behind = hex_run(r, p, end)) != p)
            p = behind;
        else
            r->state = step(r, *p++);
    }
    return r->state != BROKEN;
}
