/* SPDX-License-Identifier: Apache-2.0
 * So many starts within any span of a time: the last ones are kept, and the next waits for the oldest of
 * them. Pure: times are given.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { RATE_MOST = 10000 };

typedef struct Rate Rate;

Rate *rate_new(int64_t starts, int64_t per_ms); /* starts: 1 to RATE_MOST */
void rate_free(Rate *r);
bool rate_is(const Rate *r, int64_t starts, int64_t per_ms);
/* Times of one clock; they may come in any order. */
void rate_note(Rate *r, int64_t at_ms);
int64_t rate_wait_ms(const Rate *r, int64_t now_ms);
/* Whether nothing that was noted counts any more. */
bool rate_is_idle(const Rate *r, int64_t now_ms);
