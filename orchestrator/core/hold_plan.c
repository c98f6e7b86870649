/* SPDX-License-Identifier: Apache-2.0 */
#include "hold_plan.h"

/* Catching up is not part of the pause's limit; a hold is renewed before its last part begins. */
enum { CATCHUP_S = 3600, RENEW_BELOW_S = 1800, MOST_S = 30 * 86400 };

HoldWish hold_plan(const Node *node, bool seen, const json_t *held, int64_t now_ms)
{
    const LeaseState *l = &node->agent.lease;
    HoldWish w = {.wanted = l->owner != NULL};
    if (!w.wanted) {
        w.release = held && seen;
        return w;
    }
    int64_t left_s = l->expires_at > now_ms ? (l->expires_at - now_ms) / 1000 : 0;
    int64_t age_s = now_ms > l->taken_at ? (now_ms - l->taken_at) / 1000 : 0;
    w.for_s = left_s + CATCHUP_S;
    w.keep_s = age_s + left_s + CATCHUP_S;
    if (w.for_s > MOST_S)
        w.for_s = MOST_S;
    if (w.keep_s > MOST_S)
        w.keep_s = MOST_S;
    int64_t held_left_s = held ? json_int(held, "left_s") : -1;
    w.ask = !held || (seen && held_left_s < left_s + RENEW_BELOW_S);
    return w;
}
