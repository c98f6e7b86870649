/* SPDX-License-Identifier: Apache-2.0 */
#include "cron.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "numbered.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, FIELDS = 5, LONGEST = 256 };

/* ---- reading ---------------------------------------------------------------------------------------- */

typedef struct CronField {
    const char *name;
    int least, most;
    const char *const *names; /* of least, least + 1, … */
} CronField;

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                     "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const CronField fields[FIELDS] = {{"minute", 0, 59, NULL},
                                         {"hour", 0, 23, NULL},
                                         {"day", 1, 31, NULL},
                                         {"month", 1, 12, months},
                                         {"weekday", 0, 7, weekdays}};

static bool take_name(const char **p, const CronField *f, int *ret)
{
    for (int i = 0; f->names && f->names[i]; i++) {
        size_t n = strlen(f->names[i]);
        if (strncasecmp(*p, f->names[i], n) != 0 || isalpha((unsigned char)(*p)[n]))
            continue;
        *ret = f->least + i;
        *p += n;
        return true;
    }
    return false;
}

static bool take_value(const char **p, const CronField *f, int *ret)
{
    int n = 0, digits = 0;
    if (isalpha((unsigned char)**p))
        return take_name(p, f, ret);
    for (; isdigit((unsigned char)**p) && digits < 3; digits++)
        n = n * 10 + (*(*p)++ - '0');
    *ret = n;
    return digits && !isdigit((unsigned char)**p) && n >= f->least && n <= f->most;
}

/* "*", "7", "7-9", each with "/step". */
static bool take_part(const char **p, const CronField *f, uint64_t *set)
{
    static const CronField step_field = {"step", 1, 59, NULL};
    int first = f->least, last = f->most, step = 1;
    if (**p == '*') {
        (*p)++;
    } else {
        if (!take_value(p, f, &first))
            return false;
        last = first;
        if (**p == '-') {
            (*p)++;
            if (!take_value(p, f, &last) || last < first)
                return false;
        } else if (**p == '/') {
            last = f->most;
        }
    }
    if (**p == '/') {
        (*p)++;
        if (!take_value(p, &step_field, &step))
            return false;
    }
    for (int i = first; i <= last; i += step)
        *set |= UINT64_C(1) << i;
    return true;
}

static bool read_field(const char *text, const CronField *f, uint64_t *ret, Err *err)
{
    const char *p = text;
    bool ok;
    *ret = 0;
    while ((ok = take_part(&p, f, ret)) && *p == ',')
        p++;
    return (ok && !*p) ||
           err_set(err, ERR_USAGE, 0, "\"%s\" is no %s of a cron line (%d to %d, *, 1-5, */10)", text,
                   f->name, f->least, f->most);
}

static const char *named_line(const char *text)
{
    static const struct {
        const char *name, *line;
    } rows[] = {{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
                {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
                {"@annually", "0 0 1 1 *"}};
    for (size_t i = 0; i < COUNT(rows); i++)
        if (str_eq(text, rows[i].name))
            return rows[i].line;
    return text;
}

static bool read_line(const char *text, Cron *c, Err *err)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    uint64_t sets[FIELDS];
    if (strlen(text) <= LONGEST)
        strlist_split(&words, named_line(text), ' ');
    if (words.n != FIELDS)
        return err_set(
            err, ERR_USAGE, 0,
            "\"%.80s\" is no cron line: it has minute, hour, day, month and weekday, such as \"0 2 * * *\"",
            text);
    for (size_t i = 0; i < FIELDS; i++)
        if (!read_field(words.v[i], &fields[i], &sets[i], err))
            return false;
    c->minutes = sets[0];
    c->hours = (uint32_t)sets[1];
    c->days = (uint32_t)sets[2];
    c->months = (uint32_t)sets[3];
    c->weekdays = (uint32_t)((sets[4] | sets[4] >> 7) & 127);
    c->either = *words.v[2] != '*' && *words.v[4] != '*';
    c->fixed = *words.v[0] != '*' && *words.v[1] != '*';
    return true;
}

static bool read_date(const char *text, CronDate *ret)
{
    int parts[3], n = 0;
    for (const char *p = text; n < 3; p++) {
        int digits = 0;
        for (parts[n] = 0; isdigit((unsigned char)*p) && digits < 4; digits++)
            parts[n] = parts[n] * 10 + (*p++ - '0');
        if (!digits)
            return false;
        n++;
        if (!*p)
            break;
        if (*p != '-')
            return false;
    }
    if (n < 2)
        return false;
    *ret = (CronDate){n == 3 ? parts[0] : 0, parts[n - 2], parts[n - 1]};
    int64_t year = ret->year ? ret->year : 2000; /* which has a 29 February */
    return ret->month >= 1 && ret->month <= 12 && ret->day >= 1 &&
           ret->day <= zone_month_days(year, ret->month) && (n == 2 || ret->year >= 2000);
}

static bool read_excluded(const StrList *not_on, Cron *c, Err *err)
{
    for (size_t i = 0; not_on && i < not_on->n; i++) {
        const char *p = not_on->v[i];
        int weekday;
        if (take_name(&p, &fields[4], &weekday) && !*p)
            c->not_weekdays |= 1u << weekday;
        else if (c->n_not_dates == CRON_MOST_EXCLUDED ||
                 !read_date(not_on->v[i], &c->not_dates[c->n_not_dates]))
            return err_set(err, ERR_USAGE, 0,
                           "\"%s\" is no day to leave out: write Sat, 12-25 or 2026-04-03 (%d dates at most)",
                           not_on->v[i], CRON_MOST_EXCLUDED);
        else
            c->n_not_dates++;
    }
    return true;
}

bool cron_parse(const char *text, const StrList *not_on, Cron *ret, Err *err)
{
    Cron c = {0};
    if (!read_line(text, &c, err) || !read_excluded(not_on, &c, err))
        return false;
    *ret = c;
    return true;
}

/* ---- times ------------------------------------------------------------------------------------------ */

static bool is_excluded(const Cron *c, int64_t year, int month, int day, int weekday)
{
    if (c->not_weekdays & 1u << weekday)
        return true;
    for (size_t i = 0; i < c->n_not_dates; i++) {
        const CronDate *d = &c->not_dates[i];
        if ((!d->year || d->year == year) && d->month == month && d->day == day)
            return true;
    }
    return false;
}

static bool day_fits(const Cron *c, int64_t days)
{
    int64_t year;
    int month, day, weekday = (int)(((days + 4) % 7 + 7) % 7);
    zone_date(days, &year, &month, &day);
    bool by_day = c->days & 1u << day, by_weekday = c->weekdays & 1u << weekday;
    return (c->months & 1u << month) && (c->either ? by_day || by_weekday : by_day && by_weekday) &&
           !is_excluded(c, year, month, day, weekday);
}

/* The first minute of a day that fits, not before `from`; -1: none. */
static int64_t minute_of_day(const Cron *c, int64_t from)
{
    for (int64_t m = from; m < 24 * 60; m++) {
        if (!(c->hours & 1u << (m / 60)))
            m += 59 - m % 60;
        else if (c->minutes & UINT64_C(1) << (m % 60))
            return m;
    }
    return -1;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Local time, seconds: the first that fits from `from` on and before `to`; `to`: none. */
static int64_t fits_from(const Cron *c, int64_t from, int64_t to)
{
    int64_t minute = floor_div(from + MINUTE_S - 1, MINUTE_S);
    for (int64_t day = floor_div(minute, 24 * 60); day * DAY_S < to; day++) {
        int64_t first = minute - day * 24 * 60;
        int64_t found = day_fits(c, day) ? minute_of_day(c, first > 0 ? first : 0) : -1;
        if (found >= 0)
            return day * DAY_S + found * MINUTE_S < to ? day * DAY_S + found * MINUTE_S : to;
    }
    return to;
}

/* In one span, from `from` (UTC) on; 0: none. */
static int64_t next_in_span(const Cron *c, const ZoneSpan *s, int64_t from)
{
    int64_t local = from + s->offset, end = s->to + s->offset;
    bool begins = from == s->from;
    if (c->fixed && begins && s->before < s->offset && fits_from(c, s->from + s->before, local) < local)
        return s->from;
    if (c->fixed && s->before > s->offset && local < s->from + s->before)
        local = s->from + s->before;
    int64_t found = local < end ? fits_from(c, local, end) : end;
    return found < end ? found - s->offset : 0;
}

int64_t cron_next(const Cron *c, const Zone *z, int64_t after)
{
    for (int64_t from = after + 1; from < ZONE_END;) {
        ZoneSpan s = zone_span(z, from);
        int64_t found = next_in_span(c, &s, from);
        if (found)
            return found;
        from = s.to;
    }
    return 0;
}

int64_t cron_jitter(uint64_t seed, int64_t planned, int64_t jitter_ms)
{
    uint64_t h = numbered_mix(seed * 0x9e3779b97f4a7c15u ^ (uint64_t)planned);
    return jitter_ms > 0 ? (int64_t)(h % ((uint64_t)jitter_ms + 1)) : 0;
}
