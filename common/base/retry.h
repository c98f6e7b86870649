/* SPDX-License-Identifier: Apache-2.0
 * When something that failed is tried again: the wait doubles from least to most (at least 1 ms) while it
 * goes on failing. How often it is tried at all is the caller's. Monotonic clock, given by the caller. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Three who count differently: the wait after this one (0: the first), the wait after so many failures in a
 * row (from 1), and a time at which it is due. */
int64_t retry_longer_ms(int64_t before_ms, int64_t least_ms, int64_t most_ms);
int64_t retry_wait_ms(int64_t failures, int64_t least_ms, int64_t most_ms);

typedef struct Retry {
    int64_t next_ms, delay_ms;
} Retry;

bool retry_is_due(const Retry *r, int64_t now_ms);
void retry_later(Retry *r, int64_t now_ms, int64_t least_ms, int64_t most_ms);
void retry_reset(Retry *r);

/* Half of a wait, and as much of the other half as chance gives, so that those who failed together do not
 * come again together. */
int64_t retry_by_chance_ms(int64_t wait_ms, uint64_t chance);
