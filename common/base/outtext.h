/* SPDX-License-Identifier: Apache-2.0
 * Sizes, counts, times and bars as people read them. Pure.
 */
#pragma once

#include <stdint.h>

#include "str.h"

enum { OUT_TEXT = 48 };
void out_size(int64_t bytes, char ret[OUT_TEXT]);   /* "734 B", "1.4 MiB" */
void out_count(int64_t n, char ret[OUT_TEXT]);      /* "734", "1.4 M" */
void out_time(int64_t wall_ms, char ret[OUT_TEXT]); /* "2026-11-23 20:37:00" local; "" for 0 */
/* "[#####.....]  50%", `width` characters in brackets; without a total a wandering mark. */
void out_bar(int64_t done, int64_t total, size_t width, Str *out);
