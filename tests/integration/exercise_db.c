/* SPDX-License-Identifier: Apache-2.0
 * db.c on a real pair: values, LOAD DATA, connections that are lost, slow, or by TLS.
 */
#include "pair.h"

#include <pthread.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/db/flavor.h"

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

/* TLS: test_repl.py gives DB1's own certificate, an account that wants TLS, and two CAs. */
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

int main(void)
{
    const struct CMUnitTest by_tls[] = {
        cmocka_unit_test(tls_to_the_server_that_the_ca_vouches_for),
        cmocka_unit_test(and_to_no_other),
    };
    if (getenv("DB_TLS_CA"))
        return cmocka_run_group_tests(by_tls, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(wrong_counts_and_no_rows),
        cmocka_unit_test(streams_end_clean),
        cmocka_unit_test(load_data_is_fed),
        cmocka_unit_test(a_killed_connection_is_lost),
        cmocka_unit_test(a_deadline_ends_the_wait),
        cmocka_unit_test(a_cancel_ends_the_wait),
        cmocka_unit_test(connecting_fails_by_kind),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
