/* SPDX-License-Identifier: Apache-2.0
 * Limit windows of BibSched: "22:00-03:00", "Sunday 01:00-05:00", "Fri-Mon", "Sat 20:00" (to the end of the
 * day). A task starts only inside; one that runs is not ended by it. Pure: the moment is given as a minute of
 * the local week, 0 being Sunday 00:00.
 */
#pragma once

#include "common/base/err.h"

enum { WINDOW_DAY = 24 * 60, WINDOW_WEEK = 7 * WINDOW_DAY };

typedef struct Window {
    int first_day, last_day; /* 0 Sunday … 6; days on which it opens, over the week's end too */
    int from, to;            /* minutes of a day; to <= from goes on into the next day */
} Window;

/* ERR_USAGE names what cannot be read and how it is written. */
MUST_CHECK bool window_parse(const char *text, Window *ret, Err *err);
bool window_is_open(const Window *w, int week_minute);
/* Minutes until it opens, 0 while it is open. */
int window_opens_in(const Window *w, int week_minute);
