/* SPDX-License-Identifier: Apache-2.0
 * When the primary is asked to keep its binary logs, for how long, and when to let them go.
 */
#include "test.h"

#include "orchestrator/core/hold_plan.h"

enum { S = 1000, HOUR = 3600 };

static void plans(void **state)
{
    (void)state;
    static const int64_t now = 1000000000000;
    static const struct {
        const char *what, *owner;
        int64_t age_s, left_s;
        bool seen;
        int64_t held_s; /* -1: no hold */
        bool ask, release;
        int64_t keep_s;
    } rows[] = {
        {"not paused", NULL, 0, 0, true, -1, false, false, 0},
        {"just paused", "12.1", 1, 2 * HOUR, true, -1, true, false, 3 * HOUR + 1},
        {"held long enough", "12.1", 1, 2 * HOUR, true, 3 * HOUR, false, false, 0},
        {"near its end", "12.1", HOUR, HOUR, true, HOUR + 1700, true, false, 3 * HOUR},
        {"over its limit and catching up", "12.1", 3 * HOUR, -5, true, 100, true, false, 4 * HOUR},
        {"not seen any more", "12.1", HOUR, HOUR, false, 60, false, false, 0}, /* the hold ends by itself */
        {"resumed", NULL, 0, 0, true, HOUR, false, true, 0},
        {"perhaps resumed", NULL, 0, 0, false, HOUR, false, false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Node n = {0};
        n.agent.lease.owner = (char *)rows[i].owner;
        n.agent.lease.taken_at = now - rows[i].age_s * S;
        n.agent.lease.expires_at = now + rows[i].left_s * S;
        AUTOJSON json_t *held = rows[i].held_s < 0 ? NULL : json_object();
        if (held)
            json_set_int(held, "left_s", rows[i].held_s);
        HoldWish w = hold_plan(&n, rows[i].seen, held, now);
        if (w.ask != rows[i].ask || w.release != rows[i].release || (w.ask && w.keep_s != rows[i].keep_s))
            fail_msg("%s: ask %d, release %d, keep %lld", rows[i].what, w.ask, w.release,
                     (long long)w.keep_s);
    }
}

static void one_that_is_filled_needs_all_from_the_beginning(void **state)
{
    (void)state;
    static const int64_t now = 1000000000000;
    static const struct {
        FillPhase phase;
        int64_t lag_ms, held_s;
        bool ask, release;
    } rows[] = {
        {FILL_NONE, 0, -1, false, false},          {FILL_CHECKING, -1, -1, true, false},
        {FILL_RESTORING, -1, 1700, true, false},   {FILL_RESTORING, -1, 2 * HOUR, false, false},
        {FILL_FILLED, -1, 2 * HOUR, false, false}, {FILL_FILLED, 60000, -1, true, false},
        {FILL_FILLED, 500, 2 * HOUR, false, true}, {FILL_FAILED, -1, HOUR, false, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Node n = {.lag_ms = rows[i].lag_ms};
        n.agent.fill.phase = rows[i].phase;
        n.agent.fill.started_at = now - HOUR * S;
        AUTOJSON json_t *held = rows[i].held_s < 0 ? NULL : json_object();
        if (held)
            json_set_int(held, "left_s", rows[i].held_s);
        HoldWish w = hold_plan(&n, true, held, now);
        if (w.ask != rows[i].ask || w.release != rows[i].release || (w.ask && w.keep_s != 14 * HOUR))
            fail_msg("row %zu: ask %d, release %d, keep %lld", i, w.ask, w.release, (long long)w.keep_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans),
                                       cmocka_unit_test(one_that_is_filled_needs_all_from_the_beginning)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
