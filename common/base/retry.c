/* SPDX-License-Identifier: Apache-2.0 */
#include "retry.h"

int64_t retry_longer_ms(int64_t before_ms, int64_t least_ms, int64_t most_ms)
{
    int64_t least = least_ms < 1 ? 1 : least_ms, ms = most_ms;
    if (before_ms < 1)
        ms = least;
    else if (before_ms <= most_ms / 2)
        ms = before_ms * 2;
    return ms < most_ms ? ms : most_ms;
}

int64_t retry_wait_ms(int64_t failures, int64_t least_ms, int64_t most_ms)
{
    int64_t ms = retry_longer_ms(0, least_ms, most_ms);
    for (int64_t i = 1; i < failures && ms < most_ms; i++)
        ms = retry_longer_ms(ms, least_ms, most_ms);
    return ms;
}

int64_t retry_by_chance_ms(int64_t wait_ms, uint64_t chance)
{
    return wait_ms - wait_ms / 2 + (int64_t)(chance % (uint64_t)(wait_ms / 2 + 1));
}

bool retry_is_due(const Retry *r, int64_t now_ms)
{
    return now_ms >= r->next_ms;
}

void retry_later(Retry *r, int64_t now_ms, int64_t least_ms, int64_t most_ms)
{
    r->delay_ms = retry_longer_ms(r->delay_ms, least_ms, most_ms);
    r->next_ms = now_ms + r->delay_ms;
}

void retry_reset(Retry *r)
{
    *r = (Retry){0};
}
