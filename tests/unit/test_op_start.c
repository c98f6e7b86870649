/* SPDX-License-Identifier: Apache-2.0
 * Starting replication: every way and break on both flavours, and what a cancel leaves.
 */
#include "startscript.h"

static void it_runs_already(void)
{
    StartIn in = a_start(NULL);
    expect_begun(view_at(5));
    start(&in, OP_DONE, ERR_NONE, START_NOT_NEEDED);
    View v = view_at(5);
    v.io = REPL_IO_NO; /* somebody stopped the receiver, and it is not ours to start */
    expect_begun(v);
    start(&in, OP_DONE, ERR_NONE, START_NOT_NEEDED);
    expect_no_start();
}
BOTH(it_runs_already)

static void a_fresh_server_gets_its_receiver_too(void)
{
    StartIn in = a_start(NULL);
    in.fresh_server = true;
    View v = view_at(5);
    v.io = REPL_IO_NO;
    expect_begun(v);
    EXPECT(d->start_both);
    expect_look(view_at(5));
    start(&in, OP_DONE, ERR_NONE, START_BOTH);
}
BOTH(a_fresh_server_gets_its_receiver_too)

/* Whatever the option file says, it acknowledges nothing before it is armed; a server that has no semi-sync
 * cannot. */
static void a_receiver_is_started_silently(void)
{
    const char *off = is_mariadb() ? "SET GLOBAL rpl_semi_sync_slave_enabled=0"
                                   : "SET GLOBAL rpl_semi_sync_replica_enabled=0";
    static const int codes[] = {0, 1193, 1227};
    for (size_t i = 0; i < COUNT(codes); i++) {
        int code = codes[i];
        StartIn in = a_start(NULL);
        in.fresh_server = in.silent = true;
        View v = view_at(5);
        v.io = REPL_IO_NO;
        expect_begun(v);
        EXPECT(off, .fail = code ? ERR_DB : ERR_NONE, .code = code);
        if (code != 1227) {
            EXPECT(d->start_both);
            expect_look(view_at(5));
        }
        start(&in, code == 1227 ? OP_FAILED : OP_DONE, code == 1227 ? ERR_DB : ERR_NONE, START_BOTH);
    }
}
BOTH(a_receiver_is_started_silently)

static void the_applier_alone(void)
{
    static const ReplIo receiving[] = {REPL_IO_YES, REPL_IO_CONNECTING};
    for (size_t i = 0; i < COUNT(receiving); i++) {
        View v = stopped_at(5);
        v.io = receiving[i];
        v.received = 9;
        StartIn in = a_start(NULL);
        expect_begun(v);
        expect_sql_start(v);
        expect_look(view_at(6));
        start(&in, OP_DONE, ERR_NONE, START_SQL);
    }
}
BOTH(the_applier_alone)

/* sync_relay_log goes back before it, and the boost is set while the applier stands. */
static void with_a_boost(void)
{
    LeaseSettings boosted = boosted_settings();
    StartIn in = a_start(NULL);
    in.original = own_settings();
    in.boost = true;
    in.boosted = boosted;
    expect_begun(stopped_at(5));
    expect_settings(paused_settings());
    EXPECT("SET GLOBAL sync_relay_log=10000");
    expect_settings(own_settings());
    EXPECT("SET GLOBAL sync_binlog=0");
    EXPECT("SET GLOBAL innodb_flush_log_at_trx_commit=2");
    EXPECT(set_global(d->workers, "8"));
    EXPECT(set_global(d->queue_bytes, "16777216"));
    if (is_mariadb())
        EXPECT("SET GLOBAL slave_parallel_mode='aggressive'");
    expect_sql_start(stopped_at(5));
    expect_look(view_at(6));
    start(&in, OP_DONE, ERR_NONE, START_SQL);
}
BOTH(with_a_boost)

/* A boost is worth a warning, a replica that stands is not worth a boost. */
static void settings_refused_do_not_hold_it_up(void)
{
    StartIn in = a_start(NULL);
    in.original = own_settings();
    in.boost = true;
    in.boosted = boosted_settings();
    expect_begun(stopped_at(5));
    expect_settings(paused_settings());
    EXPECT("SET GLOBAL sync_relay_log=10000", .fail = ERR_AUTH);
    expect_settings(paused_settings());
    EXPECT("SET GLOBAL sync_binlog=0");
    EXPECT("SET GLOBAL innodb_flush_log_at_trx_commit=2", .fail = ERR_AUTH);
    expect_sql_start(stopped_at(5));
    expect_look(view_at(6));
    start(&in, OP_DONE, ERR_NONE, START_SQL);
}
BOTH(settings_refused_do_not_hold_it_up)

/* With several domains a MariaDB applier that had no workers gets none: they could be taken away only with
 * both threads stopped. */
static void no_workers_for_several_domains(void)
{
    View v = stopped_at(5);
    LeaseSettings own = own_settings();
    own.workers = (char *)"0";
    StartIn in = a_start(NULL);
    in.original = own;
    in.original.sync_relay = NULL;
    in.boost = true;
    in.boosted = boosted_settings();
    if (is_mariadb())
        v.applied_text = v.received_text = "0-1-5,7-1-9";
    expect_begun(v);
    expect_settings(own);
    EXPECT("SET GLOBAL sync_binlog=0");
    EXPECT("SET GLOBAL innodb_flush_log_at_trx_commit=2");
    if (!is_mariadb()) {
        EXPECT(set_global(d->workers, "8"));
        EXPECT(set_global(d->queue_bytes, "16777216"));
    }
    expect_sql_start(v);
    expect_look(view_at(6));
    start(&in, OP_DONE, ERR_NONE, START_SQL);
}
BOTH(no_workers_for_several_domains)

static void both_where_all_is_applied(void)
{
    Relay r;
    relay_begin(&r, 5);
    StartIn in = a_start(&r);
    expect_begun(both_stopped_at(5));
    expect_paths(&r);
    EXPECT(d->start_both);
    expect_look(view_at(5));
    start(&in, OP_DONE, ERR_NONE, START_BOTH);
    assert_int_equal(relay_links(&r), is_mariadb() ? 1 : 0); /* kept before they are read */
    relay_end(&r);
}
BOTH(both_where_all_is_applied)

/* Its relay files are not those that are looked at here. */
static void a_named_connection_is_not_started(void)
{
    Relay r;
    View v = both_stopped_at(5);
    StartOut out = {0};
    if (!is_mariadb())
        return; /* START applies to every channel, and throws nothing away */
    relay_begin(&r, 5);
    StartIn in = a_start(&r);
    v.channel = "east";
    expect_open(START_MS);
    expect_look(v);
    assert_false(op_start(&in, NULL, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_REFUSED);
    assert_non_null(strstr(out.err.text, "START SLAVE 'east'"));
    expect_no_start();
    script_end(0);
    start_out_done(&out);
    relay_end(&r);
}
BOTH(a_named_connection_is_not_started)

/* After an error of a parallel applier MariaDB's place in the relay files is not to be trusted; a position
 * behind the binary log would apply again; a lease whose transactions were missing needs its files. */
static void stopped_first_where_only_the_files_help(void)
{
    Relay r;
    relay_begin(&r, 7);
    for (int why = 0; why < 3; why++) {
        View v = stopped_at(5), after;
        StartIn in = a_start(&r);
        if (why == 0) {
            v.sql_errno = 1032;
        } else if (why == 1) {
            v.binlog_text = is_mariadb() ? "0-1-6" : NULL;
        } else {
            v.io = REPL_IO_CONNECTING;
            in.stalled = true;
        }
        after = v;
        after.io = REPL_IO_NO;
        after.received = 7;
        expect_begun(v);
        if (is_mariadb() || why == 2) {
            EXPECT(d->stop_both);
            expect_look(after);
            expect_paths(&r);
            start(&in, OP_WAITING, ERR_REFUSED, START_RESCUE);
            expect_no_start();
        } else {
            expect_sql_start(v);
            expect_look(view_at(7));
            start(&in, OP_DONE, ERR_NONE, START_SQL);
        }
    }
    relay_end(&r);
}
BOTH(stopped_first_where_only_the_files_help)

static void that_stop_may_break(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        View v = stopped_at(5);
        v.io = REPL_IO_CONNECTING;
        v.io_errno = 1595;
        StartIn in = a_start(NULL);
        in.stalled = true;
        expect_begun(v);
        EXPECT(d->stop_both, .fail = kinds[i]);
        StartOut out = {0};
        assert_false(op_start(&in, NULL, &out));
        EXPECT_RESULT(out, i == 0 ? OP_FAILED : OP_UNKNOWN, kinds[i]);
        /* Known of MariaDB: a receiver whose disk was full cannot be stopped. It says what to do. */
        assert_int_equal(strstr(out.err.text, "1595") != NULL, i > 0);
        expect_no_start();
        script_end(0);
        start_out_done(&out);
        expect_begun(v);
        EXPECT(d->stop_both);
        expect_look_broken(v, (int)i, kinds[i]);
        start(&in, i == 0 ? OP_FAILED : OP_UNKNOWN, kinds[i], START_NOT_NEEDED);
    }
}
BOTH(that_stop_may_break)

static void starts_that_break(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        OpResult want = i == 0 ? OP_FAILED : OP_UNKNOWN;
        StartIn in = a_start(NULL);
        expect_begun(stopped_at(5));
        expect_look(stopped_at(5));
        EXPECT(d->start_sql, .fail = kinds[i]);
        start(&in, want, kinds[i], START_SQL);
        expect_begun(stopped_at(5));
        expect_look_broken(stopped_at(5), (int)i, kinds[i]); /* the look before the START */
        start(&in, want, kinds[i], START_SQL);
        expect_begun(stopped_at(5));
        expect_sql_start(stopped_at(5));
        expect_look_broken(view_at(5), (int)i, kinds[i]);
        start(&in, want, kinds[i], START_SQL);
        expect_open(START_MS);
        expect_look_broken(stopped_at(5), (int)i, kinds[i]);
        start(&in, OP_FAILED, kinds[i], START_NOT_NEEDED);
    }
    StartIn in = a_start(NULL);
    EXPECT("CONNECT agent", .fail = ERR_UNREACHABLE);
    start(&in, OP_FAILED, ERR_UNREACHABLE, START_NOT_NEEDED);
}
BOTH(starts_that_break)

/* Between the reading and the START somebody stops the receiver: a START of the applier alone would purge. */
static void a_receiver_that_stops_in_between(void)
{
    StartIn in = a_start(NULL);
    expect_begun(stopped_at(5));
    expect_look(both_stopped_at(5));
    start(&in, OP_FAILED, ERR_REFUSED, START_SQL);
    expect_no_start();
}
BOTH(a_receiver_that_stops_in_between)

static void it_stops_again_at_once(void)
{
    StartIn in = a_start(NULL);
    StartOut out = {0};
    View v = stopped_at(5);
    expect_begun(v);
    expect_sql_start(v);
    v.sql_errno = 1062;
    v.sql_error = "Duplicate entry";
    expect_look(v);
    assert_false(op_start(&in, NULL, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_DB);
    assert_int_equal(out.err.code, 1062);
    assert_non_null(strstr(out.err.text, "Duplicate entry"));
    script_end(0);
    start_out_done(&out);
}
BOTH(it_stops_again_at_once)

/* The option file has semi-sync as a source on at each start of the server: what a replica's applier, or a
 * rescue, commits would wait for ever. Who waits there as a client is never told that it is safe. */
static void the_applier_waits_for_no_acknowledgement(void)
{
    Relay r;
    relay_begin(&r, 7);
    for (int i = 0; i < 3; i++) {
        View v = both_stopped_at(5);
        StartIn in = a_start(&r);
        in.leaves_semi_sync = i == 2;
        v.received = 7;
        expect_open(START_MS);
        expect_look(v);
        if (is_mariadb())
            EXPECT(RESCUE_SESSION_SQL, "l", "0");
        expect_no_private(v);
        if (i < 2) {
            expect_semi_sync(true, false);
            EXPECT(WAITING, "ID|ours", "16|0");
            if (is_mariadb())
                EXPECT(BUSY, "n", "2");
            else
                EXPECT("KILL 16", .fail = i ? ERR_DB : ERR_NONE, .code = 1095);
        }
        if (i == 0 || (i == 1 && is_mariadb()))
            EXPECT(d->semi_sync_off);
        expect_paths(&r);
        start(&in, OP_WAITING, ERR_REFUSED, START_RESCUE);
        expect_no_start();
    }
    relay_end(&r);
}
BOTH(the_applier_waits_for_no_acknowledgement)

/* Until the first change a cancel counts; from there on the start goes through. */
static void a_cancel_never_leaves_it_half_started(void)
{
    Cancel cancel = {false};
    StartIn in = a_start(NULL);
    StartOut out = {0};
    expect_open(START_MS);
    EXPECT(d->status, status_columns(), status_row(stopped_at(5)), .cancel = &cancel.asked);
    assert_false(op_start(&in, &cancel, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_CANCELLED);
    expect_no_start();
    script_end(0);
    start_out_done(&out);
    cancel = (Cancel){false};
    expect_open(START_MS);
    expect_look(stopped_at(5));
    if (is_mariadb())
        EXPECT(RESCUE_SESSION_SQL, "l", "0", .cancel = &cancel.asked);
    expect_no_private(stopped_at(5));
    expect_semi_sync(false, false);
    expect_sql_start(stopped_at(5));
    expect_look(view_at(5));
    assert_true(op_start(&in, &cancel, &out));
    script_end(0);
    start_out_done(&out);
}
BOTH(a_cancel_never_leaves_it_half_started)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(it_runs_already),
        TESTS_OF(a_fresh_server_gets_its_receiver_too),
        TESTS_OF(a_receiver_is_started_silently),
        TESTS_OF(the_applier_alone),
        TESTS_OF(with_a_boost),
        TESTS_OF(settings_refused_do_not_hold_it_up),
        TESTS_OF(no_workers_for_several_domains),
        TESTS_OF(both_where_all_is_applied),
        TESTS_OF(a_named_connection_is_not_started),
        TESTS_OF(stopped_first_where_only_the_files_help),
        TESTS_OF(that_stop_may_break),
        TESTS_OF(starts_that_break),
        TESTS_OF(a_receiver_that_stops_in_between),
        TESTS_OF(it_stops_again_at_once),
        TESTS_OF(the_applier_waits_for_no_acknowledgement),
        TESTS_OF(a_cancel_never_leaves_it_half_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
