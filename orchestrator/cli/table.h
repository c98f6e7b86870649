/* SPDX-License-Identifier: Apache-2.0
 * Aligned tables, by the columns that a terminal shows (common/base/text.h). Pure.
 */
#pragma once

#include "common/base/str.h"

/* One letter a column; columns behind the end of the text are 'l'.
 *   l  left; cut with "…" where the table is too wide
 *   w  left; goes on in lines below where the table is too wide
 *   x  left, never cut: what is copied to elsewhere
 *   r  right, never cut: a number that lost its end would be another
 *   s  as x: a state, which table_mark_states lets stand out */
typedef struct Table {
    const char *align;
    StrList cells; /* rows of `columns` cells */
    size_t columns;
    bool has_head;
} Table;
#define TABLE_INIT                                                                                           \
    {                                                                                                        \
        NULL, STRLIST_INIT, 0, false                                                                         \
    }
/* `head`: NULL-terminated; fixes the number of columns. */
void table_head(Table *t, const char *align, const char *const *head);
void table_row(Table *t, const char *const *cells); /* NULL-terminated, as many as the columns */
size_t table_rows(const Table *t);                  /* without the head */
/* No line is wider than `width` columns (0: any): wrapping columns give way first, then the widest that may
 * be cut; what does not fit all the same is cut at the line's end. */
void table_write(const Table *t, size_t width, Str *out);
void table_done(Table *t);

/* From here on what a state means stands around it: TABLE_MARK and a letter of 'g' good, 'b' busy, 'w' look
 * at it, 'e' error before, TABLE_MARK and '.' behind. out.h makes colours of it. Cells hold no such byte. */
enum { TABLE_MARK = 1 };
void table_mark_states(void);
