/* SPDX-License-Identifier: Apache-2.0
 * Relay log scanning on files made here event by event: whole and torn groups, several domains and files.
 */
#include "binlogfile.h"

#include "common/db/binlog_end.h"

#include <unistd.h>

#include "common/db/binlog_query.h"

static void whole_files(void **state)
{
    (void)state;
    Err err;
    BinlogFiles f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT;
    bf_start(&a);
    bf_trx(&a, 0, 1, 5);
    bf_trx(&a, 3, 1, 9);
    bf_start(&b);
    bf_gtid(&b, 0, 2, 6, true);
    bf_query(&b, "CREATE TABLE t(a INT)");
    bf_gtid(&b, 0, 2, 7, false);
    bf_query(&b, "BEGIN");
    bf_query(&b, "COMMIT");
    bf_add(&f, &a);
    bf_add(&f, &b);
    BinlogScan s = {0};
    assert_ok(binlog_scan(&f.paths, &s, &err), err);
    assert_string_equal(s.last, "0-2-7,3-1-9");
    assert_int_equal(s.transactions, 4);
    assert_int_equal(s.bytes, a.len + b.len);
    assert_false(s.torn);
    binlog_scan_done(&s);
    bf_done(&f);
}

/* Cut anywhere, the scan finds the transactions before the cut and where the incomplete rest begins. */
static void torn_anywhere(void **state)
{
    (void)state;
    Err err;
    AUTO(str_done) Str a = STR_INIT;
    bf_start(&a);
    bf_trx(&a, 0, 1, 5);
    size_t first_end = a.len;
    bf_trx(&a, 0, 1, 6);
    for (size_t cut = first_end; cut < a.len; cut++) {
        BinlogFiles f = {0};
        Str part = {a.p, cut, cut};
        bf_add(&f, &part);
        BinlogScan s = {0};
        assert_ok(binlog_scan(&f.paths, &s, &err), err);
        assert_string_equal(s.last, "0-1-5");
        assert_int_equal(s.torn, cut > first_end);
        if (s.torn) {
            assert_int_equal(s.torn_pos, first_end);
            assert_string_equal(s.torn_file, f.paths.v[0]);
        }
        binlog_scan_done(&s);
        bf_done(&f);
    }
}

/* The receiver reconnected inside a group: the source sends it again in the next file. */
static void a_group_sent_again(void **state)
{
    (void)state;
    Err err;
    BinlogFiles f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT;
    bf_start(&a);
    bf_trx(&a, 0, 1, 5);
    bf_gtid(&a, 0, 1, 6, false);
    bf_query(&a, "BEGIN");
    bf_start(&b);
    bf_trx(&b, 0, 1, 6);
    bf_add(&f, &a);
    bf_add(&f, &b);
    BinlogScan s = {0};
    assert_ok(binlog_scan(&f.paths, &s, &err), err);
    assert_string_equal(s.last, "0-1-6");
    assert_int_equal(s.transactions, 2);
    assert_false(s.torn);
    binlog_scan_done(&s);
    bf_done(&f);
}

/* A kill cuts a file off; the server begins another at its next start, which is empty, or goes on with what
 * it fetches again. */
static void cut_by_a_kill(void **state)
{
    (void)state;
    static const struct {
        uint64_t next; /* 0: nothing follows */
        const char *last;
    } cases[] = {{0, "0-1-5"}, {5, "0-1-5"}, {6, "0-1-6"}, {4, "0-1-5"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        BinlogFiles f = {0};
        AUTO(str_done) Str a = STR_INIT, b = STR_INIT;
        bf_start(&a);
        bf_trx(&a, 0, 1, 5);
        bf_trx(&a, 0, 1, 6);
        bf_start(&b);
        if (cases[i].next)
            bf_trx(&b, 0, 1, cases[i].next);
        Str cut = {a.p, a.len - 3, a.len};
        bf_add(&f, &cut);
        bf_add(&f, &b);
        BinlogScan s = {0};
        assert_ok(binlog_scan(&f.paths, &s, &err), err);
        assert_string_equal(s.last, cases[i].last);
        assert_false(s.torn);
        binlog_scan_done(&s);
        bf_done(&f);
    }
}

typedef struct Seen {
    Str text;
    const BinlogFiles *files;
} Seen;

static bool see(void *arg, const BinlogGroup *g, Err *err)
{
    (void)err;
    Seen *s = arg;
    int64_t bytes = 0;
    for (size_t i = 0; i < g->n_parts; i++)
        bytes += g->parts[i].to - g->parts[i].from;
    str_addf(&s->text, "%u-%u-%llu:%lld/%zu ", g->domain, g->server_id, (unsigned long long)g->seq,
             (long long)bytes, g->n_parts);
    return true;
}

/* Each transaction once, in order, without the events of the files between its own. */
static void walk(void **state)
{
    (void)state;
    Err err;
    BinlogFiles f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT, c = STR_INIT;
    bf_start(&a);
    size_t empty = a.len;
    bf_trx(&a, 0, 1, 5);
    size_t one = a.len - empty;
    bf_gtid(&a, 0, 1, 6, false);
    bf_query(&a, "BEGIN");
    bf_start(&b); /* the file ended inside the transaction */
    bf_event(&b, ROWS, 1, "rows", 4);
    bf_event(&b, XID, 1, "12345678", 8);
    bf_start(&c);
    bf_trx(&c, 0, 1, 5); /* fetched again after a purge */
    bf_trx(&c, 0, 1, 6);
    bf_trx(&c, 0, 1, 7);
    bf_add(&f, &a);
    bf_add(&f, &b);
    bf_add(&f, &c);
    BinlogScan s = {0};
    Seen seen = {.text = STR_INIT};
    assert_ok(binlog_walk(&f.paths, see, &seen, &s, &err), err);
    AUTOFREE char *want = xasprintf("0-1-5:%zu/1 0-1-6:%zu/2 0-1-7:%zu/1 ", one, one, one);
    assert_string_equal(str_z(&seen.text), want);
    assert_int_equal(s.transactions, 3);
    binlog_scan_done(&s);
    str_done(&seen.text);
    bf_done(&f);
}

static void damage_in_the_middle_is_an_error(void **state)
{
    (void)state;
    Err err;
    BinlogFiles f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT, text = STR_INIT;
    bf_start(&a);
    bf_trx(&a, 0, 1, 5);
    bf_trx(&a, 0, 1, 6);
    bf_start(&b);
    bf_trx(&b, 0, 1, 7);
    Str cut = {a.p, a.len - 3, a.len};
    bf_add(&f, &cut);
    bf_add(&f, &b);
    BinlogScan s = {0};
    assert_false(binlog_scan(&f.paths, &s, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    bf_done(&f);
    BinlogFiles g = {0};
    str_adds(&text, "not a log at all");
    bf_add(&g, &text);
    assert_false(binlog_scan(&g.paths, &s, &err));
    assert_non_null(strstr(err.text, "is not a binary log"));
    bf_done(&g);
}

typedef struct First {
    const StrList *paths;
    BinlogQuery query;
    bool standalone;
} First;

static bool take_first(void *arg, const BinlogGroup *g, Err *err)
{
    First *f = arg;
    f->standalone = g->standalone;
    return binlog_query_read(f->paths, g, &f->query, err);
}

static void statement_of_a_transaction(void **state)
{
    (void)state;
    Err err;
    BinlogFiles f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT;
    bf_start(&a);
    bf_gtid(&a, 0, 1, 5, false);
    bf_query(&a, "BEGIN");
    bf_query(&a, "CREATE TABLE t (a INT)");
    bf_event(&a, ROWS, 1, "rows", 4);
    bf_event(&a, XID, 1, "12345678", 8);
    bf_add(&f, &a);
    First first = {.paths = &f.paths};
    BinlogScan s = {0};
    assert_ok(binlog_walk(&f.paths, take_first, &first, &s, &err), err);
    assert_string_equal(first.query.sql, "CREATE TABLE t (a INT)");
    assert_string_equal(first.query.schema, "shop");
    assert_false(first.standalone);

    /* Replaced, it is read as the new one. */
    size_t n;
    AUTOFREE char *event_bytes = binlog_query_replaced(&first.query, "DROP TABLE t", &n);
    assert_int_equal((int64_t)n, first.query.to - first.query.from - 10);
    bf_start(&b);
    bf_gtid(&b, 0, 1, 6, true);
    str_add(&b, event_bytes, n);
    bf_add(&f, &b);
    assert_ok(binlog_walk(&f.paths, take_first, &first, &s, &err), err);
    assert_string_equal(first.query.sql, "DROP TABLE t");
    assert_true(first.standalone);
    binlog_query_done(&first.query);
    binlog_scan_done(&s);
    bf_done(&f);

    BinlogFiles rows = {0};
    Str c = STR_INIT;
    bf_start(&c);
    bf_trx(&c, 0, 1, 7);
    bf_add(&rows, &c);
    First none = {.paths = &rows.paths};
    assert_ok(binlog_walk(&rows.paths, take_first, &none, &s, &err), err);
    assert_null(none.query.sql);
    binlog_query_done(&none.query);
    binlog_scan_done(&s);
    bf_done(&rows);
    str_done(&c);
}

static bool see_loose(void *arg, const BinlogLoose *l, Err *err)
{
    (void)err;
    static const char *const names[] = {
        [BINLOG_INCIDENT] = "incident", [BINLOG_GTID_LIST] = "list", [BINLOG_GAP] = "gap"};
    Seen *s = arg;
    str_addf(&s->text, "%s@%zu ", names[l->kind], l->part.file);
    return true;
}

static void rotate(Str *file, const char *next)
{
    AUTO(str_done) Str body = STR_INIT;
    bf_le(&body, 4, 8);
    str_adds(&body, next);
    bf_event(file, ROTATE, 2, body.p, body.len);
}

static void assert_seen(BinlogFiles *f, const char *want, bool incident)
{
    Err err;
    BinlogScan s = {0};
    Seen seen = {.text = STR_INIT};
    assert_ok(binlog_walk_all(&f->paths, see, see_loose, &seen, &s, &err), err);
    assert_string_equal(str_z(&seen.text), want);
    assert_int_equal(s.incident, incident);
    binlog_scan_done(&s);
    str_done(&seen.text);
}

/* What an applier would stop at is not passed over, and one that is a transaction of its own ends it. */
static void incidents_are_shown_where_they_stand(void **state)
{
    (void)state;
    BinlogFiles f = {0};
    AUTO(str_done) Str a = STR_INIT;
    bf_start(&a);
    bf_event(&a, GTID_LIST, 1, "\0\0\0\0", 4);
    bf_trx(&a, 0, 1, 5);
    size_t one = 149; /* bytes */
    bf_event(&a, INCIDENT, 1, "\1\0\0", 3);
    bf_trx(&a, 0, 1, 6);
    bf_gtid(&a, 0, 1, 7, true);
    bf_event(&a, INCIDENT, 1, "\1\0\0", 3);
    bf_add(&f, &a);
    AUTOFREE char *want = xasprintf("list@0 0-1-5:%zu/1 incident@0 0-1-6:%zu/1 0-1-7:68/1 ", one, one);
    assert_seen(&f, want, false);
    bf_event(&a, INCIDENT, 1, "\1\0\0", 3);
    bf_add(&f, &a);
    BinlogScan s = {0};
    Err err;
    assert_ok(binlog_scan(&f.paths, &s, &err), err);
    assert_true(s.incident);
    binlog_scan_done(&s);
    bf_done(&f);
}

/* The end of a file names the next; names begin anew after a purge. */
static void a_missing_file_is_shown(void **state)
{
    (void)state;
    static const struct {
        const char *rotate;
        bool gap;
    } cases[] = {{"./relay.000002", false}, {"./relay.000001", true}, {"relay.000003", false},
                 {"binlog.000001", false},  {"relay", false},         {"relay.1x", false},
                 {"a/b/relay.000001", true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        BinlogFiles f = {0};
        AUTO(str_done) Str a = STR_INIT, b = STR_INIT;
        bf_start(&a);
        rotate(&a, cases[i].rotate);
        bf_start(&b);
        bf_add(&f, &a);
        bf_add(&f, &b);
        assert_seen(&f, cases[i].gap ? "gap@1 " : "", false);
        bf_done(&f);
    }
}

/* ---- where a binary log ends -------------------------------------------------------------------------- */

static void start_of(Str *file, const char *version)
{
    char body[60] = {4, 0};
    snprintf(body + 2, 50, "%s", version);
    body[59] = 1;
    str_add(file, "\xfe\x62\x69\x6e", 4);
    bf_event(file, FORMAT, 1, body, sizeof body);
}

static void list_of(Str *file, uint64_t seq0, uint64_t seq5)
{
    AUTO(str_done) Str body = STR_INIT;
    bf_le(&body, 3, 4);
    const uint64_t entries[][3] = {{0, 9, seq0 - 1}, {0, 1, seq0}, {5, 2, seq5}};
    for (size_t i = 0; i < COUNT(entries); i++) {
        bf_le(&body, entries[i][0], 4);
        bf_le(&body, entries[i][1], 4);
        bf_le(&body, entries[i][2], 8);
    }
    bf_event(file, GTID_LIST, 1, body.p, body.len);
}

static void expect_end(BinlogFiles *f, const char *expected)
{
    Err err;
    char *end = NULL;
    assert_ok(binlog_end(&f->paths, &end, &err), err);
    assert_string_equal(end, expected);
    free(end);
}

/* What stands before the newest file is said at its begin; a transaction that was cut off is not there. */
static void the_end_of_a_mariadb_log(void **state)
{
    (void)state;
    AUTO(bf_done) BinlogFiles f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT, c = STR_INIT;
    start_of(&a, "10.11.19-MariaDB-log");
    bf_trx(&a, 0, 1, 3);
    bf_add(&f, &a);
    start_of(&b, "10.11.19-MariaDB-log");
    list_of(&b, 40, 7);
    bf_trx(&b, 0, 1, 41);
    bf_trx(&b, 0, 1, 42);
    bf_gtid(&b, 0, 1, 43, false);
    bf_query(&b, "BEGIN");
    bf_add(&f, &b);
    expect_end(&f, "0-1-42,5-2-7");
    str_add(&c, "\xfe\x62\x69\x6e", 4); /* killed behind the rotation */
    bf_add(&f, &c);
    expect_end(&f, "0-1-42,5-2-7");
}

#define SID "\x3e\x11\xfa\x47\x71\xca\x11\xe1\x9e\x33\xc8\x0a\xa9\x42\x95\x62"

static void previous_of(Str *file, uint64_t last)
{
    AUTO(str_done) Str body = STR_INIT;
    bf_le(&body, 1, 8);
    str_add(&body, SID, 16);
    bf_le(&body, 2, 8);
    const uint64_t ends[] = {1, 4, 5, last + 1};
    for (size_t i = 0; i < COUNT(ends); i++)
        bf_le(&body, ends[i], 8);
    bf_event(file, 35, 1, body.p, body.len);
}

/* `bytes`: how long it says that it is. */
static void mysql_gtid(Str *file, uint64_t gno, uint64_t bytes)
{
    AUTO(str_done) Str body = STR_INIT;
    bf_le(&body, 0, 1);
    str_add(&body, SID, 16);
    bf_le(&body, gno, 8);
    bf_le(&body, 2, 1);
    bf_le(&body, 1, 8);
    bf_le(&body, 2, 8);
    bf_le(&body, 1234567, 7);
    bf_le(&body, 252, 1);
    bf_le(&body, bytes, 2);
    bf_event(file, 33, 1, body.p, body.len);
}

static void mysql_trx(Str *file, uint64_t gno)
{
    enum { GTID_BYTES = 19 + 52 + 4, XID_BYTES = 19 + 8 + 4 };
    mysql_gtid(file, gno, GTID_BYTES + XID_BYTES);
    bf_event(file, XID, 1, "12345678", 8);
}

static void the_end_of_a_mysql_log(void **state)
{
    (void)state;
    Err err;
    char *end = NULL;
    AUTO(bf_done) BinlogFiles f = {0};
    AUTO(str_done) Str a = STR_INIT, tagged = STR_INIT;
    start_of(&a, "9.7.4");
    previous_of(&a, 20);
    mysql_trx(&a, 21);
    mysql_trx(&a, 22);
    mysql_gtid(&a, 23, 500); /* cut off behind it */
    bf_add(&f, &a);
    expect_end(&f, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3:5-22");
    start_of(&tagged, "9.7.4");
    bf_event(&tagged, 42, 1, "?", 1);
    bf_add(&f, &tagged);
    assert_false(binlog_end(&f.paths, &end, &err));
    assert_int_equal(err.kind, ERR_REFUSED);
}

/* The server purges files: whoever lists them looks again. */
static void a_file_that_went_is_told_from_one_that_cannot_be_read(void **state)
{
    (void)state;
    Err err;
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    AUTO(strlist_done) StrList gone = STRLIST_INIT, folder = STRLIST_INIT;
    strlist_add(&gone, "/nonexistent/relay.000008");
    assert_false(binlog_scan(&gone, &scan, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    strlist_add(&folder, "/");
    assert_false(binlog_scan(&folder, &scan, &err));
    assert_int_not_equal(err.kind, ERR_NOT_FOUND);
}

/* Nothing is guessed. */
static void the_end_is_not_known(void **state)
{
    (void)state;
    Err err;
    char *end = NULL;
    AUTO(bf_done) BinlogFiles f = {0};
    AUTO(str_done) Str a = STR_INIT;
    const StrList none = STRLIST_INIT;
    assert_false(binlog_end(&none, &end, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    start_of(&a, "10.11.19-MariaDB-log");
    bf_trx(&a, 0, 1, 3);
    bf_add(&f, &a);
    assert_false(binlog_end(&f.paths, &end, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
}

/* What stands whole in a file, encrypted or not: only lengths are read. */
static void whole_events(void **state)
{
    (void)state;
    Err err;
    int64_t n = -1;
    AUTO(str_done) Str log = STR_INIT;
    bf_start(&log);
    bf_event(&log, 164, 2, "key", 3);
    for (size_t whole = log.len, cut = 0; cut < 26; cut++) {
        BinlogFiles f = {0};
        Str part = STR_INIT;
        str_add(&part, log.p, whole - cut);
        bf_add(&f, &part);
        assert_ok(binlog_whole_events(f.paths.v[0], &n, &err), err);
        assert_int_equal(n, cut ? 1 : 2);
        str_done(&part);
        bf_done(&f);
    }
    BinlogFiles f = {0};
    str_add(&log, "no length here, nor anything that follows", 41);
    memset(log.p + log.len - 41 + 9, 0, 4);
    bf_add(&f, &log);
    assert_false(binlog_whole_events(f.paths.v[0], &n, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_false(binlog_whole_events("/nonexistent/relay.000001", &n, &err));
    bf_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files),
        cmocka_unit_test(torn_anywhere),
        cmocka_unit_test(a_group_sent_again),
        cmocka_unit_test(cut_by_a_kill),
        cmocka_unit_test(walk),
        cmocka_unit_test(incidents_are_shown_where_they_stand),
        cmocka_unit_test(a_missing_file_is_shown),
        cmocka_unit_test(statement_of_a_transaction),
        cmocka_unit_test(damage_in_the_middle_is_an_error),
        cmocka_unit_test(the_end_of_a_mariadb_log),
        cmocka_unit_test(the_end_of_a_mysql_log),
        cmocka_unit_test(the_end_is_not_known),
        cmocka_unit_test(whole_events),
        cmocka_unit_test(a_file_that_went_is_told_from_one_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
