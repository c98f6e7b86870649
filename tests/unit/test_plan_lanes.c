/* SPDX-License-Identifier: Apache-2.0
 * The queue's decider: what a failure holds, and what a person does.
 */
#include "plan_turn.h"

static void a_failed_upload_holds_its_lane_alone(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1", {failed(upload(3, CRUN_UPLOADING)), NULL, NULL},
                {upload(4, CRUN_UPLOADING), NULL,
                 "upload 3 into \"shop.words\" failed at 1970-01-01T00:15:40.000Z and holds"},
                {WITH(upload(5, CRUN_UPLOADING), lane, "shop.other"), "db0", NULL});
    Cluster c;
    QueueDecisions d = {0};
    Slots *q = slots_new();
    cluster(&c, "db0;db1");
    Wait bad = failed(upload(3, CRUN_UPLOADING)), next = upload(4, CRUN_UPLOADING);
    put(q, &bad);
    put(q, &next);
    turn(q, &c, NULL, &d);
    assert_int_equal(d.n, 0);
    slots_end(q, 3); /* acknowledged */
    turn(q, &c, NULL, &d);
    assert_int_equal(d.n, 1);
    assert_int_equal(d.v[0].id, 4);
    decisions_done(&d);
    slots_free(q);
}

static void a_failure_holds_its_lane_and_says_since_when(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1", {failed(task(1, "a")), NULL, NULL},
                {task(2, "a"), NULL,
                 "task 1 of the same name \"a\" failed at 1970-01-01T00:15:40.000Z and holds those"},
                {task(3, "b"), "db1", NULL});
    EXPECT_TURN("db0;db1", {WITH(failed(task(1, "a")), holds, SLOT_HOLDS_NOTHING), NULL, NULL},
                {task(2, "a"), "db1", NULL});
    /* A person passes by a job's lane, an upload keeps its order. */
    EXPECT_TURN("db0;db1", {failed(task(1, "a")), NULL, NULL},
                {WITH(task(2, "a"), by_hand, true), "db1", NULL});
    EXPECT_TURN("db0;db1", {failed(upload(3, CRUN_UPLOADING)), NULL, NULL},
                {WITH(upload(4, CRUN_UPLOADING), by_hand, true), NULL, "upload 3 into"});
}

static void failures_are_told_the_oldest_first(void **state)
{
    (void)state;
    Slots *q = slots_new();
    SlotFailure found[2];
    for (int64_t id = 1; id <= 3; id++) {
        Wait w = WITH(failed(task(id, id == 2 ? "a" : "b")), failed_at, NOW - id);
        Wait next = task(id + 10, "b");
        put(q, &w);
        put(q, &next);
    }
    slots_job(q, "count", true, ROLE_REPLICA);
    slots_advance(q, &now, 100);
    assert_int_equal(slots_failures(q, found, 2), 2);
    assert_int_equal(found[0].id, 3);
    assert_int_equal(found[0].since, NOW - 3);
    assert_int_equal(found[0].waiting, 3);
    assert_int_equal(slots_count(q, SLOT_FAILED), 3);
    slots_end(q, 3);
    slots_end(q, 1);
    slots_end(q, 2);
    slots_advance(q, &now, 100);
    assert_int_equal(slots_failures(q, found, 2), 0);
    assert_int_equal(slots_count(q, SLOT_BLOCKED), 2); /* behind each other, not behind a failure */
    slots_free(q);
}

static void failed_turns_are_counted_until_somebody_has_seen_to_them(void **state)
{
    (void)state;
    Slots *q = slots_new();
    SlotFailure found[2];
    for (int64_t id = 1; id <= 4; id++) {
        Wait w = WITH(task(id, "nightly"), turn_failed, id != 2);
        put(q, &w);
    }
    assert_int_equal(slots_turns_failed(q, found, 2), 3);
    assert_int_equal(found[0].id, 1);
    assert_int_equal(found[1].id, 3);
    assert_string_equal(found[0].name, "nightly");
    Wait seen_to = task(1, "nightly");
    put(q, &seen_to);
    slots_end(q, 3);
    assert_int_equal(slots_turns_failed(q, found, 2), 1);
    assert_int_equal(found[0].id, 4);
    slots_end(q, 4);
    assert_int_equal(slots_turns_failed(q, found, 2), 0);
    slots_free(q);
}

static void a_held_lane_waits_for_its_release(void **state)
{
    (void)state;
    Cluster c;
    QueueDecisions d = {0};
    Slots *q = slots_new();
    cluster(&c, "db0;db1;db2");
    Wait held = task(1, "a"), other = task(2, "b"), up = upload(3, CRUN_UPLOADING);
    put(q, &held);
    put(q, &other);
    put(q, &up);
    slots_advance(q, &now, 100); /* all are ready before the hold comes */
    slots_hold_lane(q, "a", "lane \"a\" is held");
    slots_hold_lane(q, "shop.words", "lane \"shop.words\" is held");
    turn(q, &c, NULL, &d);
    assert_int_equal(d.n, 1);
    assert_int_equal(d.v[0].id, 2);
    slots_advance(q, &now, 100);
    AUTOFREE char *why = slots_why(q, 1, &now);
    assert_string_equal(why, "lane \"a\" is held");
    AUTOFREE char *why_up = slots_why(q, 3, &now);
    assert_string_equal(why_up, "lane \"shop.words\" is held");
    decisions_done(&d);
    slots_hold_lane(q, "a", NULL);
    slots_hold_lane(q, "a", NULL);
    slots_hold_lane(q, "shop.words", NULL);
    turn(q, &c, NULL, &d);
    assert_int_equal(d.n, 2);
    decisions_done(&d);
    slots_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_upload_holds_its_lane_alone),
        cmocka_unit_test(a_failure_holds_its_lane_and_says_since_when),
        cmocka_unit_test(failures_are_told_the_oldest_first),
        cmocka_unit_test(failed_turns_are_counted_until_somebody_has_seen_to_them),
        cmocka_unit_test(a_held_lane_waits_for_its_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
