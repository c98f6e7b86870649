/* SPDX-License-Identifier: Apache-2.0
 * Moving the stopped applier on to a position: every statement, in order, on both flavours; answers that
 * never come, and what a cancel leaves.
 */
#include "opscript.h"

#include "replica-agent/server/op_align.h"

static AlignIn an_align(int n)
{
    return (AlignIn){.at = agent_server(),
                     .timeout_ms = 20000,
                     .gtid = (char *)at_trx(n),
                     .source_file = (char *)"binlog.000007",
                     .source_pos = 4711};
}

static void expect_wait(const char *answer)
{
    EXPECT(d->wait, "w", answer);
}

static void align_fails(const AlignIn *in, const Cancel *cancel, OpResult want, ErrKind kind)
{
    AlignOut out = {0};
    assert_false(op_align(in, cancel, &out));
    EXPECT_RESULT(out, want, kind);
    script_end(0);
    align_out_done(&out);
}

static void moved_on_to_the_position(void)
{
    AlignOut out = {0};
    expect_open(20000);
    expect_look(stopped_at(3));
    EXPECT(d->status, status_columns(), status_row(stopped_at(3))); /* the receiver must not be stopped */
    EXPECT(d->position, POSITION_COLUMNS, position_row(stopped_at(3)));
    EXPECT("SHOW GLOBAL STATUS LIKE 'Uptime'", "Variable_name|Value", "Uptime|5");
    EXPECT(d->until);
    expect_wait("-1");
    expect_wait("0");
    EXPECT(d->stop_sql);
    expect_look(stopped_at(5));
    expect_half_done(0, 0, NULL);
    AlignIn in = an_align(5);
    assert_true(op_align(&in, NULL, &out));
    EXPECT_RESULT(out, OP_DONE, ERR_NONE);
    script_end(0);
    assert_string_equal(out.seen.status.applied, at_trx(5));
    align_out_done(&out);
}
BOTH(moved_on_to_the_position)

static void already_there(void)
{
    AlignOut out = {0};
    expect_open(20000);
    expect_look(stopped_at(5));
    expect_half_done(0, 0, NULL);
    AlignIn in = an_align(5);
    assert_true(op_align(&in, NULL, &out));
    script_end(0);
    align_out_done(&out);
}
BOTH(already_there)

static void a_place_with_something_half_done_is_none_to_stand_at(void)
{
    AlignIn in = an_align(5);
    for (int what = 0; what < 3; what++) {
        expect_open(20000);
        expect_look(stopped_at(5));
        expect_half_done(what == 0, what == 1, what == 2 ? "shop" : NULL);
        align_fails(&in, NULL, OP_FAILED, ERR_REFUSED);
    }
}
BOTH(a_place_with_something_half_done_is_none_to_stand_at)

static void an_applier_that_runs_is_not_aligned(void)
{
    AlignIn in = an_align(5);
    expect_open(20000);
    expect_look(view_at(5));
    align_fails(&in, NULL, OP_FAILED, ERR_CONFLICT);
}
BOTH(an_applier_that_runs_is_not_aligned)

/* A START would purge the relay files (MariaDB), and the position could not be reached anyway. */
static void never_started_without_a_receiver(void)
{
    AlignIn in = an_align(5);
    expect_open(20000);
    expect_look(both_stopped_at(3));
    expect_look(both_stopped_at(3));
    align_fails(&in, NULL, OP_FAILED, ERR_REFUSED);
}
BOTH(never_started_without_a_receiver)

static void start_until_breaks(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        AlignIn in = an_align(5);
        expect_open(20000);
        expect_look(stopped_at(3));
        expect_look(stopped_at(3));
        EXPECT(d->until, .fail = kinds[i]);
        align_fails(&in, NULL, i == 0 ? OP_FAILED : OP_UNKNOWN, kinds[i]);
    }
}
BOTH(start_until_breaks)

static void expect_moving(void)
{
    expect_open(20000);
    expect_look(stopped_at(3));
    expect_look(stopped_at(3));
    EXPECT(d->until);
}

/* From here on the applier may run. */
static void broken_on_the_way(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        AlignIn in = an_align(5);
        expect_moving();
        EXPECT(d->wait, .fail = kinds[i]);
        align_fails(&in, NULL, OP_UNKNOWN, kinds[i]);
        expect_moving();
        expect_wait("0");
        EXPECT(d->stop_sql, .fail = kinds[i]);
        align_fails(&in, NULL, OP_UNKNOWN, kinds[i]);
        expect_moving();
        expect_wait("0");
        EXPECT(d->stop_sql);
        expect_look_broken(stopped_at(5), (int)i, kinds[i]);
        align_fails(&in, NULL, OP_FAILED, kinds[i]);
    }
}
BOTH(broken_on_the_way)

/* Whoever stops it in between, or a source that has nothing more. */
static void not_reached_in_time(void)
{
    AlignIn in = an_align(5);
    in.timeout_ms = 3;
    expect_open(3);
    expect_look(stopped_at(3));
    expect_look(stopped_at(3));
    EXPECT(d->until);
    EXPECT(d->wait, "w", "-1", .delay_ms = 4);
    EXPECT(d->stop_sql);
    expect_look(stopped_at(4));
    AlignOut out = {0};
    assert_false(op_align(&in, NULL, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_TIMEOUT);
    assert_non_null(strstr(out.err.text, at_trx(4)));
    script_end(0);
    align_out_done(&out);
}
BOTH(not_reached_in_time)

/* The server applied more than was asked for: that is no success. */
static void gone_too_far(void)
{
    AlignIn in = an_align(5);
    expect_moving();
    expect_wait("0");
    EXPECT(d->stop_sql);
    expect_look(stopped_at(6));
    align_fails(&in, NULL, OP_FAILED, ERR_TIMEOUT);
    expect_moving();
    expect_wait("0");
    EXPECT(d->stop_sql);
    expect_look(view_at(5)); /* still running */
    align_fails(&in, NULL, OP_FAILED, ERR_TIMEOUT);
}
BOTH(gone_too_far)

static void a_cancelled_align_stops_the_applier_again(void)
{
    Cancel cancel = {false};
    AlignIn in = an_align(5);
    expect_moving();
    EXPECT(d->wait, "w", "-1", .cancel = &cancel.asked);
    EXPECT(d->stop_sql);
    expect_look(stopped_at(4));
    align_fails(&in, &cancel, OP_FAILED, ERR_CANCELLED);
    /* Before it begins nothing is started. */
    align_fails(&in, &cancel, OP_FAILED, ERR_CANCELLED);
    cancel = (Cancel){false};
    expect_open(20000);
    EXPECT(d->status, status_columns(), status_row(stopped_at(3)), .cancel = &cancel.asked);
    align_fails(&in, &cancel, OP_FAILED, ERR_CANCELLED);
}
BOTH(a_cancelled_align_stops_the_applier_again)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(a_place_with_something_half_done_is_none_to_stand_at),
        TESTS_OF(moved_on_to_the_position),
        TESTS_OF(already_there),
        TESTS_OF(an_applier_that_runs_is_not_aligned),
        TESTS_OF(never_started_without_a_receiver),
        TESTS_OF(start_until_breaks),
        TESTS_OF(broken_on_the_way),
        TESTS_OF(not_reached_in_time),
        TESTS_OF(gone_too_far),
        TESTS_OF(a_cancelled_align_stops_the_applier_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
