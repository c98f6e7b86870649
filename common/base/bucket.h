/* SPDX-License-Identifier: Apache-2.0
 * No more than so much a second. What is used is taken at once and waited for afterwards, so that a piece of
 * any size passes. Of time in which nothing was used BUCKET_SPARE_MS are made up for at most: neither a long
 * stall nor a clock that jumps ahead lets through more than that at once, and one that goes back makes nobody
 * wait longer. Monotonic clock, given by the caller. Pure.
 */
#pragma once

#include <stdint.h>

enum { BUCKET_SPARE_MS = 100 };

typedef struct Bucket {
    int64_t per_s, at_ms; /* at_ms: of the last look at the clock */
    double owed_ms;       /* from then on, until all that was used is paid for; negative: to spare */
} Bucket;

void bucket_init(Bucket *b, int64_t per_s, int64_t now_ms); /* per_s: from 1 on */
/* So much was used: how long whoever used it waits now, in milliseconds; 0: not at all. */
int64_t bucket_take(Bucket *b, int64_t n, int64_t now_ms);
