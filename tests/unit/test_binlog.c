/* SPDX-License-Identifier: Apache-2.0
 * Relay log scanning on files made here event by event: whole and torn groups, several domains and files.
 */
#include "test.h"

#include <unistd.h>

#include "common/db/binlog_query.h"
#include "common/file/fs.h"

enum { QUERY = 2, XID = 16, FORMAT = 15, ROWS = 30, GTID = 162 };

static void le(Str *s, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        str_addc(s, (char)(v >> (8 * i)));
}

static void event(Str *file, int type, uint32_t server_id, const char *body, size_t n)
{
    le(file, 1700000000, 4);
    le(file, (uint64_t)type, 1);
    le(file, server_id, 4);
    le(file, 19 + n + 4, 4);
    le(file, file->len, 4);
    le(file, 0, 2);
    str_add(file, body, n);
    le(file, 0xdeadbeef, 4);
}

static void start(Str *file)
{
    str_add(file, "\xfe\x62\x69\x6e", 4);
    event(file, FORMAT, 1, "fd\1", 3); /* the last byte: checksums are CRC32 */
}

static void gtid(Str *file, uint32_t domain, uint32_t server, uint64_t seq, bool standalone)
{
    AUTO(str_done) Str body = STR_INIT;
    le(&body, seq, 8);
    le(&body, domain, 4);
    le(&body, standalone ? 1 : 0, 1);
    le(&body, 0, 6);
    event(file, GTID, server, body.p, body.len);
}

static void query(Str *file, const char *sql)
{
    AUTO(str_done) Str body = STR_INIT;
    le(&body, 7, 4);
    le(&body, 0, 4);
    le(&body, 4, 1); /* schema length */
    le(&body, 0, 2);
    le(&body, 3, 2); /* status variables */
    str_add(&body, "\0\0\0", 3);
    str_add(&body, "shop", 5);
    str_adds(&body, sql);
    event(file, QUERY, 1, body.p, body.len);
}

static void trx(Str *file, uint32_t domain, uint32_t server, uint64_t seq)
{
    gtid(file, domain, server, seq, false);
    query(file, "BEGIN");
    event(file, ROWS, server, "rows", 4);
    event(file, XID, server, "12345678", 8);
}

typedef struct Files {
    char dir[32];
    StrList paths;
} Files;

static void add_file(Files *f, const Str *content)
{
    Err err;
    if (!f->dir[0]) {
        strcpy(f->dir, "/tmp/siding-binlog-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
    }
    strlist_addf(&f->paths, "%s/relay.%06zu", f->dir, f->paths.n + 1);
    assert_ok(fs_replace(f->paths.v[f->paths.n - 1], content->p, content->len, 0600, &err), err);
}

static void done(Files *f)
{
    Err err;
    assert_ok(fs_remove_tree(f->dir, &err), err);
    strlist_done(&f->paths);
}

static void whole_files(void **state)
{
    (void)state;
    Err err;
    Files f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT;
    start(&a);
    trx(&a, 0, 1, 5);
    trx(&a, 3, 1, 9);
    start(&b);
    gtid(&b, 0, 2, 6, true);
    query(&b, "CREATE TABLE t(a INT)");
    gtid(&b, 0, 2, 7, false);
    query(&b, "BEGIN");
    query(&b, "COMMIT");
    add_file(&f, &a);
    add_file(&f, &b);
    BinlogScan s = {0};
    assert_ok(binlog_scan(&f.paths, &s, &err), err);
    assert_string_equal(s.last, "0-2-7,3-1-9");
    assert_int_equal(s.transactions, 4);
    assert_int_equal(s.bytes, a.len + b.len);
    assert_false(s.torn);
    binlog_scan_done(&s);
    done(&f);
}

/* Cut anywhere, the scan finds the transactions before the cut and where the incomplete rest begins. */
static void torn_anywhere(void **state)
{
    (void)state;
    Err err;
    AUTO(str_done) Str a = STR_INIT;
    start(&a);
    trx(&a, 0, 1, 5);
    size_t first_end = a.len;
    trx(&a, 0, 1, 6);
    for (size_t cut = first_end; cut < a.len; cut++) {
        Files f = {0};
        Str part = {a.p, cut, cut};
        add_file(&f, &part);
        BinlogScan s = {0};
        assert_ok(binlog_scan(&f.paths, &s, &err), err);
        assert_string_equal(s.last, "0-1-5");
        assert_int_equal(s.torn, cut > first_end);
        if (s.torn) {
            assert_int_equal(s.torn_pos, first_end);
            assert_string_equal(s.torn_file, f.paths.v[0]);
        }
        binlog_scan_done(&s);
        done(&f);
    }
}

/* The receiver reconnected inside a group: the source sends it again in the next file. */
static void a_group_sent_again(void **state)
{
    (void)state;
    Err err;
    Files f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT;
    start(&a);
    trx(&a, 0, 1, 5);
    gtid(&a, 0, 1, 6, false);
    query(&a, "BEGIN");
    start(&b);
    trx(&b, 0, 1, 6);
    add_file(&f, &a);
    add_file(&f, &b);
    BinlogScan s = {0};
    assert_ok(binlog_scan(&f.paths, &s, &err), err);
    assert_string_equal(s.last, "0-1-6");
    assert_int_equal(s.transactions, 2);
    assert_false(s.torn);
    binlog_scan_done(&s);
    done(&f);
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
        Files f = {0};
        AUTO(str_done) Str a = STR_INIT, b = STR_INIT;
        start(&a);
        trx(&a, 0, 1, 5);
        trx(&a, 0, 1, 6);
        start(&b);
        if (cases[i].next)
            trx(&b, 0, 1, cases[i].next);
        Str cut = {a.p, a.len - 3, a.len};
        add_file(&f, &cut);
        add_file(&f, &b);
        BinlogScan s = {0};
        assert_ok(binlog_scan(&f.paths, &s, &err), err);
        assert_string_equal(s.last, cases[i].last);
        assert_false(s.torn);
        binlog_scan_done(&s);
        done(&f);
    }
}

typedef struct Seen {
    Str text;
    const Files *files;
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
    Files f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT, c = STR_INIT;
    start(&a);
    size_t empty = a.len;
    trx(&a, 0, 1, 5);
    size_t one = a.len - empty;
    gtid(&a, 0, 1, 6, false);
    query(&a, "BEGIN");
    start(&b); /* the file ended inside the transaction */
    event(&b, ROWS, 1, "rows", 4);
    event(&b, XID, 1, "12345678", 8);
    start(&c);
    trx(&c, 0, 1, 5); /* fetched again after a purge */
    trx(&c, 0, 1, 6);
    trx(&c, 0, 1, 7);
    add_file(&f, &a);
    add_file(&f, &b);
    add_file(&f, &c);
    BinlogScan s = {0};
    Seen seen = {.text = STR_INIT};
    assert_ok(binlog_walk(&f.paths, see, &seen, &s, &err), err);
    AUTOFREE char *want = xasprintf("0-1-5:%zu/1 0-1-6:%zu/2 0-1-7:%zu/1 ", one, one, one);
    assert_string_equal(str_z(&seen.text), want);
    assert_int_equal(s.transactions, 3);
    binlog_scan_done(&s);
    str_done(&seen.text);
    done(&f);
}

static void damage_in_the_middle_is_an_error(void **state)
{
    (void)state;
    Err err;
    Files f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT, text = STR_INIT;
    start(&a);
    trx(&a, 0, 1, 5);
    trx(&a, 0, 1, 6);
    start(&b);
    trx(&b, 0, 1, 7);
    Str cut = {a.p, a.len - 3, a.len};
    add_file(&f, &cut);
    add_file(&f, &b);
    BinlogScan s = {0};
    assert_false(binlog_scan(&f.paths, &s, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    done(&f);
    Files g = {0};
    str_adds(&text, "not a log at all");
    add_file(&g, &text);
    assert_false(binlog_scan(&g.paths, &s, &err));
    assert_non_null(strstr(err.text, "is not a binary log"));
    done(&g);
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
    Files f = {0};
    AUTO(str_done) Str a = STR_INIT, b = STR_INIT;
    start(&a);
    gtid(&a, 0, 1, 5, false);
    query(&a, "BEGIN");
    query(&a, "CREATE TABLE t (a INT)");
    event(&a, ROWS, 1, "rows", 4);
    event(&a, XID, 1, "12345678", 8);
    add_file(&f, &a);
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
    start(&b);
    gtid(&b, 0, 1, 6, true);
    str_add(&b, event_bytes, n);
    add_file(&f, &b);
    assert_ok(binlog_walk(&f.paths, take_first, &first, &s, &err), err);
    assert_string_equal(first.query.sql, "DROP TABLE t");
    assert_true(first.standalone);
    binlog_query_done(&first.query);
    binlog_scan_done(&s);
    done(&f);

    Files rows = {0};
    Str c = STR_INIT;
    start(&c);
    trx(&c, 0, 1, 7);
    add_file(&rows, &c);
    First none = {.paths = &rows.paths};
    assert_ok(binlog_walk(&rows.paths, take_first, &none, &s, &err), err);
    assert_null(none.query.sql);
    binlog_query_done(&none.query);
    binlog_scan_done(&s);
    done(&rows);
    str_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files),
        cmocka_unit_test(torn_anywhere),
        cmocka_unit_test(a_group_sent_again),
        cmocka_unit_test(cut_by_a_kill),
        cmocka_unit_test(walk),
        cmocka_unit_test(statement_of_a_transaction),
        cmocka_unit_test(damage_in_the_middle_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
