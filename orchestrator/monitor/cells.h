/* SPDX-License-Identifier: Apache-2.0
 * A screen as a grid of characters, each with a look. What is put beyond the edge is left out, so that a
 * layout cannot overrun it. A character of two columns takes two cells, the second of them empty. Pure.
 */
#pragma once

#include "common/base/str.h"

/* What a text means; colours and attributes are the terminal's side. No look says something that the text
 * does not: a screen without colours is whole. */
typedef enum CellLook {
    LOOK_PLAIN,
    LOOK_DIM,   /* matters less */
    LOOK_TITLE, /* heads of columns, titles of boxes */
    LOOK_BAR,   /* the first and the last line */
    LOOK_GOOD,
    LOOK_BUSY, /* under way */
    LOOK_WARN,
    LOOK_BAD,
    LOOK_KEY, /* a key that may be pressed */
    LOOKS
} CellLook;
enum { LOOK_CHOSEN = 0x80, CELL_BYTES = 15 }; /* LOOK_CHOSEN is added to a look: the line of the cursor */

typedef struct Cell {
    char text[CELL_BYTES]; /* one character with what combines with it; "" behind a wide one */
    unsigned char look;
} Cell;

typedef struct Cells {
    int width, height;
    Cell *v;
} Cells;

void cells_init(Cells *c, int width, int height); /* all spaces */
void cells_done(Cells *c);
const Cell *cells_at(const Cells *c, int line, int column);
/* At most `width` columns of a cleaned text; returns the column behind it. */
int cells_put(Cells *c, int line, int column, int width, unsigned look, const char *text);
/* The same, cut with "…" where it does not fit. */
int cells_put_cut(Cells *c, int line, int column, int width, unsigned look, const char *text);
/* Spaces with a look. */
void cells_blank(Cells *c, int line, int column, int width, unsigned look);
/* For terminals without UTF-8: each other character becomes one of ASCII. */
void cells_to_ascii(Cells *c);
