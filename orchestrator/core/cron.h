/* SPDX-License-Identifier: Apache-2.0
 * Times of a recurrence: "0 2 * * *" (minute, hour, day, month, weekday; lists, ranges, steps, names of
 * months and weekdays; a day and a weekday that are both given are alternatives), or @hourly, @daily,
 * @weekly,
 * @monthly, @yearly. Days may be excluded.
 *
 * When the clocks change: fixed times (neither minute nor hour begins with "*") run once: what falls into the
 * hour that is left out runs where that ends, and of an hour that comes twice the first counts. Wildcards
 * follow elapsed time: they run at each local time that there is, twice where it comes twice. Pure.
 */
#pragma once

#include "common/base/str.h"
#include "zone.h"

enum { CRON_MOST_EXCLUDED = 64 };

typedef struct CronDate {
    int64_t year; /* 0: each */
    int month, day;
} CronDate;

typedef struct Cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays; /* sets, 1u << value; weekday 0: Sunday */
    bool either;                            /* day or weekday will do */
    bool fixed;
    uint32_t not_weekdays;
    CronDate not_dates[CRON_MOST_EXCLUDED];
    size_t n_not_dates;
} Cron;

/* `not_on`: "Sat", "12-25" (each year), "2026-04-03". ERR_USAGE names the word that is wrong. */
MUST_CHECK bool cron_parse(const char *text, const StrList *not_on, Cron *ret, Err *err);
/* The first time after `after`, both in seconds of UTC; 0: none before 2100. */
int64_t cron_next(const Cron *c, const Zone *z, int64_t after);
/* Milliseconds from 0 to jitter_ms, the same for the same seed and turn. */
int64_t cron_jitter(uint64_t seed, int64_t planned, int64_t jitter_ms);
