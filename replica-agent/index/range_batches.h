/* SPDX-License-Identifier: Apache-2.0
 * Ranges dealt out in batches to workers that take the next one when they are free: each round half of what
 * is left in equal batches, one for each worker, so that the first are long and the last are short
 * ("factoring", Hummel, Schonberg, Flynn, CACM 35(8), 1992). The same numbers give the same batches. Pure.
 */
#pragma once

#include <stddef.h>

typedef struct RangeBatches {
    size_t *ends; /* ascending; batch i: ranges ends[i-1] (the first: 0) to ends[i] - 1 */
    size_t n;
} RangeBatches;

/* workers at least 1. */
RangeBatches range_batches_of(size_t ranges, size_t workers);
/* One range each. */
RangeBatches range_batches_single(size_t ranges);
void range_batches_done(RangeBatches *s);
