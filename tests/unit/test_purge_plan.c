/* SPDX-License-Identifier: Apache-2.0
 * The primary's purge is held back while a replica is paused, and no longer.
 */
#include "test.h"

#include "replica-agent/core/purge_plan.h"

enum { DAY = 86400, HOUR_MS = 3600000 };

static void values(void **state)
{
    (void)state;
    static const struct {
        PurgeValues own;
        int64_t keep_s;
        PurgeValues want;
    } rows[] = {
        {{0, 0}, 5 * DAY, {0, 0}},                     /* never purged */
        {{DAY, 0}, 5 * DAY, {5 * DAY, 0}},             /* raised */
        {{10 * DAY, 0}, 5 * DAY, {10 * DAY, 0}},       /* long enough */
        {{10 * DAY, 1 << 30}, 5 * DAY, {10 * DAY, 0}}, /* a total size could purge at any time */
        {{DAY, 1 << 30}, 5 * DAY, {5 * DAY, 0}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        PurgeState p = {0};
        purge_hold(&p, "db1", rows[i].keep_s, HOUR_MS, "b", 0, 0);
        PurgeValues w = purge_decide(&p, &rows[i].own);
        assert_int_equal(w.expire_s, rows[i].want.expire_s);
        assert_int_equal(w.size, rows[i].want.size);
        w = purge_decide(&p, &w); /* again: the same */
        assert_int_equal(w.expire_s, rows[i].want.expire_s);
        assert_true(purge_release(&p, "db1"));
        w = purge_decide(&p, &w);
        assert_int_equal(w.expire_s, rows[i].own.expire_s);
        assert_int_equal(w.size, rows[i].own.size);
        assert_true(purge_settled(&p, &w));
        assert_false(p.raised);
        wire_free(purge_state_fields, &p);
    }
}

static void several_holds_and_their_ends(void **state)
{
    (void)state;
    PurgeState p = {0};
    PurgeValues own = {DAY, 0};
    purge_hold(&p, "db1", 2 * DAY, HOUR_MS, "b", 0, 0);
    purge_hold(&p, "db2", 5 * DAY, 2 * HOUR_MS, "b", 0, 0);
    PurgeValues now = purge_decide(&p, &own);
    assert_int_equal(now.expire_s, 5 * DAY);
    purge_hold(&p, "db1", 3 * DAY, 4 * HOUR_MS, "b", 0, 0); /* renewed */
    assert_int_equal(p.holds.n, 2);
    assert_false(purge_drop_ended(&p, "b", HOUR_MS, 99 * (int64_t)HOUR_MS)); /* a jump of the wall clock */
    assert_true(purge_drop_ended(&p, "b", 3 * HOUR_MS, 0));
    now = purge_decide(&p, &now);
    assert_int_equal(now.expire_s, 3 * DAY);
    assert_false(purge_settled(&p, &now));
    assert_true(purge_drop_ended(&p, "other boot", 5, 5 * (int64_t)HOUR_MS));
    now = purge_decide(&p, &now);
    assert_int_equal(now.expire_s, DAY);
    assert_true(purge_settled(&p, &now));
    wire_free(purge_state_fields, &p);
}

static void a_restart_and_a_person_meanwhile(void **state)
{
    (void)state;
    PurgeState p = {0};
    PurgeValues own = {DAY, 0}, other = {DAY / 2, 0};
    purge_hold(&p, "db1", 2 * DAY, HOUR_MS, "b", 0, 0);
    PurgeValues now = purge_decide(&p, &own);
    now = purge_decide(&p, &own); /* the server restarted with its own values */
    assert_int_equal(now.expire_s, 2 * DAY);
    now = purge_decide(&p, &other); /* somebody has set another value: that is the server's own now */
    assert_int_equal(now.expire_s, 2 * DAY);
    purge_release(&p, "db1");
    now = purge_decide(&p, &now);
    assert_int_equal(now.expire_s, DAY / 2);
    assert_true(purge_settled(&p, &now));
    wire_free(purge_state_fields, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(several_holds_and_their_ends),
        cmocka_unit_test(a_restart_and_a_person_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
