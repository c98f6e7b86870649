/* SPDX-License-Identifier: Apache-2.0
 * When something that failed is tried again: the wait doubles from least to most while it goes on failing.
 * Monotonic clock, given by the caller. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Retry {
    int64_t next_ms, delay_ms;
} Retry;

bool retry_is_due(const Retry *r, int64_t now_ms);
void retry_later(Retry *r, int64_t now_ms, int64_t least_ms, int64_t most_ms);
void retry_reset(Retry *r);

/* Before attempt number `attempt` (2, 3, …) of something that is tried by itself: doubles from `least_ms` to
 * `most_ms`, and half of it is by chance, which follows from `seed`. */
int64_t retry_backoff_ms(int64_t attempt, int64_t least_ms, int64_t most_ms, uint64_t seed);
