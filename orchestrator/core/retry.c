/* SPDX-License-Identifier: Apache-2.0 */
#include "retry.h"

#include "numbered.h"

bool retry_is_due(const Retry *r, int64_t now_ms)
{
    return now_ms >= r->next_ms;
}

void retry_later(Retry *r, int64_t now_ms, int64_t least_ms, int64_t most_ms)
{
    r->delay_ms = r->delay_ms ? r->delay_ms * 2 : least_ms;
    if (r->delay_ms > most_ms)
        r->delay_ms = most_ms;
    r->next_ms = now_ms + r->delay_ms;
}

void retry_reset(Retry *r)
{
    *r = (Retry){0};
}

int64_t retry_backoff_ms(int64_t attempt, int64_t least_ms, int64_t most_ms, uint64_t seed)
{
    int64_t ms = least_ms < 1 ? 1 : least_ms;
    for (int64_t i = 2; i < attempt && ms < most_ms; i++)
        ms *= 2;
    if (most_ms > 0 && ms > most_ms)
        ms = most_ms;
    uint64_t chance = numbered_mix(seed + (uint64_t)attempt * 0x9e3779b97f4a7c15u);
    return ms - ms / 2 + (int64_t)(chance % (uint64_t)(ms / 2 + 1));
}
