/* SPDX-License-Identifier: Apache-2.0 */
#include "zone.h"

#include <ctype.h>
#include <string.h>

#include "common/base/str.h"

enum { HEADER = 44, MOST_CHANGES = 4000, DAY_S = 86400, HOUR_S = 3600, LAST_YEAR = 2099, NAME_CHARS = 64 };

typedef struct ZoneChange {
    int64_t at, offset;
} ZoneChange;

struct Zone {
    int64_t first; /* offset before all changes */
    size_t kept;   /* owners beside the first */
    ZoneChange *v;
    size_t n;
};

/* ---- dates ------------------------------------------------------------------------------------------ */

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int zone_month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Years begin in March here, so that the day that comes and goes is the last. */
int64_t zone_days(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void zone_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t d = days + 719468, era = (d >= 0 ? d : d - 146096) / 146097, of_era = d - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), m = (5 * of_year + 2) / 153;
    *ret_day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *ret_month = (int)(m < 10 ? m + 3 : m - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

/* ---- the rule behind the file's changes -------------------------------------------------------------- */

typedef struct ZoneRule {
    char form;            /* M, J (days without 29 February) or 0 (with it) */
    int month, week, day; /* of J and 0: day only */
    int64_t at;           /* seconds of that day, local */
} ZoneRule;

static bool take_number(const char **p, int64_t most, int64_t *ret)
{
    int64_t n = 0;
    const char *begin = *p;
    while (isdigit((unsigned char)**p) && n <= most)
        n = n * 10 + (*(*p)++ - '0');
    *ret = n;
    return *p > begin && n <= most;
}

static bool take_name(const char **p)
{
    const char *begin = *p;
    bool quoted = **p == '<';
    *p += quoted;
    while (isalpha((unsigned char)**p) || (quoted && (isdigit((unsigned char)**p) || strchr("+-", **p))))
        if (!*(*p)++)
            return false;
    if (quoted && *(*p)++ != '>')
        return false;
    return *p - begin >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool take_hours(const char **p, int64_t *ret)
{
    int64_t part = 0, sign = **p == '-' ? -1 : 1, unit = HOUR_S;
    *p += **p == '-' || **p == '+';
    if (!take_number(p, 167, &part))
        return false;
    for (*ret = part * unit; **p == ':' && unit > 1; *ret += part * unit) {
        (*p)++;
        unit /= 60;
        if (!take_number(p, 59, &part))
            return false;
    }
    *ret *= sign;
    return true;
}

static bool take_day(const char **p, ZoneRule *r)
{
    int64_t a, b, c;
    r->form = **p == 'M' || **p == 'J' ? *(*p)++ : '0';
    if (!take_number(p, 366, &a))
        return false;
    r->day = (int)a;
    if (r->form != 'M')
        return r->form == '0' || a >= 1;
    if (*(*p)++ != '.' || !take_number(p, 5, &b) || *(*p)++ != '.' || !take_number(p, 6, &c))
        return false;
    r->month = (int)a;
    r->week = (int)b;
    r->day = (int)c;
    return a >= 1 && a <= 12 && b >= 1;
}

static bool take_rule(const char **p, ZoneRule *r)
{
    if (*(*p)++ != ',' || !take_day(p, r))
        return false;
    r->at = 2 * HOUR_S;
    if (**p != '/')
        return true;
    (*p)++;
    return take_hours(p, &r->at);
}

/* In seconds since 1970, as if local time were UTC. */
static int64_t rule_at(const ZoneRule *r, int64_t year)
{
    int64_t first = zone_days(year, r->form == 'M' ? r->month : 1, 1), day = r->day;
    if (r->form == 'J')
        day += is_leap(year) && day >= 60 ? 0 : -1;
    if (r->form == 'M') {
        int64_t weekday = ((first + 4) % 7 + 7) % 7;
        day = (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
        if (day >= zone_month_days(year, r->month))
            day -= 7;
    }
    return (first + day) * DAY_S + r->at;
}

static void add(Zone *z, int64_t at, int64_t offset)
{
    int64_t last = z->n ? z->v[z->n - 1].offset : z->first;
    if (at >= ZONE_END || offset == last || (z->n && at <= z->v[z->n - 1].at))
        return;
    if ((z->n & (z->n - 1)) == 0)
        z->v = xrealloc(z->v, (z->n ? z->n * 2 : 1) * sizeof *z->v);
    z->v[z->n++] = (ZoneChange){at, offset};
}

static void add_years(Zone *z, const ZoneRule *begin, const ZoneRule *end, int64_t standard, int64_t summer)
{
    for (int64_t year = 1970; year <= LAST_YEAR; year++) {
        int64_t on = rule_at(begin, year) - standard, off = rule_at(end, year) - summer;
        add(z, on < off ? on : off, on < off ? summer : standard);
        add(z, on < off ? off : on, on < off ? standard : summer);
    }
}

/* Offsets are written with the sign of what is to be added for UTC. */
static bool apply_rule(Zone *z, const char *text)
{
    ZoneRule begin, end;
    const char *p = text;
    int64_t standard, summer;
    if (!*text)
        return true;
    if (!take_name(&p) || !take_hours(&p, &standard))
        return false;
    standard = -standard;
    if (!*p) {
        if (!z->n)
            z->first = standard;
        return true;
    }
    if (!take_name(&p))
        return false;
    summer = standard + HOUR_S;
    if (*p != ',') {
        if (!take_hours(&p, &summer))
            return false;
        summer = -summer;
    }
    if (!take_rule(&p, &begin) || !take_rule(&p, &end) || *p)
        return false;
    add_years(z, &begin, &end, standard, summer);
    return true;
}

/* ---- the file --------------------------------------------------------------------------------------- */

typedef struct ZoneHead {
    size_t isut, isstd, leap, times, types, chars;
} ZoneHead;

static int64_t read_number(const char *p, size_t bytes)
{
    uint64_t n = (uint64_t)(int64_t)(signed char)p[0];
    for (size_t i = 1; i < bytes; i++)
        n = n << 8 | (unsigned char)p[i];
    return (int64_t)n;
}

static bool read_head(const char *p, size_t n, ZoneHead *h)
{
    size_t *const fields[] = {&h->isut, &h->isstd, &h->leap, &h->times, &h->types, &h->chars};
    if (n < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    for (size_t i = 0; i < COUNT(fields); i++) {
        int64_t count = read_number(p + 20 + 4 * i, 4);
        if (count < 0 || count > MOST_CHANGES)
            return false;
        *fields[i] = (size_t)count;
    }
    return h->types > 0;
}

static size_t body_bytes(const ZoneHead *h, size_t time_bytes)
{
    return h->times * (time_bytes + 1) + h->types * 6 + h->chars + h->leap * (time_bytes + 4) + h->isstd +
           h->isut;
}

static bool read_body(const char *p, const ZoneHead *h, Zone *z)
{
    const char *index = p + h->times * 8, *types = index + h->times;
    z->first = read_number(types, 4);
    for (size_t i = 0; i < h->times; i++) {
        size_t type = (unsigned char)index[i];
        if (type >= h->types)
            return false;
        add(z, read_number(p + i * 8, 8), read_number(types + type * 6, 4));
    }
    return true;
}

/* Files have a part with 32 bits first, which is passed over. */
static bool read_file(const char *bytes, size_t n, Zone *z)
{
    ZoneHead h;
    if (!read_head(bytes, n, &h) || bytes[4] < '2')
        return false;
    size_t skip = HEADER + body_bytes(&h, 4);
    if (n < skip || !read_head(bytes + skip, n - skip, &h))
        return false;
    size_t body = skip + HEADER, rule = body + body_bytes(&h, 8);
    if (n < rule + 2 || bytes[rule] != '\n' || !read_body(bytes + body, &h, z))
        return false;
    const char *end = memchr(bytes + rule + 1, '\n', n - rule - 1);
    AUTOFREE char *text = end ? xstrndup(bytes + rule + 1, (size_t)(end - bytes) - rule - 1) : NULL;
    return text && apply_rule(z, text);
}

bool zone_parse(const char *bytes, size_t n, Zone **ret, Err *err)
{
    Zone *z = NEW(Zone);
    if (read_file(bytes, n, z)) {
        *ret = z;
        return true;
    }
    zone_free(z);
    return err_set(err, ERR_CORRUPT, 0, "it is no file of the time zone database (TZif, version 2 or later)");
}

Zone *zone_keep(const Zone *z)
{
    Zone *kept = (Zone *)z; /* what it says stays as it is */
    if (kept)
        kept->kept++;
    return kept;
}

void zone_free(Zone *z)
{
    if (z && z->kept) {
        z->kept--;
        return;
    }
    if (z)
        free(z->v);
    free(z);
}

ZoneSpan zone_span(const Zone *z, int64_t at)
{
    size_t low = 0, high = z->n; /* changes up to `at` */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (z->v[middle].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    ZoneSpan s = {INT64_MIN / 2, low < z->n ? z->v[low].at : ZONE_END, z->first, z->first};
    if (!low)
        return s;
    s.from = z->v[low - 1].at;
    s.offset = z->v[low - 1].offset;
    s.before = low > 1 ? z->v[low - 2].offset : z->first;
    return s;
}

bool zone_name_is_plain(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/");
    return n && n <= NAME_CHARS && !name[n] && isalpha((unsigned char)*name) && !strstr(name, "//") &&
           name[n - 1] != '/';
}
