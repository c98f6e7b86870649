/* SPDX-License-Identifier: Apache-2.0
 * Ranges dealt out in stretches to workers that take the next one when they are free: each round half of what
 * is left in equal stretches, one for each worker, so that the first are long and the last are short
 * ("factoring", Hummel, Schonberg, Flynn, CACM 35(8), 1992). The same numbers give the same stretches. Pure.
 */
#pragma once

#include <stddef.h>

typedef struct Stretches {
    size_t *ends; /* ascending; stretch i: ranges ends[i-1] (the first: 0) to ends[i] - 1 */
    size_t n;
} Stretches;

/* workers at least 1. */
Stretches stretches_of(size_t ranges, size_t workers);
/* One range each. */
Stretches stretches_single(size_t ranges);
void stretches_done(Stretches *s);
