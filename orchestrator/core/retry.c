/* SPDX-License-Identifier: Apache-2.0 */
#include "retry.h"

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
