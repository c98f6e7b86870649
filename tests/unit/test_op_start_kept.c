/* SPDX-License-Identifier: Apache-2.0
 * Starting replication beside what only the relay files hold, or only this server, on both flavours. The rule
 * behind all: with both threads stopped, no START is sent that could throw it away.
 */
#include "startscript.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* relay.000001, two events of it, and what a kill has left of a third. */
static void put_encrypted(const Relay *r, const char *name)
{
    Err err;
    AUTO(str_done) Str file = STR_INIT;
    AUTOFREE char *path = xasprintf("%s/%s", r->dir, name);
    bf_start(&file);
    bf_event(&file, 164, 2, "key", 3);
    str_add(&file, "torn off", 8);
    assert_ok(fs_replace(path, file.p, file.len, 0600, &err), err);
}

static void expect_asked(int times, const char *events)
{
    for (; is_mariadb() && times > 0; times--) {
        if (events)
            EXPECT("SHOW RELAYLOG EVENTS IN 'relay.000001' LIMIT 2", "Event_type|Info", events);
        else
            EXPECT("SHOW RELAYLOG EVENTS IN 'relay.000001' LIMIT 2", .fail = ERR_DB);
    }
}

/* What encrypted files hold the server says itself: it starts where all of it is applied, and only there. */
static void encrypted_files_are_asked_for(void)
{
    static const struct {
        const char *events; /* NULL: it does not say */
        int asked;
        bool purged; /* a file that was kept is not the server's any more */
        StartWay way;
    } rows[] = {
        {"Format_desc|Server ver\nGtid|BEGIN GTID 0-1-4 cid=9\nGtid|GTID 0-1-5", 2, false, START_BOTH},
        {"Format_desc|Server ver", 1, false, START_BOTH},
        {"Gtid|BEGIN GTID 0-1-5\nGtid|BEGIN GTID 0-1-6", 2, false, START_UNREADABLE},
        {"Gtid|BEGIN GTID 7-1-1", 2, false, START_UNREADABLE},
        {"Gtid|odd", 2, false, START_UNREADABLE},
        {NULL, 2, false, START_UNREADABLE},
        {"", 1, true, START_UNREADABLE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Relay r;
        relay_begin(&r, 0);
        put_encrypted(&r, "relay.000001");
        if (rows[i].purged)
            put_encrypted(&r, "siding-relay-00000001-1-relay.000001");
        StartIn in = a_start(&r);
        expect_begun(both_stopped_at(5));
        expect_paths(&r);
        /* first whether it holds any, then which is the last */
        expect_asked(rows[i].asked, rows[i].events);
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

/* A file that was kept, and that the server has removed, counts as long as it can be read here. */
static void a_kept_file_beside_encrypted_ones_is_read(void)
{
    for (int kept = 5; is_mariadb() && kept < 7; kept++) {
        Relay r;
        Err err;
        relay_begin(&r, 0);
        AUTO(str_done) Str log = STR_INIT;
        AUTOFREE char *path = xasprintf("%s/siding-relay-00000001-1-relay.000033", r.dir);
        bf_start(&log);
        bf_trx(&log, 0, 1, (uint64_t)kept);
        assert_ok(fs_replace(path, log.p, log.len, 0600, &err), err);
        put_encrypted(&r, "relay.000001");
        StartIn in = a_start(&r);
        expect_begun(both_stopped_at(5));
        expect_paths(&r);
        expect_asked(2, "Gtid|BEGIN GTID 0-1-3");
        if (kept == 5) {
            EXPECT(d->start_both);
            expect_look(view_at(5));
            start(&in, OP_DONE, ERR_NONE, START_BOTH);
        } else {
            start(&in, OP_WAITING, ERR_REFUSED, START_UNREADABLE);
            expect_no_start();
        }
        relay_end(&r);
    }
}
BOTH(a_kept_file_beside_encrypted_ones_is_read)

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

/* Encrypted transactions that are not applied are fetched again, and the files stay until then: only from a
 * source that has all of them, only by an account, and not where a failover keeps the receiver stopped. */
static void what_is_encrypted_is_fetched_again(void)
{
    static const struct {
        const char *account, *source; /* what the source has; NULL: it does not say */
        bool shut, answers;
        StartWay way;
        const char *said;
    } rows[] = {
        {"/repl.cnf", "0-1-7", false, true, START_RESCUE, "up to 0-1-7"},
        {"/repl.cnf", "0-1-9,4-1-1", false, true, START_RESCUE, "up to 0-1-7"},
        {"/repl.cnf", "0-1-6", false, true, START_UNREADABLE, "has them up to 0-1-6"},
        {"/repl.cnf", NULL, false, true, START_UNREADABLE, "as soon as its source has them"},
        {"/repl.cnf", NULL, false, false, START_UNREADABLE, "does not answer"},
        {NULL, NULL, false, true, START_UNREADABLE, "server.replication_defaults_file"},
        {"/repl.cnf", NULL, true, true, START_UNREADABLE, "a failover keeps"},
    };
    for (size_t i = 0; is_mariadb() && i < COUNT(rows); i++) {
        Relay r;
        StartOut out = {0};
        relay_begin(&r, 0);
        put_encrypted(&r, "relay.000001");
        View v = both_stopped_at(5);
        int fd = listen_on(&v.source_port);
        if (rows[i].answers)
            assert_int_equal(listen(fd, 1), 0);
        StartIn in = a_start(&r);
        in.account_file = (char *)rows[i].account;
        in.shut = rows[i].shut;
        expect_begun(v);
        expect_paths(&r);
        expect_asked(2, "Gtid|BEGIN GTID 0-1-7");
        if (rows[i].account && !rows[i].shut && rows[i].answers) {
            EXPECT("CONNECT source", .fail = rows[i].source ? ERR_NONE : ERR_AUTH);
            if (rows[i].source)
                EXPECT("SELECT @@GLOBAL.gtid_binlog_pos", "g", rows[i].source, .on = "source");
        }
        assert_false(op_start(&in, NULL, &out));
        EXPECT_RESULT(out, OP_WAITING, ERR_REFUSED);
        assert_int_equal(out.way, rows[i].way);
        if (!strstr(out.err.text, rows[i].said))
            fail_msg("%s", out.err.text);
        assert_string_equal(out.held_gtid, "0-1-7");
        assert_int_equal(out.backlog, 2);
        expect_no_start();
        script_end(0);
        start_out_done(&out);
        close(fd);
        relay_end(&r);
    }
}
BOTH(what_is_encrypted_is_fetched_again)

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
        if (!strstr(out.err.text, rows[i].said))
            fail_msg("%s", out.err.text);
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
            expect_semi_sync(false, false);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(what_a_killed_rescue_left_goes_first),
        TESTS_OF(never_while_the_files_hold_more),
        TESTS_OF(encrypted_files_are_asked_for),
        TESTS_OF(a_kept_file_beside_encrypted_ones_is_read),
        TESTS_OF(what_is_encrypted_is_fetched_again),
        TESTS_OF(never_while_the_files_cannot_be_read),
        TESTS_OF(never_beside_transactions_of_its_own),
        TESTS_OF(a_ddl_of_crash_recovery_is_no_obstacle),
        TESTS_OF(a_position_that_cannot_be_understood),
        TESTS_OF(after_a_crash_with_relaxed_durability),
        TESTS_OF(what_only_this_server_holds_is_not_given_up),
        TESTS_OF(what_the_rescuer_may_not_do_is_not_begun),
        TESTS_OF(relay_files_that_a_kill_has_left_apart),
        TESTS_OF(not_beside_a_rescue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
