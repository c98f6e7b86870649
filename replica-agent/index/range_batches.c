/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/range_batches.h"

#include "common/base/str.h"

static void add(RangeBatches *s, size_t end)
{
    s->ends = xrealloc(s->ends, (s->n + 1) * sizeof *s->ends);
    s->ends[s->n++] = end;
}

RangeBatches range_batches_of(size_t ranges, size_t workers)
{
    RangeBatches s = {NULL, 0};
    for (size_t from = 0; from < ranges;) {
        size_t length = (ranges - from) / (2 * workers);
        length = length ? length : 1;
        for (size_t i = 0; i < workers && from < ranges; i++)
            add(&s, from += length);
    }
    return s;
}

RangeBatches range_batches_single(size_t ranges)
{
    return range_batches_of(ranges, ranges ? ranges : 1);
}

void range_batches_done(RangeBatches *s)
{
    free(s->ends);
    *s = (RangeBatches){NULL, 0};
}
