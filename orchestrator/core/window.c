/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/str.h"

static const char *const days[] = {"sunday",   "monday", "tuesday", "wednesday",
                                   "thursday", "friday", "saturday"};

static bool bad(const char *text, Err *err)
{
    return err_set(err, ERR_USAGE, 0,
                   "\"%s\" is no limit window; write for instance \"22:00-03:00\", \"Sunday 01:00-05:00\" or "
                   "\"Fri-Mon\"",
                   text);
}

/* At least three letters of a day's name; *p moves behind it. */
static bool take_day(const char **p, int *ret)
{
    size_t n = 0;
    while (isalpha((unsigned char)(*p)[n]))
        n++;
    for (int d = 0; n >= 3 && d < 7; d++)
        if (n <= strlen(days[d]) && strncasecmp(*p, days[d], n) == 0) {
            *ret = d;
            *p += n;
            return true;
        }
    return false;
}

static bool take_number(const char **p, int most, int *ret)
{
    size_t n = strspn(*p, "0123456789");
    if (n < 1 || n > 2)
        return false;
    *ret = atoi(*p);
    *p += n;
    return *ret <= most;
}

static bool take_time(const char **p, int *ret)
{
    int hour, minute = 0;
    if (!take_number(p, 24, &hour))
        return false;
    if (**p == ':') {
        (*p)++;
        if (!take_number(p, 59, &minute))
            return false;
    }
    *ret = hour * 60 + minute;
    return *ret <= WINDOW_DAY;
}

static void skip_spaces(const char **p)
{
    while (**p == ' ')
        (*p)++;
}

static bool take_days(const char **p, Window *w)
{
    if (!isalpha((unsigned char)**p))
        return true;
    if (!take_day(p, &w->first_day))
        return false;
    w->last_day = w->first_day;
    if (**p != '-')
        return true;
    (*p)++;
    return take_day(p, &w->last_day);
}

static bool take_times(const char **p, Window *w)
{
    if (!**p)
        return true;
    if (!take_time(p, &w->from))
        return false;
    if (**p != '-')
        return true;
    (*p)++;
    return take_time(p, &w->to);
}

static bool parse_one(const char **p, Window *ret)
{
    Window w = {0, 6, 0, WINDOW_DAY};
    skip_spaces(p);
    if (!**p || **p == ';' || !take_days(p, &w))
        return false;
    skip_spaces(p);
    if (**p != ';' && !take_times(p, &w))
        return false;
    skip_spaces(p);
    *ret = w;
    return (!**p || **p == ';') && w.from != WINDOW_DAY;
}

bool window_parse(const char *text, WindowSet *ret, Err *err)
{
    WindowSet set = {0};
    const char *p = text;
    do {
        p += set.n > 0; /* behind the ';' */
        if (set.n == WINDOW_MOST || !parse_one(&p, &set.v[set.n]))
            return bad(text, err);
        set.n++;
    } while (*p);
    *ret = set;
    return true;
}

static bool opens_on(const Window *w, int day)
{
    return w->first_day <= w->last_day ? day >= w->first_day && day <= w->last_day
                                       : day >= w->first_day || day <= w->last_day;
}

static bool one_is_open(const Window *w, int week_minute)
{
    int day = week_minute / WINDOW_DAY % 7, minute = week_minute % WINDOW_DAY;
    if (w->from < w->to)
        return opens_on(w, day) && minute >= w->from && minute < w->to;
    /* Over midnight: what opened the day before is still open. */
    return (opens_on(w, day) && minute >= w->from) || (opens_on(w, (day + 6) % 7) && minute < w->to);
}

static bool is_open(const WindowSet *w, int week_minute)
{
    for (size_t i = 0; i < w->n; i++)
        if (one_is_open(&w->v[i], week_minute))
            return true;
    return false;
}

/* The first of January 1970 was a Thursday. */
static int week_minute(int64_t local_minute)
{
    int64_t m = (local_minute + 4 * WINDOW_DAY) % WINDOW_WEEK;
    return (int)(m < 0 ? m + WINDOW_WEEK : m);
}

int64_t window_wait_ms(const WindowSet *w, const Zone *z, int64_t wall_ms)
{
    enum { MINUTE_S = 60, MOST = 2 * WINDOW_WEEK }; /* one week may have lost the hour */
    int64_t first = wall_ms / (MINUTE_S * 1000);
    ZoneSpan span = {0, 0, 0, 0};
    for (int64_t m = first; m < first + MOST; m++) {
        if (z && (m == first || m * MINUTE_S >= span.to))
            span = zone_span(z, m * MINUTE_S);
        if (is_open(w, week_minute(m + span.offset / MINUTE_S)))
            return m == first ? 0 : m * MINUTE_S * 1000 - wall_ms;
    }
    return (int64_t)MOST * MINUTE_S * 1000;
}
