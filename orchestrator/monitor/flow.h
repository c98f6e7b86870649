/* SPDX-License-Identifier: Apache-2.0
 * Lines of text in several looks, wrapped by words at a width. In a line a byte FLOW_MARK and the look's
 * letter
 * ('A' + look) say how it goes on; texts of others are cleaned and hold no such byte. Pure.
 */
#pragma once

#include "cells.h"

enum { FLOW_MARK = 1 };

typedef struct Flow {
    StrList lines;
    Str line;
    int used, width, indent; /* indent: of the lines that a text goes on in */
    bool after_space;
} Flow;

void flow_init(Flow *f, int width);
void flow_done(Flow *f);
/* Adds text, breaking lines at spaces; `text` is cleaned. */
void flow_text(Flow *f, CellLook look, const char *text);
void flow_textf(Flow *f, CellLook look, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same, kept in one piece where a line holds it. */
void flow_piece(Flow *f, CellLook look, const char *text);
void flow_break(Flow *f); /* ends the line, where one is begun */
/* Begins a line with a name; what comes behind it goes on below itself, until flow_end. */
void flow_label(Flow *f, const char *name);
void flow_end(Flow *f);
/* "name   text": a line of its own, that goes on below the text. Nothing where there is no text. */
void flow_pair(Flow *f, const char *name, CellLook look, const char *text);
void flow_pairf(Flow *f, const char *name, CellLook look, const char *fmt, ...) PRINTF_LIKE(4, 5);

int flow_put(Cells *c, int line, int column, int width, const char *marked);
