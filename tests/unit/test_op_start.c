/* SPDX-License-Identifier: Apache-2.0
 * Starting replication: every way, refusal and break on both flavours. The rule behind all: with both threads
 * stopped, no START is sent that could throw away what only the relay files hold.
 */
#include "opscript.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "replica-agent/server/op_start.h"
#include "replica-agent/server/rescue_channel.h"

enum { START_MS = 30000 };

static StartIn a_start(const Relay *r)
{
    return (StartIn){.at = agent_server(),
                     .rescuer = rescuer_target(),
                     .timeout_ms = START_MS,
                     .vault_folder = r ? (char *)r->dir : NULL};
}

/* Nor has one that was killed left its connection. */
static void expect_no_private(View v)
{
    if (is_mariadb())
        EXPECT(d->status, status_columns(), status_row(v));
}

static void expect_begun(View v)
{
    expect_open(START_MS);
    expect_look(v);
    if (is_mariadb())
        EXPECT(RESCUE_SESSION_SQL, "l", "0");
    expect_no_private(v);
}

static void start(const StartIn *in, OpResult want, ErrKind kind, StartWay way)
{
    StartOut out = {0};
    assert_int_equal(op_start(in, NULL, &out), want == OP_DONE);
    EXPECT_RESULT(out, want, kind);
    assert_int_equal(out.way, way);
    script_end(0);
    start_out_done(&out);
}

/* The log so far holds no START at all. */
static void expect_no_start(void)
{
    if (strstr(script_log(), ": START "))
        fail_msg("a START was sent:\n%s", script_log());
}

/* ---- ways ------------------------------------------------------------------------------------------ */

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

static void expect_sql_start(View v)
{
    expect_look(v); /* the receiver must not have stopped meanwhile */
    EXPECT(d->start_sql);
}

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

/* ---- both threads stand ---------------------------------------------------------------------------- */

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

/* The relay files hold two transactions more than is applied: on neither flavour is a START sent. */
static void never_while_the_files_hold_more(void)
{
    Relay r;
    relay_begin(&r, 7);
    StartIn in = a_start(&r);
    StartOut out = {0};
    View v = both_stopped_at(5);
    v.received = 7;
    expect_begun(v);
    expect_paths(&r);
    assert_false(op_start(&in, NULL, &out));
    EXPECT_RESULT(out, OP_WAITING, ERR_REFUSED);
    assert_int_equal(out.way, START_RESCUE);
    assert_string_equal(out.from, at_trx(5));
    assert_string_equal(out.held_gtid, at_trx(7));
    assert_int_equal(out.backlog, 2);
    assert_non_null(out.place.index);
    expect_no_start();
    script_end(0);
    start_out_done(&out);
    relay_end(&r);
}
BOTH(never_while_the_files_hold_more)

/* Files that cannot be read could hold anything. MySQL has scanned them itself. */
static void never_while_the_files_cannot_be_read(void)
{
    Relay r;
    relay_begin(&r, 7);
    AUTOFREE char *file = xasprintf("%s/relay.000001", r.dir), *index = xasprintf("%s/relay.index", r.dir);
    Err err;
    for (int how = 0; how < 4; how++) {
        StartIn in = a_start(&r);
        expect_begun(both_stopped_at(5));
        if (how == 0)
            EXPECT(PATHS, .fail = ERR_DB);
        else if (how == 1)
            EXPECT(PATHS, PATHS_COLUMNS, "|||\\N|\\N"); /* it does not say where they are */
        else
            expect_paths(&r);
        if (how == 2)
            assert_ok(fs_replace(file, "damaged, not one event of it", 28, 0600, &err), err);
        if (how == 3)
            assert_int_equal(unlink(index), 0);
        if (how > 1 && !is_mariadb()) {
            EXPECT(d->start_both);
            expect_look(view_at(5));
            start(&in, OP_DONE, ERR_NONE, START_BOTH);
            continue;
        }
        start(&in, OP_WAITING, ERR_REFUSED, START_UNREADABLE);
        if (is_mariadb())
            expect_no_start();
    }
    relay_end(&r);
}
BOTH(never_while_the_files_cannot_be_read)

/* What encrypted files hold the server says itself: it starts where all of it is applied, and only there. */
static void encrypted_files_are_asked_for(void)
{
    static const struct {
        const char *events; /* NULL: it does not say */
        bool purged;        /* a file that was kept is not the server's any more */
        StartWay way;
    } rows[] = {
        {"Format_desc|Server ver\nGtid|BEGIN GTID 0-1-4 cid=9\nGtid|GTID 0-1-5", false, START_BOTH},
        {"Format_desc|Server ver", false, START_BOTH},
        {"Gtid|BEGIN GTID 0-1-5\nGtid|BEGIN GTID 0-1-6", false, START_UNREADABLE},
        {"Gtid|BEGIN GTID 7-1-1", false, START_UNREADABLE},
        {"Gtid|odd", false, START_UNREADABLE},
        {NULL, false, START_UNREADABLE},
        {"", true, START_UNREADABLE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Relay r;
        Err err;
        relay_begin(&r, 0);
        AUTO(str_done) Str file = STR_INIT;
        AUTOFREE char *path = xasprintf("%s/relay.000001", r.dir),
                      *kept = xasprintf("%s/siding-relay-00000001-1-relay.000001", r.dir);
        bf_start(&file);
        bf_event(&file, 164, 2, "key", 3);
        assert_ok(fs_replace(path, file.p, file.len, 0600, &err), err);
        if (rows[i].purged)
            assert_ok(fs_replace(kept, file.p, file.len, 0600, &err), err);
        StartIn in = a_start(&r);
        expect_begun(both_stopped_at(5));
        expect_paths(&r);
        if (is_mariadb() && !rows[i].purged && rows[i].events)
            EXPECT("SHOW RELAYLOG EVENTS IN 'relay.000001'", "Event_type|Info", rows[i].events);
        if (is_mariadb() && !rows[i].purged && !rows[i].events)
            EXPECT("SHOW RELAYLOG EVENTS IN 'relay.000001'", .fail = ERR_DB);
        if (is_mariadb() && rows[i].way == START_UNREADABLE) {
            start(&in, OP_WAITING, ERR_REFUSED, START_UNREADABLE);
            expect_no_start();
        } else {
            EXPECT(d->start_both);
            expect_look(view_at(5));
            start(&in, OP_DONE, ERR_NONE, START_BOTH);
        }
        relay_end(&r);
    }
}
BOTH(encrypted_files_are_asked_for)

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

/* A server that has transactions of its own: a person must decide. Its binary log is looked at first, whether
 * crash recovery wrote them. */
static void never_beside_transactions_of_its_own(void)
{
    if (!is_mariadb())
        return; /* every transaction of a MySQL has its own place in the set */
    for (int readable = 0; readable < 2; readable++) {
        Relay r;
        relay_begin(&r, 7);
        AUTOFREE char *binlog = xasprintf("%s/binlog.000001", r.dir),
                      *index = xasprintf("%s/binlog.index", r.dir);
        Err err;
        AUTO(str_done) Str log = STR_INIT;
        bf_start(&log);
        bf_trx(&log, 0, 2, 6);
        assert_ok(fs_replace(binlog, log.p, log.len, 0600, &err), err);
        assert_ok(fs_replace(index, "./binlog.000001\n", 16, 0600, &err), err);
        View v = both_stopped_at(5);
        v.binlog_text = "0-2-6"; /* by this server, whose id is 2 */
        StartIn in = a_start(&r);
        StartOut out = {0};
        expect_begun(v);
        expect_paths(&r);
        if (readable) {
            EXPECT("SELECT @@global.gtid_binlog_state", "s", "0-1-5,0-2-6");
            expect_paths(&r);
        } else {
            EXPECT("SELECT @@global.gtid_binlog_state", .fail = ERR_LOST);
        }
        assert_false(op_start(&in, NULL, &out));
        EXPECT_RESULT(out, OP_WAITING, ERR_REFUSED);
        assert_int_equal(out.way, START_ERRANT);
        assert_string_equal(out.errant, "0-2-6");
        assert_non_null(strstr(out.err.text, "0-2-6"));
        expect_no_start();
        script_end(0);
        start_out_done(&out);
        relay_end(&r);
    }
}
BOTH(never_beside_transactions_of_its_own)

/* Written under this server's own id by its crash recovery, inside a DDL that the relay files hold next: no
 * person's decision, the rescue sees to it. */
static void a_ddl_of_crash_recovery_is_no_obstacle(void)
{
    if (!is_mariadb())
        return;
    static const char *const own[] = {"ALTER TABLE t ADD COLUMN x INT", "ALTER TABLE t ADD COLUMN y INT"};
    for (size_t i = 0; i < COUNT(own); i++) {
        Relay r;
        Err err;
        relay_begin(&r, 5);
        AUTO(str_done) Str log = STR_INIT, next = STR_INIT;
        bf_start(&next);
        bf_gtid(&next, 0, 1, 6, true);
        bf_query(&next, own[0]);
        relay_add_file(&r, &next);
        bf_start(&log);
        bf_gtid(&log, 0, 2, 6, true);
        bf_query(&log, own[i]);
        AUTOFREE char *binlog = xasprintf("%s/binlog.000001", r.dir),
                      *index = xasprintf("%s/binlog.index", r.dir);
        assert_ok(fs_replace(binlog, log.p, log.len, 0600, &err), err);
        assert_ok(fs_replace(index, "./binlog.000001\n", 16, 0600, &err), err);
        View v = both_stopped_at(5);
        v.binlog_text = "0-2-6";
        StartIn in = a_start(&r);
        expect_begun(v);
        expect_paths(&r);
        EXPECT("SELECT @@global.gtid_binlog_state", "s", "0-1-5,0-2-6");
        expect_paths(&r);
        start(&in, OP_WAITING, ERR_REFUSED, i == 0 ? START_RESCUE : START_ERRANT);
        expect_no_start();
        relay_end(&r);
    }
}
BOTH(a_ddl_of_crash_recovery_is_no_obstacle)

static void a_position_that_cannot_be_understood(void)
{
    Relay r;
    relay_begin(&r, 5);
    View v = both_stopped_at(5);
    v.binlog_text = "no position";
    StartIn in = a_start(&r);
    StartOut out = {0};
    expect_begun(v);
    expect_paths(&r);
    assert_false(op_start(&in, NULL, &out));
    EXPECT_RESULT(out, OP_WAITING, ERR_REFUSED);
    assert_int_equal(out.way, START_UNREADABLE);
    assert_non_null(strstr(out.err.text, "no position"));
    expect_no_start();
    script_end(0);
    start_out_done(&out);
    relay_end(&r);
}
BOTH(a_position_that_cannot_be_understood)

/* A port on which somebody listens, or nobody. */
static int listen_on(int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void expect_no_readers(void)
{
    if (is_mariadb())
        EXPECT("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'", "n",
               "0");
}

static StartIn after_crash(const Relay *r)
{
    StartIn in = a_start(r);
    in.crashed = true;
    in.source_position = (char *)"0-1-9";
    return in;
}

/* Positions may lie: fetched again if the source is there and the flavour can, left to a person otherwise. */
static void after_a_crash_with_relaxed_durability(void)
{
    for (int answers = 0; answers < 2; answers++) {
        Relay r;
        relay_begin(&r, 5);
        View v = both_stopped_at(5);
        int fd = listen_on(&v.source_port);
        if (answers)
            assert_int_equal(listen(fd, 1), 0);
        StartIn in = after_crash(&r);
        expect_begun(v);
        expect_paths(&r);
        expect_no_readers();
        if (answers && is_mariadb()) {
            EXPECT("CONNECT rescuer", .ms = START_MS);
            EXPECT("RESET MASTER", .on = "rescuer");
            EXPECT(d->start_both, .on = "agent");
            expect_look(view_at(5));
            start(&in, OP_DONE, ERR_NONE, START_REFETCH);
        } else {
            start(&in, OP_WAITING, ERR_REFUSED, START_CRASHED);
        }
        close(fd);
        relay_end(&r);
    }
}
BOTH(after_a_crash_with_relaxed_durability)

/* What only this server has is never given up for what its source has. */
static void what_only_this_server_holds_is_not_given_up(void)
{
    if (!is_mariadb())
        return;
    static const struct {
        const char *primary, *said;
        int held;
    } rows[] = {{NULL, "has not said yet", 5},
                {"0-1-4", "the primary has 0-1-4", 5},
                {"0-1-6", "the primary has 0-1-6", 7},
                {"7-1-9", "the primary has 7-1-9", 5}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        Relay r;
        StartOut out = {0};
        relay_begin(&r, rows[i].held);
        StartIn in = after_crash(&r);
        in.source_position = (char *)rows[i].primary;
        expect_begun(both_stopped_at(5));
        expect_paths(&r);
        assert_false(op_start(&in, NULL, &out));
        assert_int_equal(out.way, START_CRASHED);
        assert_non_null(strstr(out.err.text, rows[i].said));
        script_end(0);
        expect_no_start();
        start_out_done(&out);
        relay_end(&r);
    }
}
BOTH(what_only_this_server_holds_is_not_given_up)

static void what_the_rescuer_may_not_do_is_not_begun(void)
{
    if (!is_mariadb())
        return;
    for (int how = 0; how < 3; how++) {
        Relay r;
        relay_begin(&r, 5);
        View v = both_stopped_at(5);
        int fd = listen_on(&v.source_port);
        assert_int_equal(listen(fd, 1), 0);
        StartIn in = after_crash(&r);
        expect_begun(v);
        expect_paths(&r);
        expect_no_readers();
        EXPECT("CONNECT rescuer", .fail = how == 0 ? ERR_AUTH : ERR_NONE);
        if (how > 0)
            EXPECT("RESET MASTER", .fail = how == 1 ? ERR_AUTH : ERR_LOST);
        start(&in, how == 2 ? OP_UNKNOWN : OP_FAILED, how == 2 ? ERR_LOST : ERR_AUTH, START_REFETCH);
        expect_no_start();
        close(fd);
        relay_end(&r);
    }
}
BOTH(what_the_rescuer_may_not_do_is_not_begun)

/* MariaDB's error 1201, after a kill: all that the files held is applied, they are begun anew. */
static void relay_files_that_a_kill_has_left_apart(void)
{
    Relay r;
    relay_begin(&r, 5);
    StartIn in = a_start(&r);
    expect_begun(both_stopped_at(5));
    expect_paths(&r);
    EXPECT(d->start_both, .fail = ERR_DB, .code = 1201);
    if (is_mariadb()) {
        EXPECT("CONNECT rescuer");
        EXPECT("RESET SLAVE", .on = "rescuer");
        EXPECT(d->start_both, .on = "agent");
        expect_look(view_at(5));
        start(&in, OP_DONE, ERR_NONE, START_BOTH);
        /* That too may fail. */
        expect_begun(both_stopped_at(5));
        expect_paths(&r);
        EXPECT(d->start_both, .fail = ERR_DB, .code = 1201);
        EXPECT("CONNECT rescuer");
        EXPECT("RESET SLAVE", .on = "rescuer", .fail = ERR_AUTH);
        start(&in, OP_FAILED, ERR_AUTH, START_BOTH);
        expect_begun(both_stopped_at(5));
        expect_paths(&r);
        EXPECT(d->start_both, .fail = ERR_DB, .code = 1201);
        EXPECT("CONNECT rescuer");
        EXPECT("RESET SLAVE", .on = "rescuer");
        EXPECT(d->start_both, .on = "agent", .fail = ERR_DB, .code = 1201);
        start(&in, OP_FAILED, ERR_DB, START_BOTH);
    } else {
        start(&in, OP_FAILED, ERR_DB, START_BOTH);
    }
    relay_end(&r);
}
BOTH(relay_files_that_a_kill_has_left_apart)

/* ---- a rescue's client ----------------------------------------------------------------------------- */

static void not_beside_a_rescue(void)
{
    if (!is_mariadb()) /* the server's own applier needs no other session */
        return;
    for (int ends = 0; ends < 3; ends++) {
        StartIn in = a_start(NULL);
        in.may_end_rescue = ends > 0;
        expect_open(START_MS);
        expect_look(both_stopped_at(5));
        EXPECT(RESCUE_SESSION_SQL, "l", "77");
        if (ends > 0)
            EXPECT("KILL 77", .fail = ends == 2 ? ERR_UNREACHABLE : ERR_NONE);
        start(&in, OP_WAITING, ERR_CONFLICT, START_NOT_NEEDED);
        expect_no_start();
    }
    StartIn in = a_start(NULL);
    expect_open(START_MS);
    expect_look(both_stopped_at(5));
    EXPECT(RESCUE_SESSION_SQL, .fail = ERR_DB);
    start(&in, OP_FAILED, ERR_DB, START_NOT_NEEDED);
}
BOTH(not_beside_a_rescue)

/* Its applier may still be at work on what a START would apply a second time. */
static void what_a_killed_rescue_left_goes_first(void)
{
    static const char left[] = "siding_rescue|No|Yes|127.0.0.1|40000";
    if (!is_mariadb())
        return;
    for (int fails = 0; fails < 3; fails++) {
        StartIn in = a_start(NULL);
        expect_open(START_MS);
        expect_look(stopped_at(5));
        EXPECT(RESCUE_SESSION_SQL, "l", "0");
        EXPECT(d->status, "Connection_name|Slave_IO_Running|Slave_SQL_Running|Master_Host|Master_Port", left);
        EXPECT("CONNECT rescuer", .ms = START_MS, .fail = fails == 1 ? ERR_AUTH : ERR_NONE);
        if (fails != 1) {
            EXPECT(d->status, "Connection_name|Slave_IO_Running|Slave_SQL_Running|Master_Host|Master_Port",
                   left);
            EXPECT("STOP SLAVE 'siding_rescue'", .fail = fails == 2 ? ERR_TIMEOUT : ERR_NONE);
        }
        if (fails == 0) {
            EXPECT("RESET SLAVE 'siding_rescue' ALL");
            expect_look(stopped_at(5));
            expect_sql_start(stopped_at(5));
            expect_look(view_at(5));
        }
        start(&in,
              fails == 0   ? OP_DONE
              : fails == 1 ? OP_FAILED
                           : OP_UNKNOWN,
              fails == 0   ? ERR_NONE
              : fails == 1 ? ERR_AUTH
                           : ERR_TIMEOUT,
              fails ? START_NOT_NEEDED : START_SQL);
        if (fails)
            expect_no_start();
    }
}
BOTH(what_a_killed_rescue_left_goes_first)

/* ---- made to stand first --------------------------------------------------------------------------- */

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

/* ---- breaks ---------------------------------------------------------------------------------------- */

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
        TESTS_OF(the_applier_alone),
        TESTS_OF(what_a_killed_rescue_left_goes_first),
        TESTS_OF(with_a_boost),
        TESTS_OF(settings_refused_do_not_hold_it_up),
        TESTS_OF(no_workers_for_several_domains),
        TESTS_OF(both_where_all_is_applied),
        TESTS_OF(never_while_the_files_hold_more),
        TESTS_OF(encrypted_files_are_asked_for),
        TESTS_OF(a_named_connection_is_not_started),
        TESTS_OF(never_while_the_files_cannot_be_read),
        TESTS_OF(never_beside_transactions_of_its_own),
        TESTS_OF(a_ddl_of_crash_recovery_is_no_obstacle),
        TESTS_OF(a_position_that_cannot_be_understood),
        TESTS_OF(after_a_crash_with_relaxed_durability),
        TESTS_OF(what_only_this_server_holds_is_not_given_up),
        TESTS_OF(what_the_rescuer_may_not_do_is_not_begun),
        TESTS_OF(relay_files_that_a_kill_has_left_apart),
        TESTS_OF(not_beside_a_rescue),
        TESTS_OF(stopped_first_where_only_the_files_help),
        TESTS_OF(that_stop_may_break),
        TESTS_OF(starts_that_break),
        TESTS_OF(a_receiver_that_stops_in_between),
        TESTS_OF(it_stops_again_at_once),
        TESTS_OF(a_cancel_never_leaves_it_half_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
