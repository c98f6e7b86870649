/* SPDX-License-Identifier: Apache-2.0
 * A drain on a server: every statement, in order, on both flavours.
 */
#include "orderscript.h"

/* Those who hold what its applier waits for all through a moment are ended; one that may not be is named. */
static void locks_of_others_end_with_a_drain(void)
{
    Relay r;
    OrderOut out;
    relay_begin(&r, 7);
    View v = view_at(5);
    v.io = REPL_IO_NO;
    v.received = 7;
    for (int i = 0; i < 3; i++) {
        expect_open(5000);
        expect_look(v);
        expect_paths(&r);
        expect_semi_sync(i == 0, false);
        if (i == 0) {
            EXPECT(WAITING, "ID|ours", "");
            EXPECT(d->semi_sync_off);
        }
        EXPECT(word("SELECT MASTER_GTID_WAIT('…", "SELECT WAIT_FOR_EXECUTED_GTID_SET('…"), "w",
               word("-1", "1"));
        expect_look(v);
        EXPECT(BLOCKED, "n", "1");
        EXPECT(BLOCKED, "n", i == 0 ? "0" : "1");
        if (i)
            EXPECT(CLIENTS, "ID|who|s|what", "16|app@host|40|Sleep\n17|root@host|2|Sleep");
        if (i)
            EXPECT("KILL 16");
        if (i)
            EXPECT("KILL 17", .fail = i == 1 ? ERR_NONE : ERR_DB, .code = 1095);
        act(ORDER_APPLY_ALL, order_for(ORDER_DRAIN, NULL, NULL), i == 2 ? OP_FAILED : OP_WAITING,
            i == 2 ? ERR_REFUSED : ERR_TIMEOUT, &out);
        assert_int_equal(out.told != NULL, i == 1);
        if (i == 2)
            assert_non_null(strstr(out.err.text, "KILL 17"));
        order_out_done(&out);
    }
    relay_end(&r);
}
BOTH(locks_of_others_end_with_a_drain)

/* A donor without a position would never be through. */
static void a_donor_gives_up_to_a_position(void)
{
    Relay r;
    OrderOut out;
    relay_begin(&r, 5);
    View behind = both_stopped_at(5), all = both_stopped_at(7);
    expect_open(5000);
    expect_look(behind);
    expect_paths(&r);
    act(ORDER_APPLY_ALL, order_for(ORDER_DRAIN, "db2", NULL), OP_FAILED, ERR_USAGE, NULL);
    View fetches = view_at(7);
    fetches.source_host = "db2";
    expect_open(5000);
    expect_look(fetches);
    EXPECT(d->stop_both);
    expect_look(all);
    act(ORDER_APPLY_ALL, order_for(ORDER_DRAIN, "db2", at_trx(7)), OP_DONE, ERR_NONE, &out);
    assert_string_equal(out.received, at_trx(7));
    order_out_done(&out);
    relay_end(&r);
}
BOTH(a_donor_gives_up_to_a_position)

static void a_drain_ends_when_all_is_applied(void)
{
    Relay r;
    OrderOut out;
    relay_begin(&r, 7);
    View v = view_at(5);
    v.io = REPL_IO_NO;
    v.received = 7;
    expect_open(5000);
    expect_look(v);
    expect_paths(&r);
    expect_semi_sync(false, false);
    EXPECT(word("SELECT MASTER_GTID_WAIT('…", "SELECT WAIT_FOR_EXECUTED_GTID_SET('…"), "w", word("-1", "1"));
    expect_look(v);
    EXPECT(BLOCKED, "n", "0");
    act(ORDER_APPLY_ALL, order_for(ORDER_DRAIN, NULL, NULL), OP_WAITING, ERR_TIMEOUT, NULL);
    /* It stands: it is for the start to apply what the files hold. */
    v.sql = false;
    expect_open(5000);
    expect_look(v);
    expect_paths(&r);
    expect_semi_sync(false, false);
    act(ORDER_APPLY_ALL, order_for(ORDER_DRAIN, NULL, NULL), OP_WAITING, ERR_TIMEOUT, NULL);
    View all = both_stopped_at(7);
    expect_open(5000);
    expect_look(all);
    expect_paths(&r);
    act(ORDER_APPLY_ALL, order_for(ORDER_DRAIN, NULL, NULL), OP_DONE, ERR_NONE, &out);
    assert_string_equal(out.received, at_trx(7));
    order_out_done(&out);
    /* Somebody has started the receiver. */
    expect_open(5000);
    expect_look(view_at(7));
    act(ORDER_APPLY_ALL, order_for(ORDER_DRAIN, NULL, NULL), OP_FAILED, ERR_CONFLICT, NULL);
    relay_end(&r);
}
BOTH(a_drain_ends_when_all_is_applied)

static void expect_delay_lifted(View *v)
{
    EXPECT(d->stop_both);
    v->sql = false;
    expect_look(*v);
    if (is_mariadb())
        return;
    EXPECT(
        "CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION=0, SOURCE_DELAY=0, RELAY_LOG_FILE='relay.000001', "
        "RELAY_LOG_POS=683");
    EXPECT("START REPLICA SQL_THREAD");
    v->sql = true;
    v->delay_s = 0;
    expect_look(*v);
    EXPECT("SELECT WAIT_FOR_EXECUTED_GTID_SET('…", "w", "1");
    expect_look(*v);
    EXPECT(BLOCKED, "n", "0");
}

/* It would be waited for as long as its delay is. MySQL would throw away what its relay files hold; with
 * MariaDB a rescue applies that, once both threads stand. What the delay was is written down before. */
static void a_donor_is_not_waited_for_as_long_as_its_delay(void)
{
    Relay r;
    relay_begin(&r, 7);
    View v = view_at(5);
    v.io = REPL_IO_NO;
    v.received = 7;
    v.delay_s = 3600;
    expect_open(5000);
    expect_look(v);
    expect_paths(&r);
    expect_semi_sync(false, false);
    act(ORDER_APPLY_ALL, order_for(ORDER_DRAIN, "db1", at_trx(7)), OP_FAILED, ERR_CONFLICT, NULL);
    order_script.delay_s = 3600;
    expect_open(5000);
    expect_look(v);
    expect_paths(&r);
    expect_semi_sync(false, false);
    expect_delay_lifted(&v);
    act(ORDER_APPLY_ALL, order_for(ORDER_DRAIN, "db1", at_trx(7)), OP_WAITING, ERR_TIMEOUT, NULL);
    View all = both_stopped_at(7);
    expect_open(5000);
    expect_look(all);
    expect_paths(&r);
    act(ORDER_APPLY_ALL, order_for(ORDER_DRAIN, "db1", at_trx(7)), OP_DONE, ERR_NONE, NULL);
    order_script.delay_s = 0;
    relay_end(&r);
}
BOTH(a_donor_is_not_waited_for_as_long_as_its_delay)

/* Also where it points there already: MySQL's position by GTID was given up for it. */
static void a_delay_that_was_lifted_comes_back(void)
{
    View v = both_stopped_at(5);
    v.source_host = "db2";
    order_script.delay_s = 3600;
    for (int i = 0; i < 2; i++) {
        expect_open(5000);
        expect_look(v);
        EXPECT(STARTS, "ID", "");
        EXPECT(d->stop_both);
        expect_look(v);
        expect_semi_sync(false, false);
        EXPECT(
            word("SET GLOBAL rpl_semi_sync_slave_enabled=0", "SET GLOBAL rpl_semi_sync_replica_enabled=0"));
        if (i == 0)
            EXPECT(word("CHANGE MASTER TO MASTER_HOST='db2', MASTER_PORT=3306, MASTER_CONNECT_RETRY=1, "
                        "MASTER_USE_GTID=slave_pos, MASTER_DELAY=3600",
                        "CHANGE REPLICATION SOURCE TO SOURCE_HOST='db2', SOURCE_PORT=3306, "
                        "SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=86400, SOURCE_AUTO_POSITION=1, "
                        "SOURCE_DELAY=3600"));
        EXPECT(d->start_both);
        View follows = view_at(5);
        follows.source_host = "db2";
        follows.delay_s = 3600;
        expect_look(follows);
        act(ORDER_REPOINT, order_for(ORDER_FOLLOW, "db2", at_trx(6)), OP_DONE, ERR_NONE, NULL);
        v.delay_s = 3600;
    }
    order_script.delay_s = 0;
}
BOTH(a_delay_that_was_lifted_comes_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(a_drain_ends_when_all_is_applied),
        TESTS_OF(locks_of_others_end_with_a_drain),
        TESTS_OF(a_donor_gives_up_to_a_position),
        TESTS_OF(a_donor_is_not_waited_for_as_long_as_its_delay),
        TESTS_OF(a_delay_that_was_lifted_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
