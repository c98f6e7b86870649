/* SPDX-License-Identifier: Apache-2.0
 * repl.c and servercheck.c on a real pair: stopping and starting, settings, what a server lacks.
 */
#include "pair.h"

#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "common/db/repl.h"
#include "common/db/servercheck.h"

/* What the primary has committed. */
static char *written(void)
{
    Err err;
    ReplStatus s = {0};
    assert_ok(repl_read(primary, &s, &err), err);
    char *gtid = STEAL(s.binlog);
    repl_status_done(&s);
    return gtid;
}

static void expect_applied(const char *gtid, bool expected)
{
    Err err;
    bool reached = false;
    assert_ok(repl_wait_applied(replica, gtid, expected ? 10000 : 300, &reached, &err), err);
    assert_int_equal(reached, expected);
}

static void the_server_process_is_known(void **state)
{
    (void)state;
    pid_t pid = db_server_pid(primary);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, 0), 0);
    Err err;
    bool skips = false;
    assert_ok(repl_skips_start_at_boot(replica, db_server_pid(replica), &skips, &err), err);
    assert_true(skips);
    assert_ok(flavor_check_version(db_version(primary), &err), err);
}

static void stop_until_start(void **state)
{
    (void)state;
    Err err;
    ReplStatus s = {0};
    run(primary, "CREATE TABLE siding_x.r (id INT PRIMARY KEY)");
    AUTOFREE char *before = written();
    expect_applied(before, true);
    assert_ok(repl_stop_sql(replica, &err), err);
    assert_ok(repl_read(replica, &s, &err), err);
    assert_true(s.is_replica && s.uses_gtid && !s.sql_running && s.read_only);
    assert_int_equal(s.io, REPL_IO_YES);
    assert_int_equal(s.channels, 1);
    assert_int_equal(gtid_compare_text(flavor(), s.applied, before), GTID_EQUAL);

    run(primary, "INSERT INTO siding_x.r VALUES (1)");
    run(primary, "INSERT INTO siding_x.r VALUES (2)");
    AUTOFREE char *middle = written();
    DbRows *r;
    bool more;
    assert_ok(db_query(primary, &r, &err, flavor_of(flavor())->show_binlog_status, ""), err);
    assert_ok(db_next(r, &more, &err), err);
    AUTOFREE char *file = xstrdup(db_text(r, "File"));
    int64_t pos = db_int(r, "Position");
    db_rows_free(r);
    run(primary, "INSERT INTO siding_x.r VALUES (3)");
    expect_applied(middle, false);

    assert_ok(repl_start_sql_until(replica, middle, file, pos, &err), err);
    expect_applied(middle, true);
    for (int64_t end = clock_mono_ms() + 5000;;) {
        assert_ok(repl_read(replica, &s, &err), err);
        if (!s.sql_running || clock_mono_ms() > end)
            break;
        usleep(20000);
    }
    assert_false(s.sql_running);
    assert_int_equal(gtid_compare_text(flavor(), s.applied, middle), GTID_EQUAL);
    assert_int_equal(count(replica, "SELECT MAX(id) FROM siding_x.r"), 2);
    AUTOFREE char *all = written();
    if (*s.received)
        assert_int_equal(gtid_compare_text(flavor(), s.received, all), GTID_EQUAL);
    assert_ok(repl_start_sql(replica, &err), err);
    expect_applied(all, true);
    repl_status_done(&s);
}

static void no_start_without_a_receiver(void **state)
{
    (void)state;
    Err err;
    assert_ok(repl_stop_both(replica, &err), err);
    assert_false(repl_start_sql(replica, &err));
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_false(repl_start_sql_until(replica, "", "binlog.000001", 4, &err));
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_ok(repl_start_both_purging(replica, &err), err);
    AUTOFREE char *all = written();
    expect_applied(all, true);
}

static bool settings_equal(const ReplSettings *a, const ReplSettings *b)
{
    return str_eq(a->sync_binlog, b->sync_binlog) && str_eq(a->flush_log, b->flush_log) &&
           str_eq(a->workers, b->workers) && str_eq(a->parallel_mode, b->parallel_mode);
}

static void settings_boost_and_return(void **state)
{
    (void)state;
    Err err;
    ReplSettings before = {0}, boosted = {0}, now = {0};
    assert_ok(repl_settings_read(replica, &before, &err), err);
    assert_string_equal(before.sync_binlog, "1");
    assert_string_equal(before.flush_log, "1");
    boosted = (ReplSettings){.sync_binlog = xstrdup("0"),
                             .flush_log = xstrdup("2"),
                             .workers = xstrdup("4"),
                             .parallel_mode = xstrdup(flavor() == DB_MARIADB ? "aggressive" : "")};
    assert_ok(repl_stop_sql(replica, &err), err);
    assert_ok(repl_settings_apply(replica, &boosted, true, &err), err);
    assert_ok(repl_settings_read(replica, &now, &err), err);
    assert_true(settings_equal(&boosted, &now));
    assert_ok(repl_start_sql(replica, &err), err);
    assert_ok(repl_settings_apply(replica, &before, false, &err), err);
    assert_ok(repl_settings_read(replica, &now, &err), err);
    assert_string_equal(now.sync_binlog, "1");
    assert_string_equal(now.workers, "4");
    assert_ok(repl_stop_sql(replica, &err), err);
    assert_ok(repl_settings_apply(replica, &before, true, &err), err);
    assert_ok(repl_settings_read(replica, &now, &err), err);
    assert_true(settings_equal(&before, &now));
    assert_ok(repl_start_sql(replica, &err), err);
    repl_settings_done(&before);
    repl_settings_done(&boosted);
    repl_settings_done(&now);
}

static void read_only_and_semi_sync(void **state)
{
    (void)state;
    Err err;
    ReplStatus s = {0};
    assert_ok(repl_set_read_only(primary, true, &err), err);
    assert_ok(repl_read(primary, &s, &err), err);
    assert_true(s.read_only);
    assert_ok(repl_set_read_only(primary, false, &err), err);
    assert_ok(repl_read(primary, &s, &err), err);
    assert_false(s.read_only);
    assert_false(s.is_replica);
    repl_status_done(&s);
    for (int set = 0; set < 2; set++) {
        ReplSemiSync semi_sync = {.source_set = !set};
        assert_ok(repl_set_semi_sync_source(primary, set, &err), err);
        assert_ok(repl_semi_sync_read_set(primary, &semi_sync, &err), err);
        assert_int_equal(set, semi_sync.source_set);
    }
    run(primary, "INSERT INTO siding_x.r VALUES (100)");
}

static const char *complaints(const WireList *findings)
{
    static char text[2000];
    const Finding *f = findings->v;
    *text = 0;
    for (size_t i = 0; i < findings->n; i++)
        if (strcmp(f[i].level, "ok") != 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", f[i].name);
    return text;
}

static void servers_are_checked(void **state)
{
    (void)state;
    Err err;
    run(primary, "CREATE TABLE siding_x.keyless (n INT, KEY (n))");
    AUTOFREE char *all = written();
    expect_applied(all, true);
    ServerFacts f = {0};
    WireList findings = {0};
    assert_ok(servercheck_read(replica, &f, &err), err);
    servercheck_judge(&f, "siding_agent", &findings);
    assert_string_equal(complaints(&findings), "keyless_tables ");
    assert_int_equal(f.keyless_count, 1);
    assert_string_equal(f.keyless.v[0], "siding_x.keyless");
    servercheck_free(&findings);
    server_facts_done(&f);
    run(primary, "DROP TABLE siding_x.keyless");
}

/* An account without rights is told the grant, instead of the first statement that fails. */
static void a_missing_grant_is_told(void **state)
{
    (void)state;
    Err err;
    run(primary, "CREATE USER siding_agent@localhost IDENTIFIED BY 'x'");
    DbTarget t = target_of(0);
    t.user = (char *)"siding_agent";
    t.password = (char *)"x";
    Db *db = NULL;
    ServerFacts f = {0};
    WireList findings = {0};
    assert_ok(db_connect(&t, 20000, &db, &err), err);
    assert_ok(servercheck_read(db, &f, &err), err);
    servercheck_judge(&f, "siding_agent", &findings);
    const Finding *bad = servercheck_first_error(&findings);
    assert_non_null(bad);
    assert_string_equal(bad->name, "grants");
    run(primary, bad->mend);
    servercheck_free(&findings);
    server_facts_done(&f);
    db_close(db);
    assert_ok(db_connect(&t, 20000, &db, &err), err);
    assert_ok(servercheck_read(db, &f, &err), err);
    servercheck_judge(&f, "siding_agent", &findings);
    assert_null(servercheck_first_error(&findings));
    servercheck_free(&findings);
    server_facts_done(&f);
    db_close(db);
    run(primary, "DROP USER siding_agent@localhost");
}

/* An abandoned STOP still stops: the applier is held by a lock of ours, the STOP runs into its deadline. */
static void a_stop_beyond_its_deadline(void **state)
{
    (void)state;
    Err err;
    Db *holder = connect_to(1, 20000), *stopper = connect_to(1, 20000);
    AUTOFREE char *all = written();
    expect_applied(all, true);
    run(holder, "BEGIN");
    run(holder, "SELECT COUNT(*) FROM siding_x.r");
    run(primary, "ALTER TABLE siding_x.r ADD COLUMN x INT");
    for (int64_t end = clock_mono_ms() + 5000; clock_mono_ms() < end;) {
        if (count(replica, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE"
                           " 'Waiting for table metadata lock%'"))
            break;
        usleep(20000);
    }
    db_set_timeout(stopper, 500);
    assert_false(repl_stop_sql(stopper, &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    DbTarget t = target_of(1);
    assert_ok(db_kill(&t, db_connection_id(stopper), &err), err);
    db_close(stopper);
    run(holder, "COMMIT");
    db_close(holder);
    ReplStatus s = {0};
    for (int64_t end = clock_mono_ms() + 10000; clock_mono_ms() < end;) {
        assert_ok(repl_read(replica, &s, &err), err);
        if (!s.sql_running)
            break;
        usleep(20000);
    }
    print_message("# the abandoned STOP %s\n", s.sql_running ? "did not stop" : "stopped later");
    if (!s.sql_running)
        assert_ok(repl_start_sql(replica, &err), err);
    repl_status_done(&s);
    AUTOFREE char *end = written();
    expect_applied(end, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_process_is_known), cmocka_unit_test(stop_until_start),
        cmocka_unit_test(no_start_without_a_receiver), cmocka_unit_test(settings_boost_and_return),
        cmocka_unit_test(read_only_and_semi_sync),     cmocka_unit_test(servers_are_checked),
        cmocka_unit_test(a_missing_grant_is_told),     cmocka_unit_test(a_stop_beyond_its_deadline),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
