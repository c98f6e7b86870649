/* SPDX-License-Identifier: Apache-2.0
 * The acts of a failover on a server: every statement, in order, on both flavours.
 */
#include "orderscript.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/file/fs.h"

/* A START that nobody waits for any more would take effect behind the STOP: it is ended before. */
static void the_receiver_is_stopped_for_good(void)
{
    Relay r;
    OrderOut out;
    relay_begin(&r, 7);
    View v = view_at(5);
    v.received = 7;
    expect_open(5000);
    expect_look(v);
    EXPECT(STARTS, "ID", "42");
    EXPECT("KILL 42");
    EXPECT(STARTS, "ID", "");
    EXPECT(word("STOP SLAVE IO_THREAD", "STOP REPLICA IO_THREAD"));
    v.io = REPL_IO_NO;
    expect_look(v);
    expect_paths(&r);
    act(ORDER_STOP_RECEIVER, order_for(ORDER_FENCE, NULL, NULL), OP_DONE, ERR_NONE, &out);
    assert_string_equal(out.received, at_trx(7));
    order_out_done(&out);
    /* Seen running after it: not answered. */
    expect_open(5000);
    expect_look(view_at(5));
    EXPECT(STARTS, "ID", "");
    EXPECT(word("STOP SLAVE IO_THREAD", "STOP REPLICA IO_THREAD"));
    expect_look(view_at(5));
    act(ORDER_STOP_RECEIVER, order_for(ORDER_FENCE, NULL, NULL), OP_UNKNOWN, ERR_TIMEOUT, NULL);
    relay_end(&r);
}
BOTH(the_receiver_is_stopped_for_good)

static void it_follows_and_does_not_acknowledge_yet(void)
{
    expect_open(5000);
    expect_look(both_stopped_at(5));
    EXPECT(STARTS, "ID", "");
    EXPECT(d->stop_both);
    expect_look(both_stopped_at(5));
    expect_semi_sync(false, false);
    EXPECT(word("SET GLOBAL rpl_semi_sync_slave_enabled=0", "SET GLOBAL rpl_semi_sync_replica_enabled=0"));
    EXPECT(word("CHANGE MASTER TO MASTER_HOST='db2', MASTER_PORT=3306, MASTER_CONNECT_RETRY=1, "
                "MASTER_USE_GTID=slave_pos",
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST='db2', SOURCE_PORT=3306, SOURCE_CONNECT_RETRY=1, "
                "SOURCE_RETRY_COUNT=86400, SOURCE_AUTO_POSITION=1"));
    EXPECT(d->start_both);
    View v = view_at(5);
    v.source_host = "db2";
    expect_look(v);
    act(ORDER_REPOINT, order_for(ORDER_FOLLOW, "db2", at_trx(6)), OP_DONE, ERR_NONE, NULL);
}
BOTH(it_follows_and_does_not_acknowledge_yet)

/* What was a primary all its life has nobody to receive as. */
static void the_old_primary_follows_as_the_named_account(void)
{
    Err err;
    View was = {.primary = true, .applied = 5};
    char path[] = "/tmp/siding-repl-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_ok(fs_replace(path, "[client]\nuser=repl\npassword=it's\n", 32, 0600, &err), err);
    order_script.account_file = path;
    expect_open(5000);
    expect_look(was);
    EXPECT(STARTS, "ID", "");
    EXPECT(d->stop_both);
    expect_look(was);
    EXPECT(word("SET GLOBAL rpl_semi_sync_master_enabled=0", "SET GLOBAL rpl_semi_sync_source_enabled=0"));
    EXPECT(word("SET GLOBAL rpl_semi_sync_slave_enabled=0", "SET GLOBAL rpl_semi_sync_replica_enabled=0"));
    EXPECT(word("CHANGE MASTER TO MASTER_HOST='db2', MASTER_PORT=3306, MASTER_CONNECT_RETRY=1, "
                "MASTER_USE_GTID=slave_pos, "
                "MASTER_DEMOTE_TO_SLAVE=1",
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST='db2', SOURCE_PORT=3306, SOURCE_CONNECT_RETRY=1, "
                "SOURCE_RETRY_COUNT=86400, SOURCE_AUTO_POSITION=1"));
    EXPECT(word("CHANGE MASTER TO MASTER_USER='repl', MASTER_PASSWORD='it\\'s'",
                "CHANGE REPLICATION SOURCE TO GET_SOURCE_PUBLIC_KEY=1, SOURCE_USER='repl', "
                "SOURCE_PASSWORD='it\\'s'"));
    EXPECT(d->start_both);
    View v = view_at(5);
    v.source_host = "db2";
    expect_look(v);
    act(ORDER_REPOINT, order_for(ORDER_FOLLOW, "db2", at_trx(6)), OP_DONE, ERR_NONE, NULL);
    order_script.account_file = NULL;
    unlink(path);
}
BOTH(the_old_primary_follows_as_the_named_account)

static void one_that_is_ahead_does_not_follow(void)
{
    OrderOut out;
    expect_open(5000);
    expect_look(both_stopped_at(7));
    EXPECT(STARTS, "ID", "");
    EXPECT(d->stop_both);
    expect_look(both_stopped_at(7));
    if (!is_mariadb())
        EXPECT("SELECT GTID_SUBTRACT('…', '…')", "x", "3e11fa47-71ca-11e1-9e33-c80aa9429562:7");
    act(ORDER_REPOINT, order_for(ORDER_FOLLOW, "db2", at_trx(6)), OP_MOVED, ERR_CONFLICT, &out);
    assert_string_equal(out.ahead, word("0-1-7", "3e11fa47-71ca-11e1-9e33-c80aa9429562:7"));
    order_out_done(&out);
}
BOTH(one_that_is_ahead_does_not_follow)

/* It was pointed there already: its position is not beyond the new primary's, and is none of its history. */
static void expect_refused_by(int io_errno)
{
    OrderOut out;
    View v = both_stopped_at(5);
    v.source_host = "db2";
    v.io_errno = io_errno;
    expect_open(5000);
    expect_look(v);
    EXPECT(STARTS, "ID", "");
    EXPECT(d->stop_both);
    expect_look(v);
    act(ORDER_REPOINT, order_for(ORDER_FOLLOW, "db2", at_trx(6)), OP_MOVED, ERR_CONFLICT, &out);
    assert_non_null(strstr(out.ahead, "the new primary says"));
    order_out_done(&out);
}

static void one_that_the_new_primary_refuses_does_not_follow(void)
{
    expect_refused_by(1236);
    expect_refused_by(13114);
}
BOTH(one_that_the_new_primary_refuses_does_not_follow)

static void it_acknowledges_from_the_next_connection_on(void)
{
    expect_open(5000);
    expect_look(view_at(5));
    EXPECT(word("SET GLOBAL rpl_semi_sync_slave_enabled=1", "SET GLOBAL rpl_semi_sync_replica_enabled=1"));
    expect_semi_sync(false, false);
    EXPECT(word("STOP SLAVE IO_THREAD", "STOP REPLICA IO_THREAD"));
    EXPECT(word("START SLAVE IO_THREAD", "START REPLICA IO_THREAD"));
    expect_semi_sync(false, false);
    expect_semi_sync(false, true);
    expect_look(view_at(5));
    act(ORDER_SET_ARMED, order_for(ORDER_ARM, NULL, NULL), OP_DONE, ERR_NONE, NULL);
}
BOTH(it_acknowledges_from_the_next_connection_on)

static void expect_said(const char *binlog, ErrKind fail)
{
    View v = view_at(5);
    expect_open(5000);
    expect_look(v);
    EXPECT(word("SET GLOBAL rpl_semi_sync_slave_enabled=1", "SET GLOBAL rpl_semi_sync_replica_enabled=1"));
    expect_semi_sync(false, true);
    expect_look(v); /* its receiver has just been started, and has no place yet */
    v.read_file = "binlog.000008";
    v.read_pos = 911;
    expect_look(v);
    EXPECT("CONNECT source", .ms = 1500);
    EXPECT(word("SET @master_binlog_checksum=@@global.binlog_checksum",
                "SET @source_binlog_checksum=@@global.binlog_checksum"));
    EXPECT(word("SET @mariadb_slave_capability=4", "SET @replica_uuid=UUID()"));
    EXPECT(word("SET @rpl_semi_sync_slave=1", "SET @rpl_semi_sync_replica=1"));
    EXPECT(binlog, .fail = fail);
    act(ORDER_SET_ARMED, order_for(ORDER_ARM, NULL, NULL), OP_DONE, ERR_NONE, NULL);
}

/* As the replica of the receiver's number where the source counts replicas, of another where it would end the
 * receiver's connection for it. Whether it is heard or not, it acknowledges from here on. */
static void what_it_has_received_is_acknowledged_too(void)
{
    const char *binlog = word("BINLOG binlog.000008:911 for 1073741826", "BINLOG binlog.000008:911 for 2");
    char path[] = "/etc/siding/repl.cnf";
    order_script.account_file = path;
    expect_said(binlog, ERR_NONE);
    expect_said(binlog, ERR_DB);
    order_script.account_file = NULL;
}
BOTH(what_it_has_received_is_acknowledged_too)

/* Whoever has stopped the receiver since the last reading has it stopped. */
static void one_that_was_stopped_is_not_started_to_acknowledge(void)
{
    View v = view_at(5);
    v.io = REPL_IO_NO;
    expect_open(5000);
    expect_look(v);
    act(ORDER_SET_ARMED, order_for(ORDER_ARM, NULL, NULL), OP_FAILED, ERR_CONFLICT, NULL);
}
BOTH(one_that_was_stopped_is_not_started_to_acknowledge)

static void expect_acknowledging(View v)
{
    expect_open(5000);
    expect_look(view_at(5));
    EXPECT(word("SET GLOBAL rpl_semi_sync_slave_enabled=1", "SET GLOBAL rpl_semi_sync_replica_enabled=1"));
    expect_semi_sync(false, true);
    expect_look(v);
}

/* Where the receiver is cannot be told: the act fails with the cause, and so comes again. */
static void what_cannot_be_said_yet_is_said_again(void)
{
    OrderOut out;
    char path[] = "/etc/siding/repl.cnf";
    View v = view_at(5);
    order_script.account_file = path;
    v.io = REPL_IO_CONNECTING;
    expect_acknowledging(v);
    EXPECT(d->status, status_columns(), status_row(v), .delay_ms = 600);
    EXPECT(d->position, POSITION_COLUMNS, position_row(v));
    EXPECT("SHOW GLOBAL STATUS LIKE 'Uptime'", "Variable_name|Value", "Uptime|5000");
    act(ORDER_SET_ARMED, order_for(ORDER_ARM, NULL, NULL), OP_FAILED, ERR_TIMEOUT, &out);
    assert_non_null(strstr(out.err.text, "is connecting to the primary"));
    order_out_done(&out);
    v.io = REPL_IO_NO;
    expect_acknowledging(v);
    act(ORDER_SET_ARMED, order_for(ORDER_ARM, NULL, NULL), OP_FAILED, ERR_TIMEOUT, &out);
    assert_non_null(strstr(out.err.text, "has stopped"));
    order_out_done(&out);
    expect_acknowledging(view_at(5));
    expect_look_broken(view_at(5), 1, ERR_LOST);
    act(ORDER_SET_ARMED, order_for(ORDER_ARM, NULL, NULL), OP_FAILED, ERR_LOST, NULL);
    order_script.account_file = NULL;
}
BOTH(what_cannot_be_said_yet_is_said_again)

/* One that acknowledges does so until its receiver connects anew. In a pause that would lose what it holds:
 * there it is only stopped. */
static void who_is_left_out_is_made_silent(void)
{
    const char *off =
        word("SET GLOBAL rpl_semi_sync_slave_enabled=0", "SET GLOBAL rpl_semi_sync_replica_enabled=0");
    const View views[] = {both_stopped_at(5), view_at(5), stopped_at(5)};
    for (size_t i = 0; i < COUNT(views); i++) {
        bool runs = views[i].io != REPL_IO_NO;
        expect_open(5000);
        expect_look(views[i]);
        EXPECT(off);
        expect_semi_sync(false, runs);
        if (runs)
            EXPECT(word("STOP SLAVE IO_THREAD", "STOP REPLICA IO_THREAD"));
        if (runs && views[i].sql)
            EXPECT(word("START SLAVE IO_THREAD", "START REPLICA IO_THREAD"));
        expect_look(views[i]);
        act(ORDER_SET_SILENT, order_for(ORDER_PROMISE, NULL, NULL), OP_DONE, ERR_NONE, NULL);
    }
}
BOTH(who_is_left_out_is_made_silent)

static void expect_strict(void)
{
    if (is_mariadb()) {
        EXPECT("SET GLOBAL rpl_semi_sync_master_wait_point=AFTER_SYNC");
        EXPECT("SET GLOBAL rpl_semi_sync_master_timeout=4294967295");
        EXPECT("SET GLOBAL rpl_semi_sync_master_wait_no_slave=1");
    } else {
        EXPECT("SET GLOBAL rpl_semi_sync_source_wait_point=AFTER_SYNC");
        EXPECT("SET GLOBAL rpl_semi_sync_source_timeout=4294967295");
        EXPECT("SET GLOBAL rpl_semi_sync_source_wait_no_replica=1");
        EXPECT("SET GLOBAL rpl_semi_sync_source_wait_for_replica_count=2");
    }
    EXPECT(d->semi_sync_on);
}

static void expect_opened(void)
{
    View v = {.primary = true, .open = true, .applied = 5};
    EXPECT(d->stop_both);
    EXPECT("CONNECT rescuer");
    EXPECT(word("RESET SLAVE ALL", "RESET REPLICA ALL"), .on = "rescuer");
    EXPECT(d->read_only_off);
    expect_look(v);
    act(ORDER_SET_OPEN, order_for(ORDER_OPEN, NULL, NULL), OP_DONE, ERR_NONE, NULL);
}

/* Nothing is writable before nothing can be acknowledged without the members. */
static void it_opens_strictly(void)
{
    expect_open(5000);
    expect_look(both_stopped_at(5));
    expect_strict();
    expect_semi_sync(true, false);
    expect_opened();
    /* Semi-sync that does not go on keeps it closed. */
    expect_open(5000);
    expect_look(both_stopped_at(5));
    expect_strict();
    expect_semi_sync(false, false);
    act(ORDER_SET_OPEN, order_for(ORDER_OPEN, NULL, NULL), OP_FAILED, ERR_REFUSED, NULL);
}
BOTH(it_opens_strictly)

/* semi_sync = "leave": it is looked at, and a person's to set. */
static void semi_sync_that_is_a_persons_is_left(void)
{
    order_script.leaves_semi_sync = true;
    expect_open(5000);
    expect_look(both_stopped_at(5));
    expect_semi_sync(true, false);
    expect_opened();
    expect_open(5000);
    expect_look(both_stopped_at(5));
    expect_semi_sync(false, false);
    act(ORDER_SET_OPEN, order_for(ORDER_OPEN, NULL, NULL), OP_FAILED, ERR_REFUSED, NULL);
    order_script.leaves_semi_sync = false;
}
BOTH(semi_sync_that_is_a_persons_is_left)

#define PROBE_WAITS                                                                                          \
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND INFO LIKE 'INSERT " \
    "INTO "                                                                                                  \
    "siding.probe%'"
#define PROBE_BLOCKED "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = …"

static void a_lock_that_keeps_the_probe_is_ended(void)
{
    OrderOut out;
    EXPECT("CONNECT agent");
    EXPECT(PROBE_WAITS, "n", "0");
    EXPECT("INSERT INTO siding.probe (node, term) VALUES ('db1', 7)", .fail = ERR_TIMEOUT);
    EXPECT("CONNECT agent");
    EXPECT(PROBE_BLOCKED, "n", "1");
    EXPECT(CLIENTS, "ID|who|s|what", "16|app@host|40|Sleep");
    EXPECT("KILL 16");
    act(ORDER_WRITE_PROBE, order_for(ORDER_PROBE, NULL, NULL), OP_UNKNOWN, ERR_TIMEOUT, &out);
    assert_non_null(strstr(out.told, "session 16 (app@host)"));
    order_out_done(&out);
}
BOTH(a_lock_that_keeps_the_probe_is_ended)

static void expect_stop_without_answer(void)
{
    expect_open(5000);
    expect_look(both_stopped_at(5));
    EXPECT(STARTS, "ID", "");
    EXPECT(d->stop_both, .fail = ERR_TIMEOUT);
}

/* On a replica that is to follow they stay, as long as the new primary can do without it. */
static void a_stop_that_waits_for_a_lock(void)
{
    AgentOrder needed = order_for(ORDER_FOLLOW, "db2", at_trx(6));
    needed.kill_after_ms = 3000;
    expect_stop_without_answer();
    act(ORDER_REPOINT, order_for(ORDER_FOLLOW, "db2", at_trx(6)), OP_UNKNOWN, ERR_TIMEOUT, NULL);
    expect_stop_without_answer();
    EXPECT("CONNECT agent");
    EXPECT(CLIENTS, "ID|who|s|what", "16|app@host|40|Sleep");
    EXPECT("KILL 16");
    act(ORDER_REPOINT, needed, OP_UNKNOWN, ERR_TIMEOUT, NULL);
}
BOTH(a_stop_that_waits_for_a_lock)

static void expect_table_look(const char *tables, const char *statements)
{
    EXPECT("SHOW OPEN TABLES WHERE In_use > 0…", "Database|Table|In_use|Name_locked", tables, .on = "reader");
    EXPECT("SELECT INFO FROM information_schema.PROCESSLIST…", "INFO", statements, .on = "agent");
}

/* What a statement names is read; what nobody names twice in a moment is locked. */
static void tables_that_are_locked_by_name_are_free_before_it_opens(void)
{
    order_script.reads_tables = true;
    for (int i = 0; i < 3; i++) {
        View v = {.primary = true, .open = true, .applied = 5};
        expect_open(5000);
        expect_look(both_stopped_at(5));
        expect_strict();
        expect_semi_sync(true, false);
        EXPECT(d->stop_both);
        EXPECT("CONNECT rescuer");
        EXPECT(word("RESET SLAVE ALL", "RESET REPLICA ALL"), .on = "rescuer");
        EXPECT("CONNECT reader");
        if (i == 0) {
            expect_table_look("t|w|1|0", "SELECT COUNT(*) FROM t.w");
        } else {
            expect_table_look("t|w|1|0\nt|x|1|0", "SELECT COUNT(*) FROM t.x");
            expect_table_look(i == 1 ? "" : "t|w|1|0", "SHOW REPLICA STATUS\nSELECT 1 FROM t.w2, t._w");
        }
        if (i == 2)
            EXPECT(CLIENTS, "ID|who|s|what", "16|app@host|40|Sleep", .on = "agent");
        if (i == 2)
            EXPECT("KILL 16", .on = "agent");
        EXPECT(d->read_only_off, .on = "agent");
        expect_look(v);
        act(ORDER_SET_OPEN, order_for(ORDER_OPEN, NULL, NULL), OP_DONE, ERR_NONE, NULL);
    }
    order_script.reads_tables = false;
}
BOTH(tables_that_are_locked_by_name_are_free_before_it_opens)

static void a_probe_is_a_commit_that_is_acknowledged(void)
{
    View v = {.primary = true, .open = true, .applied = 5};
    EXPECT("CONNECT agent");
    EXPECT(PROBE_WAITS, "n", "0");
    EXPECT("INSERT INTO siding.probe (node, term) VALUES ('db1', 7)");
    EXPECT("DELETE FROM siding.probe WHERE term < -93");
    expect_look(v);
    act(ORDER_WRITE_PROBE, order_for(ORDER_PROBE, NULL, NULL), OP_DONE, ERR_NONE, NULL);
    EXPECT("CONNECT agent");
    EXPECT(PROBE_WAITS, "n", "0");
    EXPECT("INSERT INTO siding.probe (node, term) VALUES ('db1', 7)", .fail = ERR_TIMEOUT);
    EXPECT("CONNECT agent");
    EXPECT(PROBE_BLOCKED, "n", "0");
    act(ORDER_WRITE_PROBE, order_for(ORDER_PROBE, NULL, NULL), OP_UNKNOWN, ERR_TIMEOUT, NULL);
    /* It stays, since to end it would let others pass: until then no second is begun. */
    EXPECT("CONNECT agent");
    EXPECT(PROBE_WAITS, "n", "1");
    act(ORDER_WRITE_PROBE, order_for(ORDER_PROBE, NULL, NULL), OP_FAILED, ERR_TIMEOUT, NULL);
}
BOTH(a_probe_is_a_commit_that_is_acknowledged)

/* ---- a primary that lives is closed -------------------------------------------------------------------- */

#define WAITS                                                                                                \
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for semi-sync ACK%' AND " \
    "TIME >= "

static void expect_waits(const char *n)
{
    EXPECT(WAITS "0", "n", n);
}

static void expect_waits_long(const char *n)
{
    EXPECT(WAITS "2", "n", n);
}

static void expect_long(const char *transaction, const char *statement)
{
    EXPECT("SELECT p.ID, CONCAT(p.USER, '@', p.HOST), TIMESTAMPDIFF(SECOND, t.trx_started, NOW()),…",
           "ID|who|s|what", transaction);
    EXPECT("SELECT p.ID, CONCAT(p.USER, '@', p.HOST), p.TIME, LEFT(p.INFO, 120)…", "ID|who|s|what",
           statement);
}

static void expect_read_only(ErrKind fail)
{
    expect_open(1200);
    EXPECT("SET SESSION lock_wait_timeout=1");
    EXPECT(d->read_only_on, .fail = fail);
}

static AgentOrder to_close(OrderKind kind, int64_t kill_after_ms)
{
    AgentOrder o = order_for(kind, NULL, NULL);
    o.kill_after_ms = kill_after_ms;
    o.clean = kind == ORDER_FENCE;
    return o;
}

/* Semi-sync stays on, and a commit that waits has its answer before it is told as closed. */
static void it_is_closed_when_nobody_waits(void)
{
    OrderOut out;
    View open = {.primary = true, .open = true, .applied = 5}, closed = {.primary = true, .applied = 6};
    expect_open(5000);
    expect_look(open);
    expect_waits_long("0");
    expect_long("", "");
    expect_read_only(ERR_NONE);
    expect_look(closed);
    expect_waits("2");
    expect_look(closed);
    expect_waits("0");
    act(ORDER_SET_CLOSED, to_close(ORDER_CLOSE, 0), OP_DONE, ERR_NONE, &out);
    assert_string_equal(out.received, word("0-1-6", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-6"));
    order_out_done(&out);
    /* Held: it is not looked whether that is short. */
    expect_open(5000);
    expect_look(closed);
    expect_read_only(ERR_NONE);
    expect_look(closed);
    expect_waits("0");
    act(ORDER_SET_CLOSED, to_close(ORDER_FENCE, 0), OP_DONE, ERR_NONE, NULL);
}
BOTH(it_is_closed_when_nobody_waits)

/* Another coordinator had come so far before it died. Asked to close for a switchover, it is none that can.
 */
static void one_that_follows_already_receives_nothing_more(void)
{
    Relay r;
    OrderOut out;
    relay_begin(&r, 7);
    View v = view_at(5);
    v.received = 7;
    for (int open = 0; open < 2; open++) {
        v.open = open;
        v.io = REPL_IO_YES;
        expect_open(5000);
        expect_look(v);
        if (open)
            EXPECT(d->read_only_on);
        EXPECT(STARTS, "ID", "");
        EXPECT(word("STOP SLAVE IO_THREAD", "STOP REPLICA IO_THREAD"));
        v.io = REPL_IO_NO;
        expect_look(v);
        expect_paths(&r);
        act(ORDER_SET_CLOSED, to_close(ORDER_FENCE, 0), OP_DONE, ERR_NONE, &out);
        assert_string_equal(out.received, at_trx(7));
        order_out_done(&out);
    }
    expect_open(5000);
    expect_look(v);
    act(ORDER_SET_CLOSED, to_close(ORDER_CLOSE, 0), OP_FAILED, ERR_CONFLICT, NULL);
    relay_end(&r);
}
BOTH(one_that_follows_already_receives_nothing_more)

/* Nothing is touched, and what waits keeps waiting. */
static void commits_that_wait_keep_it_open(void)
{
    View open = {.primary = true, .open = true, .applied = 5};
    expect_open(5000);
    expect_look(open);
    expect_waits_long("20");
    act(ORDER_SET_CLOSED, to_close(ORDER_CLOSE, 0), OP_FAILED, ERR_REFUSED, NULL);
}
BOTH(commits_that_wait_keep_it_open)

/* Nothing is touched while somebody would be cut off; asked to, his session is ended before. */
static void a_long_transaction_keeps_it_open(void)
{
    View open = {.primary = true, .open = true, .applied = 5}, closed = {.primary = true, .applied = 5};
    OrderOut out;
    expect_open(5000);
    expect_look(open);
    expect_waits_long("0");
    expect_long("12|app@host|1800|an open transaction", "");
    act(ORDER_SET_CLOSED, to_close(ORDER_CLOSE, 0), OP_FAILED, ERR_REFUSED, &out);
    assert_non_null(strstr(out.err.text, "session 12 (app@host), 1800 s: an open transaction"));
    order_out_done(&out);
    expect_open(5000);
    expect_look(open);
    expect_waits_long("0");
    expect_long("", "13|app@host|7|ALTER TABLE t ENGINE=InnoDB");
    expect_waits_long("0");
    expect_long("", "13|app@host|7|ALTER TABLE t ENGINE=InnoDB");
    EXPECT("KILL 13");
    expect_waits_long("0");
    expect_long("", "");
    expect_read_only(ERR_NONE);
    expect_look(closed);
    expect_waits("0");
    act(ORDER_SET_CLOSED, to_close(ORDER_CLOSE, 20), OP_DONE, ERR_NONE, NULL);
}
BOTH(a_long_transaction_keeps_it_open)

/* ---- the old primary's server ------------------------------------------------------------------------- */

/* A process that works in `dir` and holds the lock on its first file, as a server does. */
static pid_t a_server(const char *dir)
{
    AUTOFREE char *path = xasprintf("%s/ibdata1", dir);
    int ready[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        FILE *f = fopen(path, "w");
        bool held = f && chdir(dir) == 0 && lockf(fileno(f), F_TLOCK, 0) == 0;
        _exit(held && write(ready[1], "x", 1) == 1 ? pause() : 1);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

/* Nobody has told the agent which process it is: the lock on its data does. */
static void a_server_is_killed_by_what_it_holds(void **state)
{
    (void)state;
    Err err;
    char dir[] = "/tmp/siding-order-XXXXXX";
    assert_non_null(mkdtemp(dir));
    pid_t pid = a_server(dir);
    signal(SIGCHLD, SIG_IGN); /* no zombie, which would hold nothing either */
    OrderOut out = {0};
    OrderIn in = {.act = ORDER_KILL_SERVER, .place = {.data_folder = dir}};
    assert_true(op_order(&in, NULL, &out));
    /* Its files are closed, which is what frees the lock; the process itself goes a moment later. */
    for (int i = 0; i < 500 && kill(pid, 0) == 0; i++)
        clock_sleep_ms(10);
    assert_int_equal(kill(pid, 0), -1);
    order_out_done(&out);
    /* Again: there is none. */
    assert_true(op_order(&in, NULL, &out));
    order_out_done(&out);
    /* Where nothing is known of it, it is not said to be gone. */
    OrderIn unknown = {.act = ORDER_KILL_SERVER};
    assert_false(op_order(&unknown, NULL, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_CONFLICT);
    order_out_done(&out);
    assert_ok(fs_remove_tree(dir, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(the_receiver_is_stopped_for_good),
        TESTS_OF(a_lock_that_keeps_the_probe_is_ended),
        TESTS_OF(a_stop_that_waits_for_a_lock),
        TESTS_OF(tables_that_are_locked_by_name_are_free_before_it_opens),
        TESTS_OF(it_follows_and_does_not_acknowledge_yet),
        TESTS_OF(the_old_primary_follows_as_the_named_account),
        TESTS_OF(one_that_is_ahead_does_not_follow),
        TESTS_OF(one_that_the_new_primary_refuses_does_not_follow),
        TESTS_OF(it_acknowledges_from_the_next_connection_on),
        TESTS_OF(what_it_has_received_is_acknowledged_too),
        TESTS_OF(what_cannot_be_said_yet_is_said_again),
        TESTS_OF(one_that_was_stopped_is_not_started_to_acknowledge),
        TESTS_OF(who_is_left_out_is_made_silent),
        TESTS_OF(it_opens_strictly),
        TESTS_OF(semi_sync_that_is_a_persons_is_left),
        TESTS_OF(a_probe_is_a_commit_that_is_acknowledged),
        TESTS_OF(it_is_closed_when_nobody_waits),
        TESTS_OF(one_that_follows_already_receives_nothing_more),
        TESTS_OF(commits_that_wait_keep_it_open),
        TESTS_OF(a_long_transaction_keeps_it_open),
        cmocka_unit_test(a_server_is_killed_by_what_it_holds),
    };
    return cmocka_run_group_tests_name("the acts of a failover", tests, NULL, NULL);
}
