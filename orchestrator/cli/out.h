/* SPDX-License-Identifier: Apache-2.0
 * What people read: sizes, counts, bars, times; tables are in table.h. Pure, apart from the last four.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "common/base/str.h"
#include "table.h"

enum { OUT_TEXT = 48 };
void out_size(int64_t bytes, char ret[OUT_TEXT]);   /* "734 B", "1.4 MiB" */
void out_count(int64_t n, char ret[OUT_TEXT]);      /* "734", "1.4 M" */
void out_time(int64_t wall_ms, char ret[OUT_TEXT]); /* "2026-11-23 20:37:00" local; "" for 0 */
/* "[#####.....]  50%", `width` characters in brackets; without a total a wandering mark. */
void out_bar(int64_t done, int64_t total, size_t width, Str *out);

void out_json(const json_t *j);  /* to stdout, indented, one final newline */
void out_text(const char *text); /* to stdout */
size_t out_width(int fd);        /* of the terminal, 0 when it is none */
bool out_is_smart(int fd);       /* a terminal that can move its cursor */
