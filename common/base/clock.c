/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

void clock_format(int64_t wall_ms, char ret[CLOCK_TEXT])
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(ret, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret + n, CLOCK_TEXT - n, ".%03dZ", (int)(wall_ms % 1000));
}

#define LAST_SECOND 253402300799 /* of the year 9999 */

bool clock_parse(const char *text, int64_t *ret_wall_ms)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest)
        return false;
    int ms = 0;
    if (*rest == '.') {
        int scale = 100;
        for (rest++; isdigit((unsigned char)*rest); rest++, scale /= 10)
            ms += (*rest - '0') * scale;
    }
    if (strcmp(rest, "Z") != 0)
        return false;
    int day = tm.tm_mday;
    int64_t s = timegm(&tm);
    if (s < 0 || s > LAST_SECOND || tm.tm_mday != day) /* the 31st of February is none */
        return false;
    *ret_wall_ms = s * 1000 + ms;
    return true;
}

static bool duration_unit(const char **p, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t n = strlen(units[i].name);
        if (strncmp(*p, units[i].name, n) == 0 && !isalpha((unsigned char)(*p)[n])) {
            *p += n;
            *ret_ms = units[i].ms;
            return true;
        }
    }
    if (**p)
        return false;
    *ret_ms = 1000;
    return true;
}

bool clock_parse_duration(const char *text, int64_t *ret_ms)
{
    int64_t total = 0;
    if (!text || !*text)
        return false;
    for (const char *p = text; *p;) {
        if (!isdigit((unsigned char)*p))
            return false;
        int64_t n = 0, unit;
        for (; isdigit((unsigned char)*p); p++) {
            n = n * 10 + (*p - '0');
            if (n > 1000000000000)
                return false;
        }
        if (!duration_unit(&p, &unit))
            return false;
        if (n > INT64_MAX / 4 / unit || total > INT64_MAX / 4 - n * unit)
            return false;
        total += n * unit;
    }
    *ret_ms = total;
    return true;
}

void clock_format_duration(int64_t ms, char ret[CLOCK_TEXT])
{
    long long s = ms / 1000;
    if (ms < 1000)
        snprintf(ret, CLOCK_TEXT, "%lld ms", (long long)ms);
    else if (s < 100)
        snprintf(ret, CLOCK_TEXT, "%.1f s", (double)ms / 1000);
    else if (s < 6000)
        snprintf(ret, CLOCK_TEXT, "%lld min %02lld s", s / 60, s % 60);
    else
        snprintf(ret, CLOCK_TEXT, "%lld h %02lld min", s / 3600, s / 60 % 60);
}

static char boot_id[64];

static void read_boot_id(void)
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!f)
        return;
    if (fgets(boot_id, sizeof boot_id, f))
        boot_id[strcspn(boot_id, "\n")] = 0;
    fclose(f);
}

const char *clock_boot_id(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_boot_id);
    return boot_id;
}
