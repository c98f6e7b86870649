/* SPDX-License-Identifier: Apache-2.0
 * db.c and repl.c on a real pair: DB0_SOCKET is a primary, DB1_SOCKET its replica, both allow the caller to
 * do everything. test_repl.py runs it on each flavour.
 */
#include "tests/unit/test.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/db/db.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "common/db/repl.h"
#include "common/db/servercheck.h"
#include "common/db/session.h"

static Db *primary, *replica;

static DbTarget target_of(int node)
{
    return (DbTarget){.socket = getenv(node ? "DB1_SOCKET" : "DB0_SOCKET"), .user = (char *)"root"};
}

static Db *connect_to(int node, int64_t timeout_ms)
{
    Err err;
    Db *db = NULL;
    DbTarget t = target_of(node);
    assert_ok(db_connect(&t, timeout_ms, &db, &err), err);
    return db;
}

static void run(Db *db, const char *sql)
{
    Err err;
    if (!db_exec(db, &err, sql, ""))
        fail_msg("%s: %s", sql, err.text);
}

static DbFlavor flavor(void)
{
    return db_version(primary)->flavor;
}

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

static int64_t count(Db *db, const char *sql)
{
    Err err;
    int64_t n = -1;
    assert_ok(db_value_int(db, &n, &err, sql, ""), err);
    return n;
}

/* ---- values --------------------------------------------------------------------------------------- */

static void values_come_back(void **state)
{
    (void)state;
    Err err;
    static const char bytes[] = "a'b\\c\"d\0e\nf\r\x1a?\xff\xfe";
    const char *utf8 = "\xf0\x9f\x9a\x82 it's \\ ? %s \"x\" `y`";
    run(primary, "CREATE TABLE siding_x.v (id INT AUTO_INCREMENT PRIMARY KEY, b BLOB, t TEXT, i BIGINT,"
                 " at DATETIME(3), d DECIMAL(10,3), f DOUBLE, bit8 BIT(8))");
    int64_t rows = 0, id = 0;
    assert_ok(db_exec_affected(primary, &rows, &id, &err,
                               "INSERT INTO siding_x.v (b, t, i, at, d, f, bit8)"
                               " VALUES (?, ?, ?, ?, ?, 1.5e10, b'1010') /* ? */",
                               "bsiss", (const void *)bytes, sizeof bytes - 1, utf8, INT64_MIN,
                               "2026-11-23 21:00:00.123", "-7.250"),
              err);
    assert_int_equal(rows, 1);
    assert_true(id > 0);
    DbRows *r;
    bool more;
    assert_ok(
        db_query(primary, &r, &err,
                 "SELECT b, t, i, at, d, f, bit8, NULL AS nothing, '?' AS mark FROM siding_x.v WHERE id=?"
                 " AND t=? AND (? IS NULL) LIMIT ?",
                 "issi", id, utf8, NULL, (int64_t)1),
        err);
    assert_ok(db_next(r, &more, &err), err);
    assert_true(more);
    size_t n;
    const char *p = db_field(r, 0, &n);
    assert_int_equal(n, sizeof bytes - 1);
    assert_memory_equal(p, bytes, n);
    assert_string_equal(db_text(r, "t"), utf8);
    assert_int_equal(db_int(r, "i"), INT64_MIN);
    assert_string_equal(db_text(r, "at"), "2026-11-23 21:00:00.123");
    assert_string_equal(db_text(r, "d"), "-7.250");
    assert_string_equal(db_text(r, "f"), "15000000000");
    assert_null(db_field(r, 7, NULL));
    assert_string_equal(db_text(r, "mark"), "?");
    assert_string_equal(db_text(r, "absent"), "");
    assert_true(db_column_is_number(r, 2) && db_column_is_number(r, 4) && db_column_is_number(r, 5));
    assert_false(db_column_is_number(r, 3) || db_column_is_number(r, 1));
    assert_true(db_column_is_bit(r, 6) && !db_column_is_number(r, 6));
    assert_ok(db_next(r, &more, &err), err);
    assert_false(more);
    db_rows_free(r);
}

static void wrong_counts_and_no_rows(void **state)
{
    (void)state;
    Err err;
    char *value = NULL;
    assert_false(db_exec(primary, &err, "SELECT ?", "ii", (int64_t)1, (int64_t)2));
    assert_false(db_exec(primary, &err, "SELECT ?, ?", "i", (int64_t)1));
    assert_false(db_value(primary, &value, &err, "SELECT 1 FROM DUAL WHERE 1=?", "i", (int64_t)2));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_ok(db_value(primary, &value, &err, "SELECT NULL", ""), err);
    assert_null(value);
    assert_false(db_exec(primary, &err, "SELEC 1", ""));
    assert_int_equal(err.kind, ERR_DB);
    assert_int_equal(err.code, 1064);
    run(primary, "DO 1"); /* still in step */
}

static void streams_end_clean(void **state)
{
    (void)state;
    Err err;
    DbRows *r;
    bool more = true;
    int64_t n = 0;
    const char *sql =
        "WITH RECURSIVE s AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM s WHERE i < 900) SELECT i,"
        " REPEAT('x', 1000) FROM s";
    assert_ok(db_stream(primary, &r, &err, sql), err);
    while (more) {
        assert_ok(db_next(r, &more, &err), err);
        n += more;
    }
    assert_int_equal(n, 900);
    db_rows_free(r);
    assert_ok(db_stream(primary, &r, &err, sql), err);
    assert_ok(db_next(r, &more, &err), err);
    db_rows_free(r); /* left early */
    assert_int_equal(count(primary, "SELECT 7"), 7);
}

/* ---- LOAD DATA ------------------------------------------------------------------------------------- */

typedef struct Source {
    int64_t left;
    int64_t fail_at;
} Source;

static ssize_t feed(void *arg, char *buffer, size_t n, Err *err)
{
    Source *s = arg;
    if (s->left == s->fail_at) {
        err_set(err, ERR_CORRUPT, 0, "the file ends too soon");
        return -1;
    }
    if (!s->left)
        return 0;
    int used = snprintf(buffer, n, "%lld\ttext\\t%lld\n", (long long)s->left, (long long)s->left);
    s->left--;
    return used;
}

static void load_data_is_fed(void **state)
{
    (void)state;
    Err err;
    int64_t rows = 0;
    const char *sql = "LOAD DATA LOCAL INFILE 'x' INTO TABLE siding_x.l CHARACTER SET utf8mb4 (id, t)";
    run(primary, "CREATE TABLE siding_x.l (id INT PRIMARY KEY, t TEXT)");
    Source good = {.left = 5000, .fail_at = -1}, bad = {.left = 9000, .fail_at = 8000};
    assert_ok(db_load_data(primary, sql, feed, &good, &rows, &err), err);
    assert_int_equal(rows, 5000);
    assert_int_equal(count(primary, "SELECT COUNT(*) FROM siding_x.l WHERE t=CONCAT('text\\t', id)"), 5000);
    run(primary, "BEGIN");
    run(primary, "DELETE FROM siding_x.l");
    assert_false(db_load_data(primary, sql, feed, &bad, &rows, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_string_equal(err.text, "the file ends too soon");
    (void)!db_exec(primary, &err, "ROLLBACK", "");
    db_close(primary);
    primary = connect_to(0, 20000);
    assert_int_equal(count(primary, "SELECT COUNT(*) FROM siding_x.l"), 5000);
    /* No other statement gets at a local file. */
    assert_false(
        db_exec(primary, &err, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE siding_x.l (t)", ""));
    assert_int_equal(count(primary, "SELECT COUNT(*) FROM siding_x.l"), 5000);
}

/* ---- lost and slow --------------------------------------------------------------------------------- */

static void a_killed_connection_is_lost(void **state)
{
    (void)state;
    Err err;
    Db *db = connect_to(0, 20000);
    DbTarget t = target_of(0);
    assert_ok(db_kill(&t, db_connection_id(db), &err), err);
    assert_ok(db_kill(&t, 999999999, &err), err);
    assert_false(db_exec(db, &err, "DO 1", ""));
    assert_int_equal(err.kind, ERR_LOST);
    db_close(db);
}

static void a_deadline_ends_the_wait(void **state)
{
    (void)state;
    Err err;
    static const char *const fmts[] = {"", "i"};
    static const char *const sqls[] = {"SELECT SLEEP(20)", "SELECT SLEEP(20), ?"};
    for (size_t i = 0; i < COUNT(fmts); i++) {
        Db *db = connect_to(0, 20000);
        db_set_timeout(db, 600);
        int64_t at = clock_mono_ms();
        assert_false(db_exec(db, &err, sqls[i], fmts[i], (int64_t)1));
        int64_t took = clock_mono_ms() - at;
        assert_int_equal(err.kind, ERR_TIMEOUT);
        assert_in_range(took, 500, 3000);
        DbTarget t = target_of(0);
        uint64_t id = db_connection_id(db);
        assert_ok(db_kill(&t, id, &err), err);
        /* Whatever is asked of it now fails: an answer could belong to the statement before. */
        assert_false(db_exec(db, &err, "DO 1", ""));
        assert_int_equal(err.kind, ERR_LOST);
        db_close(db);
    }
}

static void *cancel_soon(void *arg)
{
    usleep(100000);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

/* The wait ends, not the statement, and the connection is of no use any more. */
static void a_cancel_ends_the_wait(void **state)
{
    (void)state;
    Err err;
    pthread_t t;
    atomic_bool cancel = false;
    Db *db = connect_to(0, 20000);
    db_set_cancel(db, &cancel);
    assert_int_equal(pthread_create(&t, NULL, cancel_soon, &cancel), 0);
    assert_false(db_exec(db, &err, "SELECT SLEEP(20)", ""));
    assert_int_equal(err.kind, ERR_CANCELLED);
    pthread_join(t, NULL);
    assert_false(db_exec(db, &err, "DO 1", ""));
    assert_int_equal(err.kind, ERR_CANCELLED);
    DbTarget at = target_of(0);
    assert_ok(db_kill(&at, db_connection_id(db), &err), err);
    db_set_cancel(db, NULL);
    assert_false(db_exec(db, &err, "DO 1", ""));
    assert_int_equal(err.kind, ERR_LOST);
    db_close(db);
}

static void connecting_fails_by_kind(void **state)
{
    (void)state;
    Err err;
    Db *db = NULL;
    DbTarget nobody = {.host = (char *)"127.0.0.1", .port = 1, .user = (char *)"root"};
    assert_false(db_connect(&nobody, 1000, &db, &err));
    assert_int_equal(err.kind, ERR_UNREACHABLE);
    DbTarget stranger = target_of(0);
    stranger.user = (char *)"stranger";
    stranger.password = (char *)"x";
    assert_false(db_connect(&stranger, 1000, &db, &err));
    assert_int_equal(err.kind, ERR_AUTH);
    assert_null(db);
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

/* ---- TLS: test_repl.py gives DB1's own certificate, an account that wants TLS, and two CAs ---------- */

static bool connect_by_tls(const char *ca, Db **ret, Err *err)
{
    DbTarget t = {.host = (char *)"127.0.0.1",
                  .port = atoi(getenv("DB1_PORT")),
                  .user = (char *)"by_tls",
                  .password = (char *)"for the wire",
                  .tls_ca = getenv(ca)};
    return db_connect(&t, 5000, ret, err);
}

static void tls_to_the_server_that_the_ca_vouches_for(void **state)
{
    (void)state;
    Err err;
    Db *db = NULL;
    DbRows *rows;
    bool more = false;
    assert_ok(connect_by_tls("DB_TLS_CA", &db, &err), err);
    assert_ok(db_query(db, &rows, &err, "SHOW SESSION STATUS LIKE 'Ssl_cipher'", ""), err);
    assert_true(db_next(rows, &more, &err) && more);
    assert_string_not_equal(db_text(rows, "Value"), "");
    db_rows_free(rows);
    db_close(db);
}

static void and_to_no_other(void **state)
{
    (void)state;
    Err err;
    Db *db = NULL;
    assert_false(connect_by_tls("DB_TLS_OTHER_CA", &db, &err));
    assert_null(db);
}

/* ---- replication ----------------------------------------------------------------------------------- */

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

/* ---- sessions ------------------------------------------------------------------------------------- */

/* A global that would make something else of a session. */
static const struct {
    const char *name, *value;
} hostile[] = {
    {"sql_mode", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"},
    {"time_zone", "'+05:00'"},
    {"autocommit", "0"},
    {"sql_select_limit", "3"},
    {"max_join_size", "1000"},
    {"sql_big_selects", "0"},
    {"sql_safe_updates", "1"},
    {"sql_auto_is_null", "1"},
    {"max_recursive_iterations", "5"},
    {"cte_max_recursion_depth", "5"},
    {"standard_compliant_cte", "0"},
    {"system_versioning_asof", "'2020-01-01 00:00:00'"},
    {"tx_isolation", "'READ-UNCOMMITTED'"},
    {"transaction_isolation", "'READ-UNCOMMITTED'"},
    {"innodb_snapshot_isolation", "1"},
    {"group_concat_max_len", "8"},
    {"max_sort_length", "64"},
    {"default_week_format", "6"},
    {"div_precision_increment", "0"},
    {"lc_time_names", "'de_DE'"},
    {"lc_messages", "'de_DE'"},
    {"default_regex_flags", "'DOTALL'"},
    {"max_error_count", "0"},
    {"old_mode", "''"},
    {"block_encryption_mode", "'aes-256-cbc'"},
    {"windowing_use_high_precision", "0"},
    {"sql_quote_show_create", "0"},
    {"show_create_table_verbosity", "1"},
    {"show_gipk_in_create_table_and_information_schema", "0"},
    {"sql_if_exists", "1"},
    {"system_versioning_alter_history", "'KEEP'"},
    {"system_versioning_insert_history", "1"},
    {"foreign_key_checks", "0"},
    {"unique_checks", "0"},
    {"check_constraint_checks", "0"},
    {"tx_read_only", "1"},
    {"transaction_read_only", "1"},
    {"completion_type", "'RELEASE'"},
    {"sql_notes", "0"},
    {"max_statement_time", "7"},
    {"max_execution_time", "7"},
    {"wait_timeout", "7"},
    {"idle_transaction_timeout", "7"},
    {"idle_readonly_transaction_timeout", "7"},
    {"idle_write_transaction_timeout", "7"},
    {"net_read_timeout", "7"},
    {"net_write_timeout", "7"},
    {"lock_wait_timeout", "7"},
    {"innodb_lock_wait_timeout", "7"},
    {"sql_buffer_result", "1"},
    {"note_verbosity", "''"},
    {"terminology_use_previous", "'BEFORE_8_0_26'"},
    {"default_collation_for_utf8mb4", "'utf8mb4_general_ci'"},
    {"sql_require_primary_key", "1"},
    {"restrict_fk_on_non_standard_key", "1"},
    {"show_create_table_skip_secondary_engine", "1"},
};

static const char *hostile_value(const char *name)
{
    for (size_t i = 0; i < COUNT(hostile); i++)
        if (str_eq(hostile[i].name, name))
            return hostile[i].value;
    fail_msg("%s has no hostile value in this test", name);
    return NULL;
}

static Db *connect_plain(Err *err)
{
    DbTarget t = {.socket = getenv("DB0_SOCKET"), .user = (char *)"plain", .password = (char *)"a p"};
    Db *db = NULL;
    return db_connect(&t, 0, &db, err) ? db : NULL;
}

static char *value_at(Db *db, const char *scope, const char *name)
{
    Err err;
    char *value = NULL;
    AUTOFREE char *sql = xasprintf("SELECT COALESCE(@@%s.%s, 'NULL')", scope, name);
    assert_ok(db_value(db, &value, &err, sql, ""), err);
    return value;
}

static void set_global(const char *name, const char *value, bool quoted)
{
    bool word = !*value || value[strspn(value, "0123456789.")];
    const char *quote = quoted && word && !str_eq(value, "DEFAULT") ? "'" : "";
    AUTOFREE char *sql = xasprintf("SET GLOBAL %s=%s%s%s", name, quote, value, quote);
    run(primary, sql);
}

static void read_all(Db *db, const char *scope, const StrList *names, StrList *ret)
{
    for (size_t i = 0; i < names->n; i++) {
        AUTOFREE char *value = value_at(db, scope, names->v[i]);
        strlist_add(ret, value);
    }
}

/* Whatever the server's globals and its init_connect say. */
static void a_session_is_ours(void **state)
{
    (void)state;
    Err err;
    size_t n;
    const SessionVariable *v = session_variables(&n);
    StrList names = STRLIST_INIT, globals = STRLIST_INIT, ours = STRLIST_INIT, bad = STRLIST_INIT,
            now = STRLIST_INIT;
    run(primary, "CREATE USER plain@localhost IDENTIFIED BY 'a p'");
    Db *db = connect_plain(&err);
    assert_non_null(db);
    for (size_t i = 0; i < n; i++)
        if (v[i].how == SESSION_SET && v[i].name[flavor()])
            strlist_add(&names, v[i].name[flavor()]);
    read_all(primary, "global", &names, &globals);
    read_all(db, "session", &names, &ours);
    AUTO(str_done) Str again = STR_INIT;
    session_sql(flavor(), &again);
    run(db, str_z(&again)); /* in strict mode a value out of range is an error */
    db_close(db);
    assert_true(names.n > 30);
    for (size_t i = 0; i < names.n; i++)
        set_global(names.v[i], hostile_value(names.v[i]), false);
    run(primary, "SET GLOBAL init_connect='SET sql_select_limit=1, group_concat_max_len=4, autocommit=0'");
    db = connect_plain(&err);
    read_all(primary, "global", &names, &bad);
    if (db)
        read_all(db, "session", &names, &now);
    for (size_t i = 0; i < names.n; i++)
        set_global(names.v[i], globals.v[i], true);
    run(primary, "SET GLOBAL init_connect=''");
    if (!db)
        fail_msg("%s", err.text);
    db_close(db);
    for (size_t i = 0; i < names.n; i++)
        if (str_eq(bad.v[i], ours.v[i]))
            fail_msg("%s: the hostile value is the wanted one", names.v[i]);
        else if (!str_eq(now.v[i], ours.v[i]))
            fail_msg("%s is %s in the session, not %s", names.v[i], now.v[i], ours.v[i]);
    StrList *const lists[] = {&names, &globals, &ours, &bad, &now};
    for (size_t i = 0; i < COUNT(lists); i++)
        strlist_done(lists[i]);
}

/* What a plain account may not set is read back, and refused with the setting that mends it. */
static void a_session_that_cannot_be_ours_is_refused(void **state)
{
    (void)state;
    Err err;
    AUTOFREE char *errors = value_at(primary, "global", "max_error_count"),
                  *packet = value_at(primary, "global", "max_allowed_packet");
    run(primary, "SET GLOBAL max_error_count=0");
    Db *db = connect_plain(&err);
    if (db) {
        AUTOFREE char *now = value_at(db, "session", "max_error_count");
        assert_string_equal(now, "1024");
    } else {
        assert_int_equal(err.kind, ERR_REFUSED);
        assert_non_null(strstr(err.text, "SET GLOBAL max_error_count=64"));
    }
    db_close(db);
    db = connect_to(0, 20000); /* may set it */
    assert_true(count(db, "SELECT @@session.max_error_count") >= 64);
    set_global("max_error_count", errors, true);
    run(db, "SET GLOBAL max_allowed_packet=65536");
    db_close(db);
    db = connect_plain(&err);
    set_global("max_allowed_packet", packet, true);
    assert_null(db);
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_non_null(strstr(err.text, "SET GLOBAL max_allowed_packet=1048576"));
    run(primary, "DROP USER plain@localhost");
}

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    primary = connect_to(0, 20000);
    replica = connect_to(1, 20000);
    run(primary, "DROP DATABASE IF EXISTS siding_x");
    run(primary, "CREATE DATABASE siding_x");
    return 0;
}

static int end(void **state)
{
    (void)state;
    run(primary, "DROP DATABASE siding_x");
    db_close(primary);
    db_close(replica);
    return 0;
}

int main(void)
{
    if (!getenv("DB0_SOCKET") || !getenv("DB1_SOCKET")) {
        fprintf(stderr, "exercise_db: DB0_SOCKET and DB1_SOCKET must be set\n");
        return 2;
    }
    const struct CMUnitTest tls[] = {
        cmocka_unit_test(tls_to_the_server_that_the_ca_vouches_for),
        cmocka_unit_test(and_to_no_other),
    };
    if (getenv("DB_TLS_CA"))
        return cmocka_run_group_tests(tls, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(wrong_counts_and_no_rows),
        cmocka_unit_test(streams_end_clean),
        cmocka_unit_test(load_data_is_fed),
        cmocka_unit_test(a_killed_connection_is_lost),
        cmocka_unit_test(a_deadline_ends_the_wait),
        cmocka_unit_test(a_cancel_ends_the_wait),
        cmocka_unit_test(connecting_fails_by_kind),
        cmocka_unit_test(a_session_is_ours),
        cmocka_unit_test(a_session_that_cannot_be_ours_is_refused),
        cmocka_unit_test(the_server_process_is_known),
        cmocka_unit_test(stop_until_start),
        cmocka_unit_test(no_start_without_a_receiver),
        cmocka_unit_test(settings_boost_and_return),
        cmocka_unit_test(read_only_and_semi_sync),
        cmocka_unit_test(servers_are_checked),
        cmocka_unit_test(a_missing_grant_is_told),
        cmocka_unit_test(a_stop_beyond_its_deadline),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
