/* SPDX-License-Identifier: Apache-2.0
 * The queue's decider: which tasks start, in which order, and the reason of those that do not.
 */
#include "plan_turn.h"

static void larger_priority_and_earlier_id_go_first(void **state)
{
    (void)state;
    EXPECT_TURN(
        "db0;db1", {task(1, "a"), NULL, "no replica is free"}, {WITH(task(2, "b"), priority, 5), "db1", NULL},
        {task(3, "c"), NULL, "1 task that needs the same is before it, the first is task 1: no replica"});
    EXPECT_TURN("db0;db1;db2", {task(2, "b"), "db2", NULL}, {task(1, "a"), "db1", NULL});
    EXPECT_TURN("db0;db1",
                {WITH(task(1, "a"), run_at, NOW - 5), NULL, "db1 has run another task that starts now"},
                {WITH(task(2, "b"), run_at, NOW - 9), "db1", NULL});
    EXPECT_TURN("db0;db1", {WITH(task(1, "a"), priority, -11), NULL, "starts only by hand"},
                {WITH(task(2, "b"), priority, -10), "db1", NULL});
}

static void tasks_are_due(void **state)
{
    (void)state;
    const Row rows[] = {{WITH(task(1, "a"), run_at, NOW + 5000), NULL, "it is due at 1970-01-01T00:16:45"},
                        {WITH(task(2, "b"), run_at, NOW + 3000), NULL, "it is due at"},
                        {WITH(task(3, "c"), run_at, NOW), "db1", NULL}};
    assert_int_equal(expect_turn("db0;db1", NULL, rows, COUNT(rows)), 500 + 3000);
    assert_int_equal(expect_turn("db0;db1", NULL, rows + 2, 1), 0);
    /* Submitted by a clock that was an hour ahead and has been set back. */
    EXPECT_TURN("db0;db1",
                {WITH(WITH(task(4, "d"), run_at, NOW + 3600000), submitted_at, NOW + 3600000), "db1", NULL});
}

static void a_clock_that_is_set_leaves_short_waits(void **state)
{
    (void)state;
    enum { HOUR = 3600000 };
    Slots *q = slots_new();
    Wait soon = WITH(task(1, "a"), run_at, NOW + 15000), late = WITH(task(2, "b"), run_at, NOW + 3 * HOUR);
    slots_job(q, "count", true, ROLE_REPLICA);
    put(q, &soon);
    put(q, &late);
    slots_advance(q, &now, 100);
    SlotTime later = {NOW + 2 * HOUR, 500};
    slots_clock_set(q, &later, 2 * HOUR);
    assert_int_equal(slots_next_ms(q), 500 + 15000);
    slots_end(q, 1);
    assert_int_equal(slots_next_ms(q), 500 + HOUR);
    slots_free(q);
}

static void tasks_start_inside_their_window(void **state)
{
    (void)state;
    /* The turn is held on Thursday 00:16:40. */
    EXPECT_TURN(
        "db0;db1", {WITH(task(1, "a"), window, "Thu"), "db1", NULL},
        {WITH(task(2, "b"), window, "06:00-08:00"), NULL, "its window \"06:00-08:00\" opens in 5 h 43 min"},
        {WITH(task(3, "c"), broken, "\"nonsense\" is no limit window"), NULL, "is no limit window"});
    const Row rows[] = {{WITH(task(1, "a"), window, "00:17-02:00"), NULL, "opens in"}};
    assert_int_equal(expect_turn("db0;db1", NULL, rows, 1), 500 + 60000 - NOW % 60000);
}

static void one_name_runs_once(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1;db2", {active(task(1, "a")), NULL, NULL},
                {task(2, "a"), NULL, "task 1 of the same name \"a\" is under way"},
                {task(3, "b"), "db1", NULL},
                {task(4, "b"), NULL, "task 3 of the same name \"b\" is under way"});
    /* One that is bound to a host that is down does not hide those that are not. */
    EXPECT_TURN("db0;db1 down;db2", {WITH(task(1, "a"), host, "db1"), NULL, "db1 is down"},
                {task(2, "a"), "db2", NULL});
}

static void a_name_goes_to_its_waiters_in_order(void **state)
{
    (void)state;
    Cluster c;
    Slots *q = slots_new();
    cluster(&c, "db0;db1");
    static const int64_t priorities[] = {3, 9, 1, 7, 5};
    Wait first = active(task(10, "a"));
    put(q, &first);
    for (size_t i = 0; i < COUNT(priorities); i++) {
        Wait w = WITH(task((int64_t)i + 11, "a"), priority, priorities[i]);
        put(q, &w);
    }
    static const int64_t order[] = {12, 14, 15, 11, 13};
    int64_t running = 10;
    for (size_t i = 0; i < COUNT(order); i++) {
        QueueDecisions d = {0};
        turn(q, &c, NULL, &d);
        assert_int_equal(d.n, 0);
        slots_end(q, running);
        turn(q, &c, NULL, &d);
        assert_int_equal(d.n, 1);
        assert_int_equal(running = d.v[0].id, order[i]);
        decisions_done(&d);
    }
    slots_free(q);
}

static void sequences_keep_their_order(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1;db2", {WITH(task(1, "a"), sequence_id, 7), "db1", NULL},
                {WITH(task(2, "b"), sequence_id, 7), NULL, "task 1, earlier in sequence 7, is not ended"},
                {WITH(task(3, "c"), sequence_id, 8), "db2", NULL});
    EXPECT_TURN("db0;db1", {failed(WITH(task(1, "a"), sequence_id, 7)), NULL, NULL},
                {WITH(task(2, "b"), sequence_id, 7), NULL,
                 "failed at 1970-01-01T00:15:40.000Z: retry, acknowledge or delete it"});
    EXPECT_TURN("db0;db1;db2",
                {WITH(WITH(task(1, "a"), sequence_id, 7), run_at, NOW + 100), NULL, "it is due"},
                {WITH(WITH(task(2, "b"), sequence_id, 7), priority, 100), NULL, "is not ended"});
    /* One that was committed late comes before those that wait. */
    EXPECT_TURN("db0;db1;db2", {WITH(task(2, "b"), sequence_id, 7), NULL, "task 1, earlier in sequence 7"},
                {WITH(task(1, "a"), sequence_id, 7), "db1", NULL});
}

static void uploads_run_in_order_one_at_a_time(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1", {upload(4, CRUN_UPLOADING), NULL, "upload 3 is"},
                {WITH(upload(3, CRUN_CAUGHT_UP), priority, -50), "db0", NULL});
    EXPECT_TURN("db0;db1",
                {upload(3, CRUN_RESUMING), NULL, "run 300.1 is resuming: its replica first catches up"},
                {upload(4, CRUN_UPLOADING), NULL, "upload 3 is before it"});
    Wait parts = upload(3, CRUN_CAUGHT_UP);
    parts.scattered = true;
    EXPECT_TURN("db0;db1",
                {parts, NULL, "the results of run 300.1 on its replicas are brought together first"});
    EXPECT_TURN("db0;db1", {active(upload(3, CRUN_UPLOADING)), NULL, NULL},
                {upload(4, CRUN_UPLOADING), NULL, "upload 3 is under way"}, {task(5, "u"), "db1", NULL});
    EXPECT_TURN("db0 down;db1", {upload(3, CRUN_UPLOADING), NULL, "the primary db0 is down"});
}

static void in_manual_mode_only_a_person_starts(void **state)
{
    (void)state;
    manual = "the queue is in manual mode since yesterday";
    EXPECT_TURN(
        "db0;db1;db2",
        {WITH(task(1, "a"), priority, 9), NULL, "since yesterday; siding task run 1 starts it by hand"},
        {upload(2, CRUN_UPLOADING), NULL, "manual mode"}, {WITH(task(3, "c"), by_hand, true), "db1", NULL},
        {WITH(WITH(WITH(task(4, "d"), by_hand, true), window, "06:00-08:00"), run_at, NOW + 5000), "db2",
         NULL});
    /* Of one name the one that is told to start comes first. */
    EXPECT_TURN("db0;db1;db2", {WITH(task(1, "a"), priority, 9), NULL, "task 3 of the same name"},
                {WITH(task(3, "a"), by_hand, true), "db1", NULL});
    manual = NULL;
    EXPECT_TURN("db0;db1", {WITH(WITH(task(1, "a"), priority, -50), by_hand, true), "db1", NULL},
                {WITH(task(2, "b"), priority, 50), NULL, "no replica"});
}

static void an_upload_goes_with_its_run(void **state)
{
    (void)state;
    Cluster c;
    QueueDecisions d = {0};
    Slots *q = slots_new();
    cluster(&c, "db0;db1");
    Wait w = upload(3, CRUN_KILLED);
    put(q, &w);
    turn(q, &c, NULL, &d);
    assert_int_equal(d.n, 1);
    assert_int_equal(d.v[0].kind, DECIDE_STOP);
    decisions_done(&d);
    slots_free(q);
}

static void the_primary_takes_one_command(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1", {WITH(task(1, "a"), on, ROLE_PRIMARY), "db0", NULL},
                {WITH(task(2, "b"), on, ROLE_PRIMARY), NULL, "task 1 is under way on the primary"},
                {upload(3, CRUN_UPLOADING), "db0", NULL}, {task(4, "c"), "db1", NULL});
}

static void nothing_starts_on_hold(void **state)
{
    (void)state;
    const Row rows[] = {{task(1, "a"), NULL, NULL}, {upload(2, CRUN_UPLOADING), NULL, NULL}};
    expect_turn("db0;db1", "maintenance", rows, COUNT(rows));
}

/* Where each of 100,000 has its place, an event moves one. */
static void a_long_queue_costs_an_event_little(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    Cluster c;
    Slots *q = slots_new();
    cluster(&c, "db0;db1;db2");
    for (int i = 0; i < MANY; i++) {
        Wait w = task(i + 1, i % 2 ? "even" : "odd");
        put(q, &w);
    }
    size_t slices = 1;
    slots_job(q, "count", true, ROLE_REPLICA);
    while (slots_advance(q, &now, 1000))
        slices++;
    assert_in_range(slices, 100, 300);
    for (int i = 0; i < 1000; i++) {
        QueueDecisions d = {0};
        turn(q, &c, NULL, &d);
        assert_int_equal(d.n, 2);
        for (size_t k = 0; k < d.n; k++)
            slots_end(q, d.v[k].id);
        decisions_done(&d);
    }
    assert_int_equal(slots_count(q, SLOT_PLACES), MANY - 2000);
    slots_free(q);
}

static void recurrences_come_again(void **state)
{
    (void)state;
    assert_int_equal(decide_next_run_at(1000, 5000, 600, false), 5600);
    assert_int_equal(decide_next_run_at(1000, 5000, 600, true), 5200);
    assert_int_equal(decide_next_run_at(1000, 5200, 600, true), 5800);
    assert_int_equal(decide_next_run_at(9000, 5000, 600, true), 9000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_priority_and_earlier_id_go_first),
        cmocka_unit_test(tasks_are_due),
        cmocka_unit_test(a_clock_that_is_set_leaves_short_waits),
        cmocka_unit_test(tasks_start_inside_their_window),
        cmocka_unit_test(one_name_runs_once),
        cmocka_unit_test(a_name_goes_to_its_waiters_in_order),
        cmocka_unit_test(sequences_keep_their_order),
        cmocka_unit_test(uploads_run_in_order_one_at_a_time),
        cmocka_unit_test(in_manual_mode_only_a_person_starts),
        cmocka_unit_test(an_upload_goes_with_its_run),
        cmocka_unit_test(the_primary_takes_one_command),
        cmocka_unit_test(nothing_starts_on_hold),
        cmocka_unit_test(a_long_queue_costs_an_event_little),
        cmocka_unit_test(recurrences_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
