/* SPDX-License-Identifier: Apache-2.0
 * What people read: aligned tables, sizes, counts, bars, times. Text is UTF-8; a column is as wide as its
 * widest text in characters. Pure, apart from the out_… functions at the end.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "common/base/str.h"

typedef struct Table {
    const char *align; /* one letter a column: 'l' or 'r'; columns behind its end are 'l' */
    StrList cells;     /* rows of `columns` cells */
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
/* Writes lines; the last column is cut so that no line is wider than `width` characters (0: never). Control
 * characters in cells become spaces. */
void table_write(const Table *t, size_t width, Str *out);
size_t table_rows(const Table *t); /* without the head */
void table_done(Table *t);

enum { OUT_TEXT = 48 };
void out_size(int64_t bytes, char ret[OUT_TEXT]);   /* "734 B", "1.4 MiB" */
void out_count(int64_t n, char ret[OUT_TEXT]);      /* "734", "1.4 M" */
void out_time(int64_t wall_ms, char ret[OUT_TEXT]); /* "2026-11-23 20:37:00" local; "" for 0 */
/* "[#####.....]  50%", `width` characters in brackets; without a total a wandering mark. */
void out_bar(int64_t done, int64_t total, size_t width, Str *out);
size_t out_columns(const char *text, size_t n); /* characters of UTF-8 */

void out_json(const json_t *j);  /* to stdout, indented, one final newline */
void out_text(const char *text); /* to stdout */
size_t out_width(int fd);        /* of the terminal, 0 when it is none */
bool out_is_smart(int fd);       /* a terminal that can move its cursor */
