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

/* The first of three bytes, or `end`. */
static const char *find_first(const char *p, const char *end, char a, char b, char c)
{
#ifdef __SSE2__
    const __m128i x = _mm_set1_epi8(a), y = _mm_set1_epi8(b), z = _mm_set1_epi8(c);
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, x), _mm_cmpeq_epi8(v, y)), _mm_cmpeq_epi8(v, z));
        unsigned bits = (unsigned)_mm_movemask_epi8(hit);
        if (bits)
            return p + __builtin_ctz(bits);
    }
#endif
    while (p < end && *p != a && *p != b && *p != c)
        p++;
    return p;
}

/* The first quote or backslash, or `end`. */
static const char *plain_end(const char *p, const char *end)
{
    return find_first(p, end, '\'', '\\', '\\');
}

/* A value that lies whole in the buffer with the byte behind it, and is as it is written: quoted text without
 * a backslash, a number. NULL: it is to be taken byte by byte. */
static const char *plain_value(Reread *r, const char *p, const char *end)
{
    enum { LONGEST_NUMBER = 90 };
    const char *from = p, *most = end - p > LONGEST_NUMBER ? p + LONGEST_NUMBER : end;
    if (*p == '\'') {
        p = plain_end(++from, end);
        if (end - p < 2 || *p == '\\')
            return NULL;
        rowcheck_value(r->check, from, (size_t)(p - from));
        p++;
    } else {
        while (p < most && ((*p >= '0' && *p <= '9') || *p == '.' || (*p == '-' && p == from)))
            p++;
        if (p == most || p == from || (*p != ',' && *p != ')'))
            return NULL;
        rowcheck_value(r->check, from, (size_t)(p - from));
    }
    r->state = (int)after_value(*p, r->check);
    return p + 1;
}

/* The quoted text's plain bytes at once. */
static const char *text(Reread *r, const char *p, const char *end)
{
    const char *from = p;
    p = plain_end(p, end);
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
        else if (r->state == VALUE && (behind = plain_value(r, p, end)))
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
