/* SPDX-License-Identifier: Apache-2.0
 * Stopping the applier, and standing where nothing is half done: every statement, in order, on both flavours;
 * answers that never come, and what a cancel leaves.
 */
#include "opscript.h"

#include "replica-agent/server/op_stop.h"

enum { STOP_MS = 30000 };

static StopIn a_stop(const Relay *r, bool first)
{
    return (StopIn){.at = agent_server(),
                    .timeout_ms = STOP_MS,
                    .first = first,
                    .sync_relay = true,
                    .hold = first,
                    .vault_folder = r ? (char *)r->dir : NULL};
}

static void expect_held(void)
{
    EXPECT("CONNECT agent", .ms = 5000);
    EXPECT("SET SESSION wait_timeout=31536000");
}

/* Up to the STOP. */
static void expect_secured(const Relay *r)
{
    expect_held();
    expect_open(STOP_MS);
    expect_paths(r);
    expect_settings(own_settings());
    EXPECT("SET GLOBAL sync_relay_log=1");
}

static void the_first_stop_secures_the_relay_files(void)
{
    Relay r;
    StopOut out = {0};
    relay_begin(&r, 3);
    expect_secured(&r);
    EXPECT(d->stop_sql);
    expect_look(stopped_at(3));
    StopIn in = a_stop(&r, true);
    assert_true(op_stop(&in, NULL, &out));
    EXPECT_RESULT(out, OP_DONE, ERR_NONE);
    script_end(1);
    assert_non_null(out.held);
    assert_string_equal(out.seen.status.applied, at_trx(3));
    assert_true(out.seen.server.pid > 0 && out.seen.server.pid_start > 0);
    assert_non_null(out.place.index);
    assert_int_equal(relay_links(&r), 1);
    stop_out_done(&out);
    script_end(0);
    relay_end(&r);
}
BOTH(the_first_stop_secures_the_relay_files)

/* One asked for again, whose connection is held already. */
static void a_later_stop_only_stops(void)
{
    StopOut out = {0};
    expect_open(STOP_MS);
    EXPECT(d->stop_sql);
    expect_look(stopped_at(3));
    StopIn in = a_stop(NULL, false);
    assert_true(op_stop(&in, NULL, &out));
    script_end(0);
    assert_null(out.held);
    stop_out_done(&out);
}
BOTH(a_later_stop_only_stops)

static void without_a_connection_to_hold_it_stops_all_the_same(void)
{
    Relay r;
    StopOut out = {0};
    relay_begin(&r, 3);
    EXPECT("CONNECT agent", .fail = ERR_UNREACHABLE);
    expect_open(STOP_MS);
    expect_paths(&r);
    EXPECT(d->stop_sql);
    expect_look(stopped_at(3));
    StopIn in = a_stop(&r, true);
    in.sync_relay = false; /* as the policy may say */
    assert_true(op_stop(&in, NULL, &out));
    script_end(0);
    stop_out_done(&out);
    relay_end(&r);
}
BOTH(without_a_connection_to_hold_it_stops_all_the_same)

static void relay_files_that_cannot_be_kept_stop_nothing(void)
{
    Relay r;
    relay_begin(&r, 3);
    for (int broken = 0; broken < 3; broken++) {
        StopOut out = {0};
        expect_held();
        expect_open(STOP_MS);
        if (broken == 0) {
            EXPECT(PATHS, .fail = ERR_DB);
        } else {
            expect_paths(&r);
            expect_settings(own_settings());
            EXPECT("SET GLOBAL sync_relay_log=1", .fail = broken == 1 ? ERR_AUTH : ERR_LOST);
        }
        StopIn in = a_stop(&r, true);
        assert_false(op_stop(&in, NULL, &out));
        assert_int_equal(out.result, OP_FAILED);
        script_end(1);
        stop_out_done(&out);
    }
    /* A folder on another file system, or none at all. */
    StopOut out = {0};
    expect_held();
    expect_open(STOP_MS);
    expect_paths(&r);
    StopIn in = a_stop(&r, true);
    in.vault_folder = (char *)"/proc/siding";
    assert_false(op_stop(&in, NULL, &out));
    assert_int_equal(out.result, OP_FAILED);
    script_end(1);
    stop_out_done(&out);
    relay_end(&r);
}
BOTH(relay_files_that_cannot_be_kept_stop_nothing)

/* It may be that an earlier STOP, of an agent that was killed, is still under way. */
static void a_server_out_of_reach_is_looked_at_again(void)
{
    StopOut out = {0};
    EXPECT("CONNECT agent", .fail = ERR_UNREACHABLE);
    StopIn in = a_stop(NULL, false);
    assert_false(op_stop(&in, NULL, &out));
    EXPECT_RESULT(out, OP_UNKNOWN, ERR_UNREACHABLE);
    script_end(0);
    stop_out_done(&out);
}
BOTH(a_server_out_of_reach_is_looked_at_again)

static void a_refused_stop_has_stopped_nothing(void)
{
    static const ErrKind refused[] = {ERR_DB, ERR_AUTH};
    for (size_t i = 0; i < COUNT(refused); i++) {
        StopOut out = {0};
        expect_open(STOP_MS);
        EXPECT(d->stop_sql, .fail = refused[i]);
        StopIn in = a_stop(NULL, false);
        assert_false(op_stop(&in, NULL, &out));
        EXPECT_RESULT(out, OP_FAILED, refused[i]);
        script_end(0);
        stop_out_done(&out);
    }
}
BOTH(a_refused_stop_has_stopped_nothing)

/* The statement is killed by a connection of its own, then a fresh one looks. */
static void unanswered(ErrKind kind, View then, OpResult want)
{
    StopOut out = {0};
    expect_open(STOP_MS);
    EXPECT(d->stop_sql, .fail = kind);
    EXPECT("KILL 101");
    expect_open(5000);
    expect_look(then);
    StopIn in = a_stop(NULL, false);
    assert_int_equal(op_stop(&in, NULL, &out), want == OP_DONE);
    EXPECT_RESULT(out, want, kind);
    script_end(0);
    assert_int_equal(out.seen.status.sql_running, then.sql);
    stop_out_done(&out);
}

static void unanswered_and_seen_stopped(void)
{
    unanswered(ERR_TIMEOUT, stopped_at(3), OP_DONE);
}
BOTH(unanswered_and_seen_stopped)

static void unanswered_and_seen_running(void)
{
    unanswered(ERR_TIMEOUT, view_at(3), OP_UNKNOWN);
}
BOTH(unanswered_and_seen_running)

static void lost_and_seen_stopped(void)
{
    unanswered(ERR_LOST, stopped_at(3), OP_DONE);
}
BOTH(lost_and_seen_stopped)

static void lost_and_seen_running(void)
{
    unanswered(ERR_LOST, view_at(3), OP_UNKNOWN);
}
BOTH(lost_and_seen_running)

/* The server waits for a long transaction: the timeout of the connection is that of the STOP. */
static void an_answer_too_late_is_none(void)
{
    StopOut out = {0};
    expect_open(STOP_MS);
    EXPECT(d->stop_sql, .delay_ms = STOP_MS + 1);
    EXPECT("KILL 101");
    expect_open(5000);
    expect_look(view_at(3));
    StopIn in = a_stop(NULL, false);
    assert_false(op_stop(&in, NULL, &out));
    EXPECT_RESULT(out, OP_UNKNOWN, ERR_TIMEOUT);
    script_end(0);
    stop_out_done(&out);
}
BOTH(an_answer_too_late_is_none)

static void unanswered_and_not_seen(void)
{
    for (int how = 0; how < 5; how++) {
        StopOut out = {0};
        script_begin(is_mariadb() ? DB_MARIADB : DB_MYSQL, 0);
        expect_open(STOP_MS);
        EXPECT(d->stop_sql, .fail = ERR_TIMEOUT);
        EXPECT("KILL 101", .fail = how == 0 ? ERR_UNREACHABLE : ERR_NONE);
        if (how <= 1) {
            EXPECT("CONNECT agent", .fail = ERR_UNREACHABLE);
        } else {
            expect_open(5000);
            expect_look_broken(stopped_at(3), how - 2, ERR_LOST);
        }
        StopIn in = a_stop(NULL, false);
        assert_false(op_stop(&in, NULL, &out));
        EXPECT_RESULT(out, OP_UNKNOWN, ERR_TIMEOUT); /* the first trouble is told */
        script_end(0);
        stop_out_done(&out);
    }
}
BOTH(unanswered_and_not_seen)

static void answered_and_not_seen(void)
{
    for (int answered = 0; answered < 3; answered++) {
        StopOut out = {0};
        expect_open(STOP_MS);
        EXPECT(d->stop_sql);
        expect_look_broken(stopped_at(3), answered, ERR_LOST);
        StopIn in = a_stop(NULL, false);
        assert_false(op_stop(&in, NULL, &out));
        EXPECT_RESULT(out, OP_UNKNOWN, ERR_LOST);
        script_end(0);
        stop_out_done(&out);
    }
}
BOTH(answered_and_not_seen)

/* Somebody has started it in between, or the server says yes and does not. */
static void answered_and_seen_running(void)
{
    StopOut out = {0};
    expect_open(STOP_MS);
    EXPECT(d->stop_sql);
    expect_look(view_at(3));
    StopIn in = a_stop(NULL, false);
    assert_false(op_stop(&in, NULL, &out));
    EXPECT_RESULT(out, OP_UNKNOWN, ERR_TIMEOUT);
    script_end(0);
    stop_out_done(&out);
}
BOTH(answered_and_seen_running)

static void a_cancelled_stop_is_looked_after(void)
{
    Cancel cancel = {false};
    StopOut out = {0};
    expect_open(STOP_MS);
    EXPECT(d->stop_sql, .cancel = &cancel.asked);
    EXPECT("KILL 101");
    expect_open(5000);
    expect_look(view_at(3));
    StopIn in = a_stop(NULL, false);
    assert_false(op_stop(&in, &cancel, &out));
    EXPECT_RESULT(out, OP_UNKNOWN, ERR_CANCELLED);
    script_end(0);
    stop_out_done(&out);
    /* Before it begins, nothing is sent. */
    assert_false(op_stop(&in, &cancel, &out));
    EXPECT_RESULT(out, OP_UNKNOWN, ERR_CANCELLED);
    stop_out_done(&out);
}
BOTH(a_cancelled_stop_is_looked_after)

static void expect_stop_at(int n)
{
    EXPECT(d->stop_sql);
    expect_look(stopped_at(n));
}

static void expect_start_at(int n)
{
    EXPECT(d->status, status_columns(), status_row(stopped_at(n))); /* the receiver must not be stopped */
    EXPECT(d->position, POSITION_COLUMNS, position_row(stopped_at(n)));
    EXPECT("SHOW GLOBAL STATUS LIKE 'Uptime'", "Variable_name|Value", "Uptime|5");
    EXPECT(d->start_sql);
}

static void a_prepared_transaction_is_passed(void)
{
    StopOut out = {0};
    StopIn in = a_stop(NULL, false);
    in.whole_ms = 10000;
    expect_open(STOP_MS);
    expect_stop_at(3);
    expect_half_done(1, 0, NULL);
    expect_start_at(3);
    expect_stop_at(4);
    expect_half_done(0, 2, NULL);
    expect_start_at(4);
    expect_stop_at(5);
    expect_half_done(0, 0, NULL);
    assert_true(op_stop(&in, NULL, &out));
    EXPECT_RESULT(out, OP_DONE, ERR_NONE);
    script_end(0);
    assert_string_equal(out.seen.status.applied, at_trx(5));
    stop_out_done(&out);
}
BOTH(a_prepared_transaction_is_passed)

/* The applier is left standing: what starts it again is the next operation's. */
static void stop_refuses(const StopIn *in, const Cancel *cancel, ErrKind kind)
{
    StopOut out = {0};
    assert_false(op_stop(in, cancel, &out));
    EXPECT_RESULT(out, OP_FAILED, kind);
    script_end(0);
    stop_out_done(&out);
}

static void what_does_not_pass_is_refused(void)
{
    StopIn in = a_stop(NULL, false);
    in.whole_ms = 200;
    for (int what = 0; what < 2; what++) {
        expect_open(STOP_MS);
        expect_stop_at(3);
        expect_half_done(what == 0 ? 2 : 0, what, NULL);
        expect_start_at(3);
        EXPECT(d->stop_sql, .delay_ms = 201);
        expect_look(stopped_at(3));
        expect_half_done(what == 0 ? 2 : 0, what, NULL);
        stop_refuses(&in, NULL, ERR_REFUSED);
    }
    /* A filter does not go by itself. */
    in.whole_ms = 10000;
    expect_open(STOP_MS);
    expect_stop_at(3);
    expect_half_done(0, 0, "shop,crm");
    stop_refuses(&in, NULL, ERR_REFUSED);
    /* One that lets the queue through is a warning of the preflight. */
    StopOut out = {0};
    expect_open(STOP_MS);
    expect_stop_at(3);
    expect_half_done(0, 0, "shop,siding");
    assert_true(op_stop(&in, NULL, &out));
    stop_out_done(&out);
}
BOTH(what_does_not_pass_is_refused)

static void whether_it_is_whole_must_be_known(void)
{
    StopIn in = a_stop(NULL, false);
    in.whole_ms = 10000;
    expect_open(STOP_MS);
    expect_stop_at(3);
    EXPECT("XA RECOVER", .fail = ERR_LOST);
    stop_refuses(&in, NULL, ERR_LOST);
    expect_open(STOP_MS);
    expect_stop_at(3);
    EXPECT("XA RECOVER", .fail = ERR_AUTH); /* as the preflight: what may not be asked is left out */
    EXPECT("SHOW GLOBAL STATUS…", .fail = ERR_DB);
    stop_refuses(&in, NULL, ERR_DB);
    /* Without a receiver nothing is started here. */
    expect_open(STOP_MS);
    expect_stop_at(3);
    expect_half_done(1, 0, NULL);
    expect_look(both_stopped_at(3));
    stop_refuses(&in, NULL, ERR_REFUSED);
    Cancel cancel = {false};
    expect_open(STOP_MS);
    expect_stop_at(3);
    EXPECT("XA RECOVER", "data", "x1");
    EXPECT("SHOW GLOBAL STATUS…", "Variable_name|Value", "x|0");
    EXPECT(d->status, "Replicate_Do_DB", "", .cancel = &cancel.asked);
    stop_refuses(&in, &cancel, ERR_CANCELLED);
}
BOTH(whether_it_is_whole_must_be_known)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(the_first_stop_secures_the_relay_files),
        TESTS_OF(a_later_stop_only_stops),
        TESTS_OF(without_a_connection_to_hold_it_stops_all_the_same),
        TESTS_OF(relay_files_that_cannot_be_kept_stop_nothing),
        TESTS_OF(a_server_out_of_reach_is_looked_at_again),
        TESTS_OF(a_refused_stop_has_stopped_nothing),
        TESTS_OF(unanswered_and_seen_stopped),
        TESTS_OF(unanswered_and_seen_running),
        TESTS_OF(lost_and_seen_stopped),
        TESTS_OF(lost_and_seen_running),
        TESTS_OF(an_answer_too_late_is_none),
        TESTS_OF(unanswered_and_not_seen),
        TESTS_OF(answered_and_not_seen),
        TESTS_OF(answered_and_seen_running),
        TESTS_OF(a_cancelled_stop_is_looked_after),
        TESTS_OF(a_prepared_transaction_is_passed),
        TESTS_OF(what_does_not_pass_is_refused),
        TESTS_OF(whether_it_is_whole_must_be_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
