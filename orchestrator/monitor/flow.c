/* SPDX-License-Identifier: Apache-2.0 */
#include "flow.h"

#include <string.h>

#include "common/base/text.h"

enum { NAME_WIDTH = 11 };

void flow_init(Flow *f, int width)
{
    *f = (Flow){.width = width > 8 ? width : 8};
}

void flow_done(Flow *f)
{
    strlist_done(&f->lines);
    str_done(&f->line);
}

void flow_break(Flow *f)
{
    if (!f->line.len)
        return;
    strlist_add(&f->lines, str_z(&f->line));
    str_clear(&f->line);
    f->used = 0;
    f->after_space = false;
}

static void next_line(Flow *f)
{
    flow_break(f);
    str_addf(&f->line, "%*s", f->indent, "");
    f->used = f->indent;
}

static void add_word(Flow *f, CellLook look, const char *word)
{
    int columns = (int)text_width(word, strlen(word));
    bool space = f->after_space && f->used > f->indent;
    if (f->used + space + columns > f->width && f->used > f->indent) {
        next_line(f);
        space = false;
    }
    str_addf(&f->line, "%s%c%c", space ? " " : "", FLOW_MARK, 'A' + (int)look);
    f->used += space;
    /* A word longer than a line is broken wherever it must. */
    while (f->used + columns > f->width) {
        size_t n = text_fit(word, (size_t)(f->width - f->used));
        str_add(&f->line, word, n);
        word += n;
        columns = (int)text_width(word, strlen(word));
        next_line(f);
        str_addf(&f->line, "%c%c", FLOW_MARK, 'A' + (int)look);
        if (!n)
            break;
    }
    str_adds(&f->line, word);
    f->used += columns;
    f->after_space = false;
}

void flow_text(Flow *f, CellLook look, const char *text)
{
    AUTO(str_done) Str clean = STR_INIT;
    text_clean(&clean, text ? text : "");
    for (const char *p = str_z(&clean); *p;) {
        size_t n = strcspn(p, " ");
        AUTOFREE char *word = xstrndup(p, n);
        if (n)
            add_word(f, look, word);
        p += n;
        if (*p)
            f->after_space = true;
        p += strspn(p, " ");
    }
}

void flow_textf(Flow *f, CellLook look, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTOFREE char *text = xvasprintf(fmt, ap);
    va_end(ap);
    flow_text(f, look, text);
}

void flow_piece(Flow *f, CellLook look, const char *text)
{
    AUTO(str_done) Str clean = STR_INIT;
    text_clean(&clean, text);
    add_word(f, look, str_z(&clean));
}

void flow_label(Flow *f, const char *name)
{
    AUTOFREE char *label = xasprintf("%-*s ", NAME_WIDTH - 1, name);
    flow_end(f);
    add_word(f, LOOK_DIM, label);
    f->indent = NAME_WIDTH;
}

void flow_end(Flow *f)
{
    flow_break(f);
    f->indent = 0;
}

void flow_pair(Flow *f, const char *name, CellLook look, const char *text)
{
    if (!text || !*text)
        return;
    flow_label(f, name);
    flow_text(f, look, text);
    flow_end(f);
}

void flow_pairf(Flow *f, const char *name, CellLook look, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTOFREE char *text = xvasprintf(fmt, ap);
    va_end(ap);
    flow_pair(f, name, look, text);
}

int flow_put(Cells *c, int line, int column, int width, const char *marked)
{
    int end = column + width;
    CellLook look = LOOK_PLAIN;
    while (*marked && column < end) {
        size_t n = strcspn(marked, "\001");
        AUTOFREE char *part = xstrndup(marked, n);
        column = cells_put_cut(c, line, column, end - column, look, part);
        marked += n;
        if (marked[0] == FLOW_MARK && marked[1]) {
            look = (CellLook)(marked[1] - 'A');
            marked += 2;
        }
    }
    return column;
}
