/* SPDX-License-Identifier: Apache-2.0 */
#include "out.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/text.h"

void out_json(const json_t *j)
{
    /* What C1 or bidirectional controls stand in a text is an escape on a terminal, as it is of C0. */
    json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0));
    fputc('\n', stdout);
}

static const char *colour_of(char mark)
{
    return mark == 'g'   ? "\033[32m"
           : mark == 'b' ? "\033[36m"
           : mark == 'w' ? "\033[33m"
           : mark == 'e' ? "\033[1;31m"
                         : "\033[0m";
}

static bool colours;

/* The next mark of ours; a byte of others is none. */
static const char *next_mark(const char *text, const char *end)
{
    for (const char *p = text; colours && p + 1 < end; p++)
        if (*p == TABLE_MARK && p[1] && strchr("gbwe.", p[1]))
            return p;
    return NULL;
}

void out_marked(const char *text, size_t n)
{
    const char *end = text + n;
    while (text < end) {
        const char *mark = next_mark(text, end);
        size_t part = (size_t)((mark ? mark : end) - text);
        AUTO(str_done) Str clean = STR_INIT;
        text_clean_lines(&clean, text, part);
        fwrite(str_z(&clean), 1, clean.len, stdout);
        text += part;
        if (mark)
            fputs(colour_of(text[1]), stdout);
        text += mark ? 2 : 0;
    }
}

void out_text(const char *text)
{
    out_marked(text, strlen(text));
}

void out_table(const Table *t)
{
    AUTO(str_done) Str text = STR_INIT;
    table_write(t, out_width(STDOUT_FILENO), &text);
    out_text(str_z(&text));
}

void out_start(void)
{
    const char *no = getenv("NO_COLOR");
    colours = out_is_smart(STDOUT_FILENO) && !(no && *no);
    if (colours)
        table_mark_states();
}

size_t out_width(int fd)
{
    struct winsize w;
    return isatty(fd) && ioctl(fd, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

bool out_is_smart(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}
