/* SPDX-License-Identifier: Apache-2.0
 * Limit windows of BibSched: "22:00-03:00", "Sunday 01:00-05:00", "Fri-Mon", "Sat 20:00" (to the end of the
 * day), and several with ';' between them. Half-open: at 03:00 the first is shut. A task starts only inside;
 * what becomes of one that still runs at the end is another matter. Windows follow the clocks of a zone: what
 * lies in the hour that is left out in spring does not open that day, what lies in the hour that comes twice
 * in autumn is open both times. Pure.
 */
#pragma once

#include <stddef.h>

#include "zone.h"

enum { WINDOW_DAY = 24 * 60, WINDOW_WEEK = 7 * WINDOW_DAY };

typedef struct Window {
    int first_day, last_day; /* 0 Sunday … 6; days on which it opens, over the week's end too */
    int from, to;            /* minutes of a day; to <= from goes on into the next day */
} Window;

enum { WINDOW_MOST = 8 };

typedef struct WindowSet {
    Window v[WINDOW_MOST];
    size_t n;
} WindowSet;

/* ERR_USAGE names what cannot be read and how it is written. */
MUST_CHECK bool window_parse(const char *text, WindowSet *ret, Err *err);
/* Milliseconds until it opens by the clocks of that zone (NULL: UTC), 0 while it is open. */
int64_t window_wait_ms(const WindowSet *w, const Zone *z, int64_t wall_ms);
