/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <locale.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <wchar.h>

enum { INVALID = -1 };

static locale_t utf8;

static void open_locale(void)
{
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* One character of at most `n` bytes: its number, or INVALID with one byte. */
static int32_t decode(const char *text, size_t n, size_t *ret_bytes)
{
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text;
    size_t len = p[0] < 0x80                   ? 1
                 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
                 : (p[0] & 0xF0) == 0xE0       ? 3
                 : (p[0] & 0xF8) == 0xF0       ? 4
                                               : 0;
    *ret_bytes = 1;
    if (len == 0 || len > n)
        return INVALID;
    int32_t c = len == 1 ? p[0] : p[0] & (0x7F >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return INVALID;
        c = c << 6 | (p[i] & 0x3F);
    }
    if (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return INVALID;
    *ret_bytes = len;
    return c;
}

/* Where the system has no UTF-8 locale, each character counts one. */
static size_t width_of(int32_t c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_locale);
    if (c < 0x80 || !utf8)
        return 1;
    locale_t before = uselocale(utf8);
    int w = wcwidth((wchar_t)c);
    uselocale(before);
    return w < 0 ? 1 : (size_t)w;
}

size_t text_width(const char *text, size_t n)
{
    size_t width = 0, len;
    for (size_t i = 0; i < n; i += len)
        width += width_of(decode(text + i, n - i, &len));
    return width;
}

size_t text_fit(const char *text, size_t columns)
{
    size_t used = 0, i = 0, len, n = strlen(text);
    for (; i < n; i += len) {
        used += width_of(decode(text + i, n - i, &len));
        if (used > columns)
            break;
    }
    return i;
}

static bool turns_direction(int32_t c)
{
    return c == 0x61C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

static bool is_control(int32_t c)
{
    return c < 32 || (c >= 127 && c < 160) || c == 0x2028 || c == 0x2029;
}

bool text_is_utf8(const char *text, size_t n)
{
    size_t len;
    for (size_t i = 0; i < n; i += len)
        if (decode(text + i, n - i, &len) == INVALID)
            return false;
    return true;
}

bool text_is_plain(const char *text, size_t n, size_t *ret_chars)
{
    size_t len, chars = 0;
    bool plain = true;
    for (size_t i = 0; i < n; i += len, chars++) {
        int32_t c = decode(text + i, n - i, &len); /* INVALID is below 32 */
        plain = plain && !is_control(c) && !turns_direction(c);
    }
    *ret_chars = chars;
    return plain;
}

static void add_escaped(Str *out, const char *text, int32_t c, size_t len)
{
    if (c == INVALID)
        str_addf(out, "\\x%02x", (unsigned char)*text);
    else if (is_control(c) || turns_direction(c))
        str_addf(out, c < 256 ? "\\x%02x" : "\\u%04x", (unsigned)c);
    else
        str_add(out, text, len);
}

void text_clean(Str *out, const char *text)
{
    size_t len, n = strlen(text);
    for (size_t i = 0; i < n; i += len) {
        int32_t c = decode(text + i, n - i, &len);
        bool is_space = c == '\n' || c == '\t' || c == '\r';
        add_escaped(out, is_space ? " " : text + i, is_space ? ' ' : c, len);
    }
}

const char *text_wrong(const char *text)
{
    size_t len, n = strlen(text);
    for (size_t i = 0; i < n; i += len) {
        int32_t c = decode(text + i, n - i, &len);
        if (c == INVALID)
            return "it is not UTF-8";
        if (is_control(c) || turns_direction(c))
            return "it holds a control character";
    }
    return NULL;
}

void text_clean_lines(Str *out, const char *text, size_t n)
{
    size_t len;
    for (size_t i = 0; i < n; i += len) {
        int32_t c = decode(text + i, n - i, &len);
        if (c == '\n' || c == '\t')
            str_addc(out, (char)c);
        else
            add_escaped(out, text + i, c, len);
    }
}

void text_print(FILE *to, const char *fmt, ...)
{
    AUTO(str_done) Str clean = STR_INIT;
    va_list ap;
    va_start(ap, fmt);
    AUTOFREE char *text = xvasprintf(fmt, ap);
    va_end(ap);
    text_clean_lines(&clean, text, strlen(text));
    fwrite(str_z(&clean), 1, clean.len, to);
}

void text_cut(Str *out, const char *text, size_t columns)
{
    size_t n = strlen(text);
    if (text_width(text, n) <= columns)
        str_add(out, text, n);
    else if (columns) {
        str_add(out, text, text_fit(text, columns - 1));
        str_adds(out, "…");
    }
}
