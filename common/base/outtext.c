/* SPDX-License-Identifier: Apache-2.0 */
#include "outtext.h"

#include <stdio.h>
#include <time.h>

static void scaled(double n, double step, const char *const *units, char ret[OUT_TEXT])
{
    size_t u = 0;
    for (; n >= step && units[u + 1]; u++)
        n /= step;
    if (u == 0)
        snprintf(ret, OUT_TEXT, "%.0f%s", n, units[0]);
    else
        snprintf(ret, OUT_TEXT, "%.1f%s", n, units[u]);
}

void out_size(int64_t bytes, char ret[OUT_TEXT])
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", NULL};
    scaled((double)bytes, 1024, units, ret);
}

void out_count(int64_t n, char ret[OUT_TEXT])
{
    static const char *const units[] = {"", " k", " M", " G", NULL};
    if (n < 10000)
        snprintf(ret, OUT_TEXT, "%lld", (long long)n);
    else
        scaled((double)n, 1000, units, ret);
}

void out_time(int64_t wall_ms, char ret[OUT_TEXT])
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;
    ret[0] = 0;
    if (wall_ms && localtime_r(&s, &tm))
        strftime(ret, OUT_TEXT, "%Y-%m-%d %H:%M:%S", &tm);
}

void out_bar(int64_t done, int64_t total, size_t width, Str *out)
{
    str_addc(out, '[');
    if (total <= 0) {
        size_t mark = width ? (size_t)(done < 0 ? 0 : done) % width : 0;
        for (size_t i = 0; i < width; i++)
            str_addc(out, i == mark ? '#' : '.');
        str_adds(out, "]    ?");
        return;
    }
    double part = done < 0 ? 0 : done > total ? 1 : (double)done / (double)total;
    size_t filled = (size_t)(part * (double)width);
    for (size_t i = 0; i < width; i++)
        str_addc(out, i < filled ? '#' : '.');
    str_addf(out, "] %3d%%", (int)(part * 100));
}
