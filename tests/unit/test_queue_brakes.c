/* SPDX-License-Identifier: Apache-2.0
 * Manual mode and other brakes: when they end, and what a failure holds.
 */
#include "test.h"

#include "orchestrator/core/queue_brakes.h"

enum { MINUTE = 60000, SINCE = 1000000 };

static QueueBrake brake(BrakeKind kind, int64_t minutes)
{
    return (QueueBrake){.kind = kind,
                        .name = (char *)(kind == BRAKE_QUEUE ? "" : "x"),
                        .since = SINCE,
                        .until = minutes ? SINCE + minutes * MINUTE : 0,
                        .by = (char *)"ann"};
}

static void a_brake_ends_by_itself_but_not_over_failures(void **state)
{
    (void)state;
    static const struct {
        BrakeKind kind;
        int minutes, at; /* of its length, and of the look */
        int64_t errors;
        BrakeNews news, again; /* and of the next look */
    } rows[] = {
        {BRAKE_QUEUE, 0, 600, 0, BRAKE_AS_IT_WAS, BRAKE_AS_IT_WAS},
        {BRAKE_QUEUE, 60, 58, 0, BRAKE_AS_IT_WAS, BRAKE_AS_IT_WAS},
        {BRAKE_QUEUE, 60, 59, 0, BRAKE_ENDS_SOON, BRAKE_AS_IT_WAS},
        {BRAKE_QUEUE, 60, 60, 0, BRAKE_IS_OVER, BRAKE_IS_OVER}, /* until it is on record */
        {BRAKE_QUEUE, 60, 61, 2, BRAKE_STAYS, BRAKE_AS_IT_WAS},
        {BRAKE_QUEUE, 1, 0, 0, BRAKE_AS_IT_WAS, BRAKE_AS_IT_WAS}, /* a short one is not told twice */
        {BRAKE_LANE, 60, 61, 2, BRAKE_IS_OVER, BRAKE_IS_OVER},
        {BRAKE_NODE, 60, 59, 2, BRAKE_ENDS_SOON, BRAKE_AS_IT_WAS},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        QueueBrake b = brake(rows[i].kind, rows[i].minutes);
        QueueErrors errors = {rows[i].errors, 7, SINCE};
        int64_t now = SINCE + rows[i].at * MINUTE;
        if (brakes_look(&b, &errors, now) != rows[i].news || brakes_look(&b, &errors, now) != rows[i].again)
            fail_msg("row %zu", i);
    }
    QueueBrake b = brake(BRAKE_QUEUE, 60);
    QueueErrors errors = {1, 7, SINCE};
    assert_int_equal(brakes_look(&b, &errors, SINCE + 61 * MINUTE), BRAKE_STAYS);
    errors.n = 0; /* seen to: now it is over */
    assert_int_equal(brakes_look(&b, &errors, SINCE + 61 * MINUTE), BRAKE_IS_OVER);
    b.ending = true;
    assert_int_equal(brakes_look(&b, &errors, SINCE + 61 * MINUTE), BRAKE_AS_IT_WAS);
}

static void manual_mode_is_not_ended_over_failures(void **state)
{
    (void)state;
    Err err = {0};
    QueueBrake queue = brake(BRAKE_QUEUE, 0), lane = brake(BRAKE_LANE, 0);
    QueueErrors none = {0}, two = {2, 7, SINCE};
    assert_ok(brakes_may_end(&queue, &none, &err), err);
    assert_ok(brakes_may_end(&lane, &two, &err), err);
    assert_false(brakes_may_end(&queue, &two, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_non_null(
        strstr(err.text, "2 failed tasks have not been seen to, the first is task 7 since 1970-01-01T00:16"));
}

static void a_look_comes_when_it_may_bring_something(void **state)
{
    (void)state;
    QueueBrake list[] = {brake(BRAKE_QUEUE, 0), brake(BRAKE_LANE, 60), brake(BRAKE_NODE, 90)};
    WireList brakes = {list, COUNT(list)};
    assert_int_equal(brakes_next_ms(&brakes, SINCE), SINCE + 59 * MINUTE);
    assert_int_equal(brakes_next_ms(&brakes, SINCE + 59 * MINUTE), SINCE + 60 * MINUTE);
    assert_int_equal(brakes_next_ms(&brakes, SINCE + 200 * MINUTE), 0);
    assert_ptr_equal(brakes_find(&brakes, BRAKE_NODE, "x"), &list[2]);
    assert_null(brakes_find(&brakes, BRAKE_NODE, "y"));
}

static void a_failure_holds_what_it_is_told_to(void **state)
{
    (void)state;
    static const struct {
        TaskKind kind;
        int64_t sequence;
        OnError on_error;
        const char *setting;
        SlotHolds holds;
        bool stops;
    } rows[] = {
        {KIND_COMMAND, 0, ON_ERROR_NONE, "task", SLOT_HOLDS_NOTHING, false},
        {KIND_COMMAND, 0, ON_ERROR_NONE, "lane", SLOT_HOLDS_LANE, false},
        {KIND_COMMAND, 0, ON_ERROR_NONE, "queue", SLOT_HOLDS_LANE, true},
        {KIND_COMMAND, 7, ON_ERROR_NONE, "task", SLOT_HOLDS_SEQUENCE, false},
        {KIND_COMMAND, 7, ON_ERROR_NONE, "lane", SLOT_HOLDS_SEQUENCE, false},
        {KIND_COMMAND, 7, ON_ERROR_CONTINUE, "queue", SLOT_HOLDS_NOTHING, false},
        {KIND_COMMAND, 0, ON_ERROR_CONTINUE, "lane", SLOT_HOLDS_NOTHING, false},
        {KIND_COMMAND, 0, ON_ERROR_BLOCK, "task", SLOT_HOLDS_LANE, false},
        {KIND_COMMAND, 0, ON_ERROR_QUEUE, "task", SLOT_HOLDS_LANE, true},
        {KIND_COMMAND, 7, ON_ERROR_BLOCK, "queue", SLOT_HOLDS_SEQUENCE, false},
        {KIND_UPLOAD, 0, ON_ERROR_CONTINUE, "task", SLOT_HOLDS_LANE, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Task t = {.kind = rows[i].kind, .sequence_id = rows[i].sequence, .on_error = rows[i].on_error};
        if (brakes_held_by(&t, rows[i].setting) != rows[i].holds ||
            brakes_stop_queue(&t, rows[i].setting) != rows[i].stops)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_brake_ends_by_itself_but_not_over_failures),
        cmocka_unit_test(manual_mode_is_not_ended_over_failures),
        cmocka_unit_test(a_look_comes_when_it_may_bring_something),
        cmocka_unit_test(a_failure_holds_what_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
