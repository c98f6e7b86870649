/* SPDX-License-Identifier: Apache-2.0 */
#include "inflow.h"

#include <string.h>

enum { FINE_MS = 5000, COARSE_MS = 600000, NOW_MS = 10000, HOUR_MS = 3600000 };

void inflow_done(Inflow *f)
{
    free(f->source);
    free(f->file);
    *f = (Inflow){0};
}

/* ---- what has come --------------------------------------------------------------------------------- */

static void put(char **to, const char *text)
{
    if (str_eq(*to, text))
        return;
    free(*to);
    *to = xstrdup(text);
}

/* "binlog.000007": the bytes of its stem, and 7; -1: not numbered. */
static long long number_of(const char *file, size_t *ret_stem)
{
    long long n;
    const char *dot = strrchr(file, '.');
    *ret_stem = dot ? (size_t)(dot - file) : strlen(file);
    return dot && str_to_i64(dot + 1, 0, INT64_MAX, &n) ? n : -1;
}

/* Files between two others: 0 the same, 1 the next; -1: another log. */
static long long files_on(const char *from, const char *to)
{
    size_t a, b;
    long long x = number_of(from, &a), y = number_of(to, &b);
    if (str_eq(from, to))
        return 0;
    return x < 0 || y <= x || a != b || memcmp(from, to, a) != 0 ? -1 : y - x;
}

static int64_t grown(const Inflow *f, const char *source, const char *file, int64_t pos)
{
    if (!f->file || !str_eq(f->source, source))
        return 0;
    long long on = files_on(f->file, file);
    if (on == 0)
        return pos > f->pos ? pos - f->pos : 0;
    return on > 0 ? pos : 0; /* the rest of the file before is a reading's worth */
}

static void mark(InflowMark *ring, size_t *n, size_t most, int64_t every_ms, int64_t at_ms, double total)
{
    if (*n && at_ms - ring[(*n - 1) % most].at_ms < every_ms)
        return;
    ring[(*n)++ % most] = (InflowMark){at_ms, total};
}

void inflow_add(Inflow *f, const char *source, const char *file, int64_t pos, int64_t now_ms)
{
    if (!file || !*file)
        return;
    f->total += (double)grown(f, source, file, pos);
    put(&f->source, source);
    put(&f->file, file);
    f->pos = pos;
    f->at_ms = now_ms;
    mark(f->fine, &f->n_fine, COUNT(f->fine), FINE_MS, now_ms, f->total);
    mark(f->coarse, &f->n_coarse, COUNT(f->coarse), COARSE_MS, now_ms, f->total);
}

bool inflow_is_known(const Inflow *f)
{
    return f->n_fine > 0;
}

/* ---- rates ----------------------------------------------------------------------------------------- */

/* Bytes since `from_ms`, by the youngest mark that is not younger, else by the oldest there is. */
static double since(const Inflow *f, const InflowMark *ring, size_t n, size_t most, int64_t from_ms)
{
    size_t oldest = n > most ? n - most : 0, i = n;
    if (!n)
        return 0;
    while (i > oldest + 1 && ring[(i - 1) % most].at_ms > from_ms)
        i--;
    return f->total - ring[(i - 1) % most].total;
}

static double mean(const Inflow *f, bool coarse, int64_t window_ms, int64_t now_ms)
{
    double bytes = coarse ? since(f, f->coarse, f->n_coarse, COUNT(f->coarse), now_ms - window_ms)
                          : since(f, f->fine, f->n_fine, COUNT(f->fine), now_ms - window_ms);
    return bytes * 1000 / (double)window_ms;
}

/* As long as it is known, but at least an hour. */
static int64_t long_window(const Inflow *f, int64_t now_ms)
{
    const size_t most = COUNT(f->coarse);
    int64_t known = f->n_coarse ? now_ms - f->coarse[f->n_coarse > most ? f->n_coarse % most : 0].at_ms : 0;
    return known < HOUR_MS ? HOUR_MS : known > INFLOW_LONG_MS ? INFLOW_LONG_MS : known;
}

double inflow_now(const Inflow *f, int64_t now_ms)
{
    return mean(f, false, NOW_MS, now_ms);
}

double inflow_rate(const Inflow *f, int64_t now_ms)
{
    return mean(f, false, INFLOW_MS, now_ms);
}

double inflow_rate_long(const Inflow *f, int64_t now_ms)
{
    return mean(f, true, long_window(f, now_ms), now_ms);
}

/* ---- what is to come ------------------------------------------------------------------------------- */

/* -1: the receiver is some files behind, and how long they are is not known here. */
static int64_t left_at_primary(const Inflow *own, const Written *w)
{
    long long on = own->file ? files_on(own->file, w->file) : -1;
    if (on == 0)
        return w->pos > own->pos ? w->pos - own->pos : 0;
    return -1;
}

int64_t inflow_expected(const Inflow *own, const InflowTold *told, int64_t ms, int64_t now_ms)
{
    bool is_long = ms > INFLOW_MS;
    double mine = (is_long ? inflow_rate_long(own, now_ms) : inflow_rate(own, now_ms)) * (double)ms / 1000;
    if (!told->written.file || now_ms - told->at_ms > INFLOW_FRESH_MS)
        return (int64_t)mine;
    const Written *w = &told->written;
    double theirs = (is_long ? w->rate_long : w->rate) * (double)ms / 1000;
    int64_t left = left_at_primary(own, w);
    return left >= 0 ? left + (int64_t)theirs : (int64_t)(mine > theirs ? mine : theirs);
}
