/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/stretch.h"

#include "common/base/str.h"

static void add(Stretches *s, size_t end)
{
    s->ends = xrealloc(s->ends, (s->n + 1) * sizeof *s->ends);
    s->ends[s->n++] = end;
}

Stretches stretches_of(size_t ranges, size_t workers)
{
    Stretches s = {NULL, 0};
    for (size_t from = 0; from < ranges;) {
        size_t length = (ranges - from) / (2 * workers);
        length = length ? length : 1;
        for (size_t i = 0; i < workers && from < ranges; i++)
            add(&s, from += length);
    }
    return s;
}

Stretches stretches_single(size_t ranges)
{
    return stretches_of(ranges, ranges ? ranges : 1);
}

void stretches_done(Stretches *s)
{
    free(s->ends);
    *s = (Stretches){NULL, 0};
}
