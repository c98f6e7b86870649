/* SPDX-License-Identifier: Apache-2.0 */
#include "lag.h"

#include "common/db/gtid.h"

static struct LagSample *sample(const LagSamples *s, size_t i)
{
    return (struct LagSample *)&s->v[(s->first + i) % LAG_SAMPLES];
}

void lag_samples_done(LagSamples *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(sample(s, i)->gtid);
    s->n = s->first = 0;
}

/* Drops every second sample of the older half: a replica paused for hours still has samples to be measured
 * against, coarser the older they are. */
static void thin_out(LagSamples *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct LagSample *x = sample(s, i);
        if (i < s->n / 2 && i % 2 == 1) {
            free(x->gtid);
            continue;
        }
        struct LagSample moved = *x;
        *sample(s, kept++) = moved;
    }
    s->n = kept;
}

void lag_add(LagSamples *s, int64_t at_ms, const char *gtid)
{
    if (!gtid || !*gtid || str_eq(lag_newest(s), gtid))
        return;
    if (s->n == LAG_SAMPLES)
        thin_out(s);
    *sample(s, s->n++) = (struct LagSample){at_ms, xstrdup(gtid)};
}

const char *lag_newest(const LagSamples *s)
{
    return s->n ? sample(s, s->n - 1)->gtid : NULL;
}

static bool holds(DbFlavor flavor, const char *applied, const char *gtid)
{
    GtidOrder o = gtid_compare_text(flavor, applied, gtid);
    return o == GTID_EQUAL || o == GTID_AFTER;
}

NodeLag lag_of(const LagSamples *s, DbFlavor flavor, const char *applied, int64_t now_ms)
{
    if (!s->n || !applied)
        return (NodeLag){-1, -1};
    if (holds(flavor, applied, lag_newest(s)))
        return (NodeLag){0, 0};
    /* Positions only grow, so the samples split once: find the oldest that is not applied. */
    size_t low = 0, high = s->n - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (holds(flavor, applied, sample(s, middle)->gtid))
            low = middle + 1;
        else
            high = middle;
    }
    int64_t ms = now_ms - sample(s, low)->at_ms;
    return (NodeLag){gtid_behind_text(flavor, applied, lag_newest(s)), ms > 0 ? ms : 0};
}
