/* SPDX-License-Identifier: Apache-2.0 */
#include "out.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

size_t out_columns(const char *text, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)text[i] & 0xC0) != 0x80;
    return columns;
}

void table_head(Table *t, const char *align, const char *const *head)
{
    t->align = align;
    t->has_head = true;
    table_row(t, head);
}

void table_row(Table *t, const char *const *cells)
{
    size_t n = 0;
    for (; cells[n] && (!t->columns || n < t->columns); n++) {
        AUTOFREE char *cell = xstrdup(cells[n]);
        for (char *p = cell; *p; p++)
            if ((unsigned char)*p < 32 || *p == 127)
                *p = ' ';
        strlist_add(&t->cells, cell);
    }
    if (!t->columns)
        t->columns = n;
    for (; n < t->columns; n++)
        strlist_add(&t->cells, "");
}

size_t table_rows(const Table *t)
{
    return t->columns ? t->cells.n / t->columns - t->has_head : 0;
}

void table_done(Table *t)
{
    strlist_done(&t->cells);
    *t = (Table)TABLE_INIT;
}

static size_t *column_widths(const Table *t)
{
    size_t *widths = xcalloc(t->columns, sizeof *widths);
    for (size_t i = 0; i < t->cells.n; i++) {
        size_t n = out_columns(t->cells.v[i], strlen(t->cells.v[i]));
        if (n > widths[i % t->columns])
            widths[i % t->columns] = n;
    }
    return widths;
}

/* The first `columns` characters of text, "…" for the last where something is left out. */
static void add_cut(Str *out, const char *text, size_t columns)
{
    if (out_columns(text, strlen(text)) <= columns) {
        str_adds(out, text);
        return;
    }
    size_t n = 0;
    for (size_t seen = 0; text[n] && seen + 1 < columns; seen++)
        for (n++; ((unsigned char)text[n] & 0xC0) == 0x80; n++)
            ;
    str_add(out, text, n);
    if (columns)
        str_adds(out, "…");
}

static void write_row(const Table *t, char *const *cells, const size_t *widths, size_t width, Str *out)
{
    AUTO(str_done) Str line = STR_INIT;
    size_t used = 0;
    for (size_t i = 0; i < t->columns; i++) {
        bool right = t->align && i < strlen(t->align) && t->align[i] == 'r';
        bool last = i + 1 == t->columns;
        size_t n = out_columns(cells[i], strlen(cells[i])), pad = widths[i] - n;
        if (last && width && used < width)
            add_cut(&line, cells[i], width - used);
        else
            str_addf(&line, "%*s%s%*s", right ? (int)pad : 0, "", cells[i], right || last ? 0 : (int)pad, "");
        if (!last)
            str_adds(&line, "  ");
        used += widths[i] + 2;
    }
    while (line.len && line.p[line.len - 1] == ' ')
        line.p[--line.len] = 0;
    str_addf(out, "%s\n", str_z(&line));
}

void table_write(const Table *t, size_t width, Str *out)
{
    if (!t->columns)
        return;
    AUTOFREE size_t *widths = column_widths(t);
    for (size_t i = 0; i < t->cells.n; i += t->columns)
        write_row(t, t->cells.v + i, widths, width, out);
}

static void scaled(double n, double step, const char *const *units, char ret[OUT_TEXT])
{
    size_t u = 0;
    for (; n >= step && units[u + 1]; u++)
        n /= step;
    if (u == 0)
        snprintf(ret, OUT_TEXT, "%.0f%s", n, units[0]);
    else
        snprintf(ret, OUT_TEXT, "%.1f%s", n, units[u]);
}

void out_size(int64_t bytes, char ret[OUT_TEXT])
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", NULL};
    scaled((double)bytes, 1024, units, ret);
}

void out_count(int64_t n, char ret[OUT_TEXT])
{
    static const char *const units[] = {"", " k", " M", " G", NULL};
    if (n < 10000)
        snprintf(ret, OUT_TEXT, "%lld", (long long)n);
    else
        scaled((double)n, 1000, units, ret);
}

void out_time(int64_t wall_ms, char ret[OUT_TEXT])
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;
    ret[0] = 0;
    if (wall_ms && localtime_r(&s, &tm))
        strftime(ret, OUT_TEXT, "%Y-%m-%d %H:%M:%S", &tm);
}

void out_bar(int64_t done, int64_t total, size_t width, Str *out)
{
    str_addc(out, '[');
    if (total <= 0) {
        size_t mark = width ? (size_t)(done < 0 ? 0 : done) % width : 0;
        for (size_t i = 0; i < width; i++)
            str_addc(out, i == mark ? '#' : '.');
        str_adds(out, "]    ?");
        return;
    }
    double part = done < 0 ? 0 : done > total ? 1 : (double)done / (double)total;
    size_t filled = (size_t)(part * (double)width);
    for (size_t i = 0; i < width; i++)
        str_addc(out, i < filled ? '#' : '.');
    str_addf(out, "] %3d%%", (int)(part * 100));
}

void out_json(const json_t *j)
{
    json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    fputc('\n', stdout);
}

void out_text(const char *text)
{
    fputs(text, stdout);
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
