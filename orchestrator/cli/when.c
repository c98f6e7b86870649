/* SPDX-License-Identifier: Apache-2.0 */
#include "when.h"

#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/str.h"

bool when_parse_span(const char *text, int64_t *ret_ms, Err *err)
{
    if (clock_parse_duration(text[0] == '+' ? text + 1 : text, ret_ms))
        return true;
    return err_set(err, ERR_USAGE, 0, "\"%s\" is not a duration; write for instance 15s, 5m, 3h, 1d or 1h30m",
                   text);
}

static bool whole_date(const char *text, const char *form, struct tm *ret)
{
    memset(ret, 0, sizeof *ret);
    const char *end = strptime(text, form, ret);
    return end && !*end;
}

static bool parse_date(const char *text, int64_t now_ms, struct tm *ret)
{
    static const char *const dates[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M",
                                        "%Y-%m-%d"};
    static const char *const times[] = {"%H:%M:%S", "%H:%M"};
    for (size_t i = 0; i < COUNT(dates); i++)
        if (whole_date(text, dates[i], ret))
            return true;
    for (size_t i = 0; i < COUNT(times); i++) {
        struct tm time_of_day;
        time_t now = (time_t)(now_ms / 1000);
        if (!whole_date(text, times[i], &time_of_day) || !localtime_r(&now, ret))
            continue;
        ret->tm_hour = time_of_day.tm_hour;
        ret->tm_min = time_of_day.tm_min;
        ret->tm_sec = time_of_day.tm_sec;
        return true;
    }
    return false;
}

/* A day of 31 February would become one in March. */
static bool to_local_ms(struct tm *tm, int64_t *ret_ms)
{
    int day = tm->tm_mday;
    tm->tm_isdst = -1;
    time_t t = mktime(tm);
    if (t == (time_t)-1 || tm->tm_mday != day)
        return false;
    *ret_ms = (int64_t)t * 1000;
    return true;
}

bool when_parse(const char *text, int64_t now_ms, int64_t *ret_ms, Err *err)
{
    int64_t ms;
    struct tm tm;
    if (strcmp(text, "now") == 0)
        *ret_ms = now_ms;
    else if (clock_parse_duration(text[0] == '+' ? text + 1 : text, &ms))
        *ret_ms = now_ms + ms;
    else if (clock_parse(text, &ms))
        *ret_ms = ms;
    else if (!parse_date(text, now_ms, &tm) || !to_local_ms(&tm, ret_ms))
        return err_set(err, ERR_USAGE, 0,
                       "\"%s\" is not a time; write +15s, 5m, 3h, 22:00, \"2002-10-27 13:57:26\" or now",
                       text);
    return true;
}
