/* SPDX-License-Identifier: Apache-2.0
 * Settings put back at the end of a pause, another way of applying, and durability in between: every
 * statement in order on both flavours, what is refused, and what breaks. Whatever was stopped is started
 * again, unless that could throw relay files away.
 */
#include "opscript.h"

#include <unistd.h>

#include "replica-agent/server/op_durable.h"
#include "replica-agent/server/op_restore.h"
#include "replica-agent/server/op_retune.h"

enum { STEP_MS = 30000 };

static OpServer patient_server(void)
{
    OpServer s = agent_server();
    s.statement_ms = STEP_MS;
    return s;
}

/* ---- restore --------------------------------------------------------------------------------------- */

static RestoreIn a_restore(const Relay *r)
{
    return (RestoreIn){.at = patient_server(),
                       .vault_folder = r ? (char *)r->dir : NULL,
                       .original = own_settings(),
                       .ours = boosted_settings(),
                       .boosted = true};
}

static void restore(const RestoreIn *in, OpResult want, ErrKind kind)
{
    RestoreOut out = {0};
    assert_int_equal(op_restore(in, NULL, &out), want == OP_DONE);
    if (want == OP_DONE)
        out.err.kind = kind; /* counts for nothing */
    EXPECT_RESULT(out, want, kind);
    script_end(0);
    restore_out_done(&out);
}

static void expect_durability_set(void)
{
    expect_settings(boosted_settings());
    EXPECT("SET GLOBAL sync_binlog=1");
    EXPECT("SET GLOBAL innodb_flush_log_at_trx_commit=1");
}

/* With durability put back, and the workers still raised. */
static LeaseSettings half_restored(void)
{
    LeaseSettings s = boosted_settings();
    s.sync_binlog = s.flush_log = (char *)"1";
    return s;
}

static void expect_workers_set(void)
{
    expect_settings(half_restored());
    EXPECT(set_global(d->workers, "2"));
    EXPECT(set_global(d->queue_bytes, "131072"));
    if (is_mariadb())
        EXPECT("SET GLOBAL slave_parallel_mode='optimistic'");
}

static void expect_sql_start(View v)
{
    expect_look(v);
    EXPECT(d->start_sql);
}

/* Up to the moment at which the applier stands. */
static void expect_until_stop(View v)
{
    expect_open(STEP_MS);
    expect_look(v);
    expect_durability_set();
    expect_settings(half_restored());
}

static void expect_settled(const Relay *r, const char *answer)
{
    expect_paths(r);
    EXPECT(d->wait, "w", answer);
}

static void settings_go_back_around_a_short_stop(void)
{
    Relay r;
    relay_begin(&r, 5);
    RestoreIn in = a_restore(&r);
    expect_until_stop(view_at(5));
    EXPECT(d->stop_sql);
    expect_workers_set();
    expect_sql_start(stopped_at(5));
    expect_settings(own_settings());
    expect_look(view_at(5));
    expect_settled(&r, "0");
    restore(&in, OP_DONE, ERR_NONE);
    relay_end(&r);
}
BOTH(settings_go_back_around_a_short_stop)

/* An earlier try got so far, or nothing was boosted: the applier is not stopped. */
static void equal_settings_stop_nothing(void)
{
    Relay r;
    relay_begin(&r, 5);
    RestoreIn in = a_restore(&r);
    in.boosted = false;
    expect_open(STEP_MS);
    expect_look(view_at(5));
    expect_settings(own_settings());
    expect_settings(own_settings());
    expect_look(view_at(5));
    expect_settled(&r, "0");
    restore(&in, OP_DONE, ERR_NONE);
    /* A rescue at boot changed nothing and knows nothing. */
    in.original = (LeaseSettings){0};
    expect_open(STEP_MS);
    expect_look(view_at(5));
    expect_settings(own_settings());
    expect_look(view_at(5));
    expect_settled(&r, "0");
    restore(&in, OP_DONE, ERR_NONE);
    /* An earlier try was cut off between STOP and START. */
    in.original = own_settings();
    expect_open(STEP_MS);
    expect_look(stopped_at(5));
    expect_settings(own_settings());
    expect_settings(own_settings());
    expect_look(stopped_at(5));
    expect_sql_start(stopped_at(5));
    expect_settled(&r, "0");
    restore(&in, OP_DONE, ERR_NONE);
    relay_end(&r);
}
BOTH(equal_settings_stop_nothing)

/* Somebody else stopped it: all settings go back at once, nothing is started. */
static void aside_where_it_was_taken_over(void)
{
    RestoreIn in = a_restore(NULL);
    in.taken_over = true;
    expect_open(STEP_MS);
    expect_look(stopped_at(5));
    expect_durability_set();
    EXPECT(set_global(d->workers, "2"));
    EXPECT(set_global(d->queue_bytes, "131072"));
    if (is_mariadb())
        EXPECT("SET GLOBAL slave_parallel_mode='optimistic'");
    expect_settings(own_settings());
    restore(&in, OP_DONE, ERR_NONE);
    /* Refused, or not taken: asked again. */
    expect_open(STEP_MS);
    expect_look(both_stopped_at(5));
    expect_settings(boosted_settings());
    EXPECT("SET GLOBAL sync_binlog=1", .fail = ERR_AUTH);
    restore(&in, OP_FAILED, ERR_AUTH);
    expect_open(STEP_MS);
    expect_look(both_stopped_at(5));
    expect_settings(own_settings());
    expect_settings(half_restored());
    restore(&in, OP_FAILED, ERR_DB);
}
BOTH(aside_where_it_was_taken_over)

/* What somebody has set during the pause is theirs, and told; but of an older agent's pause nothing is known.
 */
static void what_somebody_else_has_set_stays(void)
{
    LeaseSettings now = boosted_settings(), then = own_settings();
    now.sync_binlog = then.sync_binlog = (char *)"100";
    RestoreIn in = a_restore(NULL);
    RestoreOut out = {0};
    in.taken_over = true;
    expect_open(STEP_MS);
    expect_look(stopped_at(5));
    expect_settings(now);
    EXPECT("SET GLOBAL innodb_flush_log_at_trx_commit=1");
    EXPECT(set_global(d->workers, "2"));
    EXPECT(set_global(d->queue_bytes, "131072"));
    if (is_mariadb())
        EXPECT("SET GLOBAL slave_parallel_mode='optimistic'");
    expect_settings(then);
    assert_true(op_restore(&in, NULL, &out));
    assert_string_equal(out.left, "sync_binlog is 100, not 1");
    script_end(0);
    restore_out_done(&out);
    in.all_ours = true;
    expect_open(STEP_MS);
    expect_look(stopped_at(5));
    expect_settings(then);
    EXPECT("SET GLOBAL sync_binlog=1");
    expect_settings(own_settings());
    restore(&in, OP_DONE, ERR_NONE);
    /* A value that an earlier way of applying had is ours too. */
    in.all_ours = false;
    in.ours.workers = (char *)"8|4";
    now = own_settings();
    now.workers = (char *)"8";
    expect_open(STEP_MS);
    expect_look(stopped_at(5));
    expect_settings(now);
    EXPECT(set_global(d->workers, "2"));
    expect_settings(own_settings());
    restore(&in, OP_DONE, ERR_NONE);
}
BOTH(what_somebody_else_has_set_stays)

/* Only a start, which reads the relay files first, helps. */
static void stalled_where_both_threads_stand(void)
{
    RestoreIn in = a_restore(NULL);
    expect_open(STEP_MS);
    expect_look(both_stopped_at(5));
    restore(&in, OP_STALLED, ERR_NONE);
    View failed = stopped_at(5);
    failed.sql_errno = 1032;
    if (!is_mariadb())
        return;
    expect_open(STEP_MS);
    expect_look(failed);
    restore(&in, OP_STALLED, ERR_NONE);
}
BOTH(stalled_where_both_threads_stand)

/* The receiver was stopped by somebody while it caught up. On MariaDB a START with both threads stopped
 * throws the relay files away: the applier is stopped only when they hold nothing more, and the start is left
 * to the operation that reads them again. */
static void without_a_receiver(void)
{
    Relay r;
    relay_begin(&r, 7);
    View v = view_at(7);
    v.io = REPL_IO_NO;
    RestoreIn in = a_restore(&r);
    expect_until_stop(v);
    if (is_mariadb()) {
        expect_settled(&r, "0");
        EXPECT(d->stop_both);
        expect_workers_set();
        restore(&in, OP_STALLED, ERR_DB);
    } else {
        EXPECT(d->stop_sql);
        expect_workers_set();
        View stopped = both_stopped_at(7);
        expect_look(stopped);
        restore(&in, OP_FAILED, ERR_REFUSED);
    }
    if (strstr(script_log(), ": START "))
        fail_msg("a START was sent:\n%s", script_log());
    relay_end(&r);
}
BOTH(without_a_receiver)

static void without_a_receiver_and_with_files_that_hold_more(void)
{
    if (!is_mariadb())
        return;
    Relay r;
    relay_begin(&r, 7);
    View v = view_at(5);
    v.io = REPL_IO_NO;
    RestoreIn in = a_restore(&r);
    RestoreOut out = {0};
    expect_until_stop(v);
    expect_paths(&r);
    EXPECT("SELECT MASTER_GTID_WAIT('0-1-7', 1.000)", "w", "-1");
    expect_look(v);
    assert_false(op_restore(&in, NULL, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_TIMEOUT);
    assert_non_null(strstr(out.err.text, "the receiver is stopped, so the applier is not stopped now"));
    assert_non_null(strstr(out.err.text, "0-1-7"));
    script_end(0);
    restore_out_done(&out);
    /* Nor when they cannot be read. */
    AUTOFREE char *index = xasprintf("%s/relay.index", r.dir);
    assert_int_equal(unlink(index), 0);
    expect_until_stop(v);
    expect_paths(&r);
    restore(&in, OP_FAILED, ERR_NOT_FOUND);
    relay_end(&r);
}
BOTH(without_a_receiver_and_with_files_that_hold_more)

/* A MariaDB applier with workers and several domains goes back to the begin of its files when it is stopped:
 * where it had no workers before, both threads are stopped and started anew. */
static void no_workers_and_several_domains(void)
{
    Relay r;
    relay_begin(&r, 5);
    relay_add(&r, 7, 1, 1, 9);
    View v = view_at(5);
    LeaseSettings half = half_restored();
    RestoreIn in = a_restore(&r);
    in.original.workers = (char *)"0";
    if (is_mariadb())
        v.applied_text = v.received_text = "0-1-5,7-1-9";
    expect_until_stop(v);
    EXPECT(is_mariadb() ? d->stop_both : d->stop_sql);
    expect_settings(half);
    EXPECT(set_global(d->workers, "0"));
    EXPECT(set_global(d->queue_bytes, "131072"));
    if (is_mariadb()) {
        EXPECT("SET GLOBAL slave_parallel_mode='optimistic'");
        restore(&in, OP_STALLED, ERR_DB);
    } else {
        expect_sql_start(stopped_at(5));
        expect_settings(in.original);
        expect_look(view_at(5));
        expect_settled(&r, "0");
        restore(&in, OP_DONE, ERR_NONE);
    }
    relay_end(&r);
}
BOTH(no_workers_and_several_domains)

/* Of what the files hold, not all is applied yet: nothing is given up. */
static void not_all_is_applied(void)
{
    Relay r;
    relay_begin(&r, 7);
    static const ReplIo receivers[] = {REPL_IO_YES, REPL_IO_CONNECTING, REPL_IO_NO};
    for (size_t i = 0; i < COUNT(receivers); i++) {
        View v = view_at(5), then = view_at(6);
        v.received = then.received = 7;
        then.io = receivers[i];
        RestoreIn in = a_restore(&r);
        expect_open(STEP_MS);
        expect_look(v);
        expect_settings(own_settings());
        expect_settings(own_settings());
        expect_look(v);
        expect_settled(&r, "-1");
        expect_look(then);
        restore(&in, receivers[i] == REPL_IO_YES ? OP_FAILED : OP_STALLED, ERR_TIMEOUT);
    }
    relay_end(&r);
}
BOTH(not_all_is_applied)

/* Only what is known to be applied is given up, and only when it is on the disk where durability was relaxed.
 * A receiver that is not connected does not make a failure a stall. */
static void the_end_that_breaks(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    Relay r;
    relay_begin(&r, 5);
    View v = view_at(5);
    v.io = REPL_IO_CONNECTING;
    for (size_t i = 0; i < COUNT(kinds); i++)
        for (int asked = 0; asked < 2; asked++) {
            RestoreIn in = a_restore(&r);
            expect_open(STEP_MS);
            expect_look(v);
            expect_settings(own_settings());
            expect_settings(own_settings());
            expect_look(v);
            EXPECT(PATHS, PATHS_COLUMNS, paths_row(&r), asked ? ERR_NONE : kinds[i]);
            if (asked)
                EXPECT(d->wait, .fail = kinds[i]);
            restore(&in, OP_FAILED, kinds[i]);
        }
    for (int boosted = 0; boosted < 2; boosted++) {
        RestoreIn in = a_restore(&r);
        in.boosted = boosted;
        expect_open(STEP_MS);
        expect_look(v);
        expect_settings(own_settings());
        expect_settings(own_settings());
        expect_look(v);
        EXPECT(PATHS, PATHS_COLUMNS,
               script_keep(xasprintf("%s|relay.index|relay|/proc/nowhere/binlog|binlog.index", r.dir)));
        EXPECT(d->wait, "w", "0");
        restore(&in, boosted ? OP_FAILED : OP_DONE, boosted ? ERR_IO : ERR_NONE);
    }
    relay_end(&r);
}
BOTH(the_end_that_breaks)

static void settings_refused(void)
{
    RestoreIn in = a_restore(NULL);
    expect_open(STEP_MS);
    expect_look(view_at(5));
    expect_settings(boosted_settings());
    EXPECT("SET GLOBAL sync_binlog=1");
    EXPECT("SET GLOBAL innodb_flush_log_at_trx_commit=1", .fail = ERR_AUTH);
    restore(&in, OP_FAILED, ERR_AUTH);
    /* Those of the workers: the applier is started again all the same. */
    expect_until_stop(view_at(5));
    EXPECT(d->stop_sql);
    expect_settings(half_restored());
    EXPECT(set_global(d->workers, "2"), .fail = ERR_AUTH);
    expect_sql_start(stopped_at(5));
    restore(&in, OP_FAILED, ERR_AUTH);
    /* Said to be set, and not so. */
    expect_until_stop(view_at(5));
    EXPECT(d->stop_sql);
    expect_workers_set();
    expect_sql_start(stopped_at(5));
    expect_settings(half_restored());
    restore(&in, OP_FAILED, ERR_DB);
}
BOTH(settings_refused)

static void stops_and_starts_that_break(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        RestoreIn in = a_restore(NULL);
        expect_until_stop(view_at(5));
        EXPECT(d->stop_sql, .fail = kinds[i]);
        restore(&in, OP_FAILED, kinds[i]);
        expect_until_stop(view_at(5));
        EXPECT(d->stop_sql);
        expect_workers_set();
        expect_look_broken(stopped_at(5), (int)i, kinds[i]);
        restore(&in, OP_FAILED, kinds[i]);
        expect_until_stop(view_at(5));
        EXPECT(d->stop_sql);
        expect_workers_set();
        expect_look(stopped_at(5));
        EXPECT(d->start_sql, .fail = kinds[i]);
        restore(&in, OP_FAILED, kinds[i]);
        /* It stands now: the next try starts it. */
        expect_open(STEP_MS);
        expect_look_broken(view_at(5), (int)i, kinds[i]);
        restore(&in, OP_FAILED, kinds[i]);
        expect_open(STEP_MS);
        expect_look(view_at(5));
        EXPECT(d->settings, .fail = kinds[i]);
        restore(&in, OP_FAILED, kinds[i]);
    }
    RestoreIn in = a_restore(NULL);
    EXPECT("CONNECT agent", .fail = ERR_UNREACHABLE);
    restore(&in, OP_FAILED, ERR_UNREACHABLE);
}
BOTH(stops_and_starts_that_break)

/* A full disk stops MariaDB's receiver in a way that no STOP ends: the message says what to do. */
static void a_stop_behind_a_full_disk(void)
{
    RestoreIn in = a_restore(NULL);
    RestoreOut out = {0};
    View v = view_at(5);
    v.io_errno = 1595;
    expect_until_stop(v);
    EXPECT(d->stop_sql, .fail = ERR_TIMEOUT);
    assert_false(op_restore(&in, NULL, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_TIMEOUT);
    assert_non_null(strstr(out.err.text, "1595"));
    script_end(0);
    restore_out_done(&out);
}
BOTH(a_stop_behind_a_full_disk)

static void a_cancel_never_leaves_it_half_restored(void)
{
    Relay r;
    relay_begin(&r, 5);
    Cancel cancel = {false};
    RestoreIn in = a_restore(&r);
    RestoreOut out = {0};
    expect_open(STEP_MS);
    EXPECT(d->status, status_columns(), status_row(view_at(5)), .cancel = &cancel.asked);
    assert_false(op_restore(&in, &cancel, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_CANCELLED);
    script_end(0);
    restore_out_done(&out);
    cancel = (Cancel){false};
    expect_until_stop(view_at(5));
    EXPECT(d->stop_sql, .cancel = &cancel.asked);
    expect_workers_set();
    expect_sql_start(stopped_at(5));
    expect_settings(own_settings());
    expect_look(view_at(5));
    expect_settled(&r, "0");
    assert_true(op_restore(&in, &cancel, &out));
    script_end(0);
    restore_out_done(&out);
    relay_end(&r);
}
BOTH(a_cancel_never_leaves_it_half_restored)

/* ---- retune ---------------------------------------------------------------------------------------- */

static void retune(const Cancel *cancel, OpResult want, ErrKind kind)
{
    RetuneOut out = {0};
    RetuneIn in = {.at = patient_server(), .boosted = boosted_settings()};
    assert_int_equal(op_retune(&in, cancel, &out), want == OP_DONE);
    EXPECT_RESULT(out, want, kind);
    script_end(0);
    retune_out_done(&out);
}

static void expect_boosted(void)
{
    expect_settings(own_settings());
    EXPECT("SET GLOBAL sync_binlog=0");
    EXPECT("SET GLOBAL innodb_flush_log_at_trx_commit=2");
    EXPECT(set_global(d->workers, "8"));
    EXPECT(set_global(d->queue_bytes, "16777216"));
    if (is_mariadb())
        EXPECT("SET GLOBAL slave_parallel_mode='aggressive'");
}

static void retuned(void)
{
    expect_open(STEP_MS);
    expect_look(view_at(5));
    EXPECT(d->stop_sql);
    expect_boosted();
    expect_sql_start(stopped_at(6));
    expect_look(view_at(6));
    retune(NULL, OP_DONE, ERR_NONE);
    /* Refused settings: it applies on as it did. */
    expect_open(STEP_MS);
    expect_look(view_at(5));
    EXPECT(d->stop_sql);
    expect_settings(own_settings());
    EXPECT("SET GLOBAL sync_binlog=0", .fail = ERR_AUTH);
    expect_sql_start(stopped_at(6));
    expect_look(view_at(6));
    retune(NULL, OP_DONE, ERR_NONE);
}
BOTH(retuned)

static void not_without_a_receiver_that_is_connected(void)
{
    static const ReplIo io[] = {REPL_IO_NO, REPL_IO_CONNECTING};
    for (size_t i = 0; i < COUNT(io); i++) {
        View v = view_at(5);
        v.io = io[i];
        expect_open(STEP_MS);
        expect_look(v);
        retune(NULL, OP_WAITING, ERR_REFUSED);
    }
    View many = view_at(5);
    if (!is_mariadb())
        return;
    many.applied_text = many.received_text = "0-1-5,7-1-9";
    expect_open(STEP_MS);
    expect_look(many);
    retune(NULL, OP_WAITING, ERR_REFUSED);
}
BOTH(not_without_a_receiver_that_is_connected)

static void retune_breaks(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        expect_open(STEP_MS);
        expect_look_broken(view_at(5), (int)i, kinds[i]);
        retune(NULL, OP_WAITING, kinds[i]);
        script_begin(is_mariadb() ? DB_MARIADB : DB_MYSQL, 0);
        expect_open(STEP_MS);
        expect_look(view_at(5));
        EXPECT(d->stop_sql, .fail = kinds[i]);
        EXPECT("KILL 101", .fail = i == 2 ? ERR_UNREACHABLE : ERR_NONE);
        retune(NULL, OP_UNKNOWN, kinds[i]);
        expect_open(STEP_MS);
        expect_look(view_at(5));
        EXPECT(d->stop_sql);
        expect_boosted();
        expect_look(stopped_at(5));
        EXPECT(d->start_sql, .fail = kinds[i]);
        retune(NULL, OP_FAILED, kinds[i]);
        expect_open(STEP_MS);
        expect_look(view_at(5));
        EXPECT(d->stop_sql);
        expect_boosted();
        expect_sql_start(stopped_at(5));
        expect_look_broken(view_at(5), (int)i, kinds[i]);
        retune(NULL, OP_FAILED, kinds[i]);
    }
    EXPECT("CONNECT agent", .fail = ERR_UNREACHABLE);
    retune(NULL, OP_WAITING, ERR_UNREACHABLE);
    /* It fails in the new way at once. */
    View failed = stopped_at(5);
    failed.sql_errno = 1032;
    failed.sql_error = "Can't find record";
    expect_open(STEP_MS);
    expect_look(view_at(5));
    EXPECT(d->stop_sql);
    expect_boosted();
    expect_sql_start(stopped_at(5));
    expect_look(failed);
    retune(NULL, OP_FAILED, ERR_DB);
    /* The receiver stops in the moment between: the applier must not be started alone. */
    expect_open(STEP_MS);
    expect_look(view_at(5));
    EXPECT(d->stop_sql);
    expect_boosted();
    expect_look(both_stopped_at(5));
    retune(NULL, OP_FAILED, ERR_REFUSED);
}
BOTH(retune_breaks)

static void a_cancelled_retune_starts_again(void)
{
    Cancel cancel = {false};
    expect_open(STEP_MS);
    EXPECT(d->status, status_columns(), status_row(view_at(5)), .cancel = &cancel.asked);
    retune(&cancel, OP_WAITING, ERR_CANCELLED);
    cancel = (Cancel){false};
    expect_open(STEP_MS);
    expect_look(view_at(5));
    EXPECT(d->stop_sql, .cancel = &cancel.asked);
    expect_boosted();
    expect_sql_start(stopped_at(6));
    expect_look(view_at(6));
    retune(&cancel, OP_DONE, ERR_NONE);
}
BOTH(a_cancelled_retune_starts_again)

/* ---- durable --------------------------------------------------------------------------------------- */

static void durable(const Relay *r, const Cancel *cancel, OpResult want, ErrKind kind)
{
    DurableOut out = {0};
    DurableIn in = {.at = patient_server(),
                    .sync_binlog = (char *)"1",
                    .flush_log = (char *)"1",
                    .vault_folder = (char *)r->dir};
    assert_int_equal(op_durable(&in, cancel, &out), want == OP_DONE);
    EXPECT_RESULT(out, want, kind);
    script_end(0);
    durable_out_done(&out);
}

static void made_durable(void)
{
    Relay r;
    relay_begin(&r, 1);
    expect_open(STEP_MS);
    expect_durability_set();
    expect_paths(&r);
    durable(&r, NULL, OP_DONE, ERR_NONE);
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        expect_open(STEP_MS);
        EXPECT(d->settings, .fail = kinds[i]);
        durable(&r, NULL, OP_FAILED, kinds[i]);
        expect_open(STEP_MS);
        expect_settings(boosted_settings());
        EXPECT("SET GLOBAL sync_binlog=1");
        EXPECT("SET GLOBAL innodb_flush_log_at_trx_commit=1", .fail = kinds[i]);
        durable(&r, NULL, OP_FAILED, kinds[i]);
        expect_open(STEP_MS);
        expect_durability_set();
        EXPECT(PATHS, .fail = kinds[i]);
        durable(&r, NULL, OP_FAILED, kinds[i]);
    }
    EXPECT("CONNECT agent", .fail = ERR_UNREACHABLE);
    durable(&r, NULL, OP_FAILED, ERR_UNREACHABLE);
    Cancel cancel = {true};
    durable(&r, &cancel, OP_FAILED, ERR_CANCELLED);
    /* Set, but the disk cannot be told to keep what was written before: not durable. */
    expect_open(STEP_MS);
    expect_durability_set();
    EXPECT(PATHS, PATHS_COLUMNS, "/proc/nowhere|relay.index|relay|binlog|binlog.index");
    durable(&r, NULL, OP_FAILED, ERR_IO);
    relay_end(&r);
}
BOTH(made_durable)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(settings_go_back_around_a_short_stop),
        TESTS_OF(equal_settings_stop_nothing),
        TESTS_OF(aside_where_it_was_taken_over),
        TESTS_OF(what_somebody_else_has_set_stays),
        TESTS_OF(stalled_where_both_threads_stand),
        TESTS_OF(without_a_receiver),
        TESTS_OF(without_a_receiver_and_with_files_that_hold_more),
        TESTS_OF(no_workers_and_several_domains),
        TESTS_OF(not_all_is_applied),
        TESTS_OF(the_end_that_breaks),
        TESTS_OF(settings_refused),
        TESTS_OF(stops_and_starts_that_break),
        TESTS_OF(a_stop_behind_a_full_disk),
        TESTS_OF(a_cancel_never_leaves_it_half_restored),
        TESTS_OF(retuned),
        TESTS_OF(not_without_a_receiver_that_is_connected),
        TESTS_OF(retune_breaks),
        TESTS_OF(a_cancelled_retune_starts_again),
        TESTS_OF(made_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
