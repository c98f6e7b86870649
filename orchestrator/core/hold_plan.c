/* SPDX-License-Identifier: Apache-2.0 */
#include "hold_plan.h"

/* Catching up is not part of the pause's limit; a hold is renewed before its last part begins. */
enum { CATCHUP_S = 3600, RENEW_BELOW_S = 1800, MOST_S = 30 * 86400, FILL_S = 12 * 3600, NEAR_MS = 10000 };

/* From then on it needs all that is written; 0: it does not. */
static int64_t filled_since(const Node *node)
{
    const FillState *f = &node->agent.fill;
    bool under_way = f->phase != FILL_NONE && f->phase != FILL_FAILED && f->phase != FILL_FILLED;
    bool behind = f->phase == FILL_FILLED && (node->lag_ms < 0 || node->lag_ms > NEAR_MS);
    return under_way || behind ? f->started_at : 0;
}

HoldWish hold_plan(const Node *node, bool seen, const json_t *held, int64_t now_ms)
{
    const LeaseState *l = &node->agent.lease;
    int64_t filled_at = filled_since(node);
    HoldWish w = {.wanted = l->owner || filled_at};
    if (!w.wanted) {
        w.release = held && seen;
        return w;
    }
    int64_t since = l->owner ? l->taken_at : filled_at,
            until = l->owner ? l->expires_at : now_ms + FILL_S * 1000;
    int64_t left_s = until > now_ms ? (until - now_ms) / 1000 : 0;
    int64_t age_s = now_ms > since ? (now_ms - since) / 1000 : 0;
    w.for_s = left_s + CATCHUP_S;
    w.keep_s = age_s + left_s + CATCHUP_S;
    if (w.for_s > MOST_S)
        w.for_s = MOST_S;
    if (w.keep_s > MOST_S)
        w.keep_s = MOST_S;
    int64_t held_left_s = held ? json_int(held, "left_s") : -1;
    w.ask = !held || (seen && held_left_s < (l->owner ? left_s : 0) + RENEW_BELOW_S);
    return w;
}
