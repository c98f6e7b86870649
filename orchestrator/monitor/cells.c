/* SPDX-License-Identifier: Apache-2.0 */
#include "cells.h"

#include <string.h>

#include "common/base/text.h"

void cells_init(Cells *c, int width, int height)
{
    *c = (Cells){width, height, xcalloc((size_t)width * (size_t)height, sizeof(Cell))};
    for (int i = 0; i < width * height; i++)
        c->v[i].text[0] = ' ';
}

void cells_done(Cells *c)
{
    free(c->v);
    *c = (Cells){0};
}

const Cell *cells_at(const Cells *c, int line, int column)
{
    return &c->v[line * c->width + column];
}

static bool is_inside(const Cells *c, int line, int column)
{
    return line >= 0 && line < c->height && column >= 0 && column < c->width;
}

static void set(Cells *c, int line, int column, unsigned look, const char *text, size_t n)
{
    if (!is_inside(c, line, column))
        return;
    Cell *cell = &c->v[line * c->width + column];
    size_t fits = n < CELL_BYTES ? n : 0;
    *cell = (Cell){.look = (unsigned char)look};
    memcpy(cell->text, fits ? text : n ? "?" : "", fits ? fits : n != 0);
}

/* Bytes of the first character with what combines with it, and its columns; 0: the end. */
static size_t first_character(const char *text, int *ret_columns)
{
    for (int columns = 1; columns <= 2; columns++) {
        size_t n = text_fit(text, (size_t)columns);
        *ret_columns = columns;
        if (n)
            return n;
    }
    return 0;
}

int cells_put(Cells *c, int line, int column, int width, unsigned look, const char *text)
{
    int end = column + width < c->width ? column + width : c->width, columns;
    while (*text) {
        size_t n = first_character(text, &columns);
        if (!n || column + columns > end)
            break;
        set(c, line, column, look, text, n);
        for (int i = 1; i < columns; i++)
            set(c, line, column + i, look, "", 0);
        column += columns;
        text += n;
    }
    return column;
}

int cells_put_cut(Cells *c, int line, int column, int width, unsigned look, const char *text)
{
    AUTO(str_done) Str shown = STR_INIT;
    int room = c->width - column < width ? c->width - column : width;
    if (room <= 0)
        return column;
    text_cut(&shown, text, (size_t)room);
    return cells_put(c, line, column, room, look, str_z(&shown));
}

void cells_blank(Cells *c, int line, int column, int width, unsigned look)
{
    for (int i = column; i < column + width; i++)
        set(c, line, i, look, " ", 1);
}

void cells_to_ascii(Cells *c)
{
    static const struct {
        const char *from, *to;
    } known[] = {{"…", "~"}, {"─", "-"}, {"│", "|"}, {"█", "#"}, {"░", "."}, {"▸", ">"}, {"→", ">"},
                 {"✓", "+"}, {"●", "*"}, {"┌", "+"}, {"┐", "+"}, {"└", "+"}, {"┘", "+"}, {"·", "."}};
    for (int i = 0; i < c->width * c->height; i++) {
        Cell *cell = &c->v[i];
        const char *to = "?";
        if (!((unsigned char)cell->text[0] & 0x80))
            continue;
        for (size_t k = 0; k < COUNT(known); k++)
            if (strcmp(cell->text, known[k].from) == 0)
                to = known[k].to;
        memset(cell->text, 0, sizeof cell->text);
        cell->text[0] = *to;
    }
}
