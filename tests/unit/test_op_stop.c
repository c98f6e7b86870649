/* SPDX-License-Identifier: Apache-2.0
 * Stopping the applier and moving it on to a position: every statement, in order, on both flavours; answers
 * that never come, and what a cancel leaves.
 */
#include "opscript.h"

#include "replica-agent/server/op_align.h"
#include "replica-agent/server/op_role.h"
#include "replica-agent/server/op_stop.h"
#include "replica-agent/server/op_verify.h"

enum { STOP_MS = 30000 };

/* ---- stop ------------------------------------------------------------------------------------------ */

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

/* ---- where nothing is half done ---------------------------------------------------------------------- */

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

/* ---- align ----------------------------------------------------------------------------------------- */

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

/* ---- verify ---------------------------------------------------------------------------------------- */

static VerifyIn a_verification(Db *held)
{
    return (VerifyIn){.at = agent_server(),
                      .gtid = (char *)at_trx(5),
                      .binlog_gtid = (char *)at_trx(5),
                      .source_host = (char *)"127.0.0.1",
                      .source_port = 3306,
                      .held = held};
}

static void verify(Db *held, OpResult want, FrozenChange change, ErrKind kind)
{
    VerifyOut out = {0};
    VerifyIn in = a_verification(held);
    assert_int_equal(op_verify(&in, NULL, &out), want == OP_DONE);
    EXPECT_RESULT(out, want, kind);
    assert_int_equal(out.change, change);
    script_end(held ? 1 : 0);
    verify_out_done(&out);
}

static Db *a_held_connection(void)
{
    Db *held = NULL;
    Err err;
    DbTarget t = {.user = (char *)"held"};
    EXPECT("CONNECT held");
    assert_ok(db_connect(&t, 5000, &held, &err), err);
    return held;
}

static void verified(void)
{
    Db *held = a_held_connection();
    EXPECT("DO 1", .on = "held");
    expect_open(5000);
    expect_look(stopped_at(5));
    verify(held, OP_DONE, FROZEN_STILL, ERR_NONE);
    /* The connection is gone, the process is seen. */
    EXPECT("DO 1", .on = "held", .fail = ERR_LOST);
    expect_open(5000);
    expect_look(stopped_at(5));
    verify(held, OP_DONE, FROZEN_STILL, ERR_NONE);
    db_close(held);
    View v = stopped_at(6);
    expect_open(5000);
    expect_look(v);
    verify(NULL, OP_MOVED, FROZEN_MOVED, ERR_CORRUPT);
    v = view_at(5);
    expect_open(5000);
    expect_look(v);
    verify(NULL, OP_MOVED, FROZEN_STARTED, ERR_CORRUPT);
    v = stopped_at(5);
    v.source_port = 3307;
    expect_open(5000);
    expect_look(v);
    verify(NULL, OP_MOVED, FROZEN_REPOINTED, ERR_CORRUPT);
    v = stopped_at(5);
    v.binlog_text =
        is_mariadb() ? "0-2-6"
                     : script_keep(xasprintf("%s,%s:1", at_trx(5), "4e11fa47-71ca-11e1-9e33-c80aa9429562"));
    expect_open(5000);
    expect_look(v);
    verify(NULL, OP_MOVED, FROZEN_WRITTEN, ERR_CORRUPT);
}
BOTH(verified)

/* Over TCP the connection alone shows that the server has not restarted. */
static void over_tcp_the_connection_is_the_proof(void)
{
    script_begin(is_mariadb() ? DB_MARIADB : DB_MYSQL, 0);
    Db *held = a_held_connection();
    EXPECT("DO 1", .on = "held");
    expect_open(5000);
    expect_look(stopped_at(5));
    verify(held, OP_DONE, FROZEN_STILL, ERR_NONE);
    EXPECT("DO 1", .on = "held", .fail = ERR_LOST);
    expect_open(5000);
    expect_look(stopped_at(5));
    verify(held, OP_MOVED, FROZEN_UNPROVEN, ERR_CORRUPT);
    db_close(held);
    expect_open(5000);
    expect_look(stopped_at(5));
    verify(NULL, OP_MOVED, FROZEN_UNPROVEN, ERR_CORRUPT);
}
BOTH(over_tcp_the_connection_is_the_proof)

/* A server that cannot be read proves nothing and voids nothing. */
static void verify_breaks(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        expect_open(5000);
        expect_look_broken(stopped_at(5), (int)i, kinds[i]);
        verify(NULL, OP_FAILED, FROZEN_STILL, kinds[i]);
    }
    EXPECT("CONNECT agent", .fail = ERR_UNREACHABLE);
    verify(NULL, OP_FAILED, FROZEN_STILL, ERR_UNREACHABLE);
    Cancel cancel = {true};
    VerifyOut out = {0};
    VerifyIn in = a_verification(NULL);
    assert_false(op_verify(&in, &cancel, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_CANCELLED);
    verify_out_done(&out);
}
BOTH(verify_breaks)

/* ---- role ------------------------------------------------------------------------------------------ */

static void role(bool open, const Cancel *cancel, OpResult want, ErrKind kind)
{
    RoleOut out = {0};
    RoleIn in = {agent_server(), open};
    assert_int_equal(op_role(&in, cancel, &out), want == OP_DONE);
    EXPECT_RESULT(out, want, kind);
    script_end(0);
    role_out_done(&out);
}

static void expect_waiting(const char *ids)
{
    EXPECT("SELECT ID FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for semi-sync ACK%'…",
           .columns = "ID", .rows = ids);
    if (ids)
        EXPECT(script_keep(xasprintf("KILL %s", ids)));
}

/* One round: nobody waits, it is closed by a connection of its own, and looked at. */
static void expect_closed(View seen, ErrKind fail)
{
    expect_waiting(NULL);
    expect_open(1000);
    EXPECT(d->read_only_on, .fail = fail);
    expect_look(seen);
}

/* Those who wait for a replica are cut off before semi-sync goes off, and again as long as there are any. */
static void nobody_waits_when_semi_sync_goes_off(void)
{
    View closed = {.primary = true, .applied = 5}, open = closed;
    open.open = true;
    expect_open(5000);
    expect_waiting("17");
    expect_open(1000);
    EXPECT(d->read_only_on, .fail = ERR_TIMEOUT);
    expect_look(open);
    expect_closed(closed, ERR_TIMEOUT); /* MySQL: it reads as closed while the statement still waits */
    expect_waiting("18");
    expect_closed(closed, ERR_NONE);
    expect_waiting(NULL);
    EXPECT(d->semi_sync_off);
    EXPECT(d->read_only_on);
    expect_look(closed);
    role(false, NULL, OP_DONE, ERR_NONE);
}
BOTH(nobody_waits_when_semi_sync_goes_off)

/* What cannot be closed keeps semi-sync. */
static void semi_sync_stays_on_what_is_open(void)
{
    View open = {.primary = true, .open = true, .applied = 5};
    static const ErrKind kinds[] = {ERR_DB, ERR_REFUSED};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        expect_open(5000);
        expect_waiting(NULL);
        expect_open(1000);
        EXPECT(d->read_only_on, .fail = kinds[i]);
        role(false, NULL, OP_FAILED, kinds[i]);
    }
    expect_open(5000);
    EXPECT("SELECT ID FROM information_schema.PROCESSLIST…", .fail = ERR_DB);
    role(false, NULL, OP_FAILED, ERR_DB);
    expect_open(5000);
    expect_waiting(NULL);
    expect_open(1000);
    EXPECT(d->read_only_on);
    expect_look_broken(open, 0, ERR_LOST);
    role(false, NULL, OP_FAILED, ERR_LOST);
}
BOTH(semi_sync_stays_on_what_is_open)

static void opened_and_closed(void)
{
    View primary = {.primary = true, .applied = 5};
    expect_open(5000);
    EXPECT(d->semi_sync_on); /* first: no commit without it */
    EXPECT(d->read_only_off);
    expect_look(primary);
    role(true, NULL, OP_DONE, ERR_NONE);
    View closed = {.primary = true, .applied = 5};
    expect_open(5000);
    expect_closed(closed, ERR_NONE);
    expect_waiting(NULL);
    EXPECT(d->semi_sync_off); /* last: a commit that waits would be told to be safe */
    EXPECT(d->read_only_on);
    expect_look(closed);
    role(false, NULL, OP_DONE, ERR_NONE);
    /* A server without the plugin is opened all the same. */
    expect_open(5000);
    EXPECT(d->semi_sync_on, .fail = ERR_DB);
    EXPECT(d->read_only_off);
    expect_look(primary);
    role(true, NULL, OP_DONE, ERR_NONE);
}
BOTH(opened_and_closed)

static void role_breaks(void)
{
    View primary = {.primary = true, .applied = 5};
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        expect_open(5000);
        EXPECT(d->semi_sync_on);
        EXPECT(d->read_only_off, .fail = kinds[i]);
        role(true, NULL, OP_FAILED, kinds[i]);
        expect_open(5000);
        EXPECT(d->semi_sync_on);
        EXPECT(d->read_only_off);
        expect_look_broken(primary, (int)i, kinds[i]);
        role(true, NULL, OP_FAILED, kinds[i]);
    }
    /* The connection breaks at the first: nothing more is sent by it. */
    expect_open(5000);
    EXPECT(d->semi_sync_on, .fail = ERR_LOST);
    role(true, NULL, OP_FAILED, ERR_LOST);
    Cancel cancel = {true};
    role(true, &cancel, OP_FAILED, ERR_CANCELLED);
}
BOTH(role_breaks)

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
        TESTS_OF(verified),
        TESTS_OF(over_tcp_the_connection_is_the_proof),
        TESTS_OF(verify_breaks),
        TESTS_OF(nobody_waits_when_semi_sync_goes_off),
        TESTS_OF(semi_sync_stays_on_what_is_open),
        TESTS_OF(opened_and_closed),
        TESTS_OF(role_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
