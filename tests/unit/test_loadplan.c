/* SPDX-License-Identifier: Apache-2.0
 * What the loader does next from what it finds, how it throttles, and how it cuts rows into portions.
 */
#include "test.h"

#include <unistd.h>

#include "common/base/clock.h"
#include "common/file/fs.h"
#include "common/file/gz.h"
#include "replica-agent/index/target.h"
#include "replica-agent/load/bundle.h"
#include "replica-agent/load/delta.h"
#include "replica-agent/load/loadplan.h"
#include "replica-agent/load/marker.h"
#include "replica-agent/load/throttle.h"
#include "replica-agent/load/tsv.h"

/* ---- plan ---------------------------------------------------------------------------------------- */

static void next_step_by_facts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        LoadFacts f;
        LoadStep step;
    } cases[] = {
        {"nothing there yet", {.swap = true, .rows_total = 9}, LOAD_BEGIN},
        {"killed between shadow table and marker",
         {.swap = true, .shadow = true, .rows_total = 9},
         LOAD_BEGIN},
        {"another run's leftovers",
         {.swap = true, .shadow = true, .marker = MARKER_TODO, .rows_total = 9},
         LOAD_BEGIN},
        {"another run's, and our ledger",
         {.swap = true, .shadow = true, .marker = MARKER_TODO, .rows_loaded = 5, .rows_total = 9},
         LOAD_BEGIN},
        {"an earlier swap of another run",
         {.swap = true, .marker = MARKER_DONE, .rows_total = 9},
         LOAD_BEGIN},
        {"a later one",
         {.swap = true, .marker = MARKER_DONE, .marker_forbids = true, .rows_total = 9},
         LOAD_REFUSE},
        {"no row yet",
         {.swap = true, .shadow = true, .marker = MARKER_TODO, .marker_ours = true, .rows_total = 9},
         LOAD_ROWS},
        {"killed while loading",
         {.swap = true,
          .shadow = true,
          .marker = MARKER_TODO,
          .marker_ours = true,
          .rows_loaded = 8,
          .rows_total = 9},
         LOAD_ROWS},
        {"all rows",
         {.swap = true,
          .shadow = true,
          .marker = MARKER_TODO,
          .marker_ours = true,
          .rows_loaded = 9,
          .rows_total = 9},
         LOAD_VERIFY},
        {"an empty index",
         {.swap = true, .shadow = true, .marker = MARKER_TODO, .marker_ours = true},
         LOAD_VERIFY},
        {"more rows than there are",
         {.swap = true,
          .shadow = true,
          .marker = MARKER_TODO,
          .marker_ours = true,
          .rows_loaded = 10,
          .rows_total = 9},
         LOAD_BEGIN},
        {"verified",
         {.swap = true,
          .shadow = true,
          .marker = MARKER_TODO,
          .marker_ours = true,
          .rows_loaded = 9,
          .rows_total = 9,
          .verified = true},
         LOAD_SWAP},
        {"somebody dropped the shadow table",
         {.swap = true,
          .marker = MARKER_TODO,
          .marker_ours = true,
          .rows_loaded = 9,
          .rows_total = 9,
          .verified = true},
         LOAD_BEGIN},
        {"killed right after the RENAME",
         {.swap = true,
          .marker = MARKER_DONE,
          .marker_ours = true,
          .rows_loaded = 9,
          .rows_total = 9,
          .verified = true},
         LOAD_FINISH},
        {"finished",
         {.swap = true, .marker = MARKER_DONE, .marker_ours = true, .finished = true},
         LOAD_NOTHING},
        {"finished, and swapped over since",
         {.swap = true, .finished = true, .marker = MARKER_DONE},
         LOAD_NOTHING},
        {"append", {.rows_total = 9}, LOAD_ROWS},
        {"append, killed", {.rows_loaded = 3, .rows_total = 9}, LOAD_ROWS},
        {"append, all rows", {.rows_loaded = 9, .rows_total = 9}, LOAD_FINISH},
        {"append of another result", {.rows_loaded = 10, .rows_total = 9}, LOAD_REFUSE},
        {"append, finished", {.finished = true, .rows_loaded = 9, .rows_total = 9}, LOAD_NOTHING},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *reason = NULL;
        LoadStep step = load_next_step(&cases[i].f, &reason);
        if (step != cases[i].step)
            fail_msg("%s: step %d (%s), expected %d", cases[i].name, (int)step, reason, (int)cases[i].step);
        assert_non_null(reason);
    }
}

/* Every combination has a row, and what is swapped or finished is never loaded again. */
static void every_case_is_decided(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 64; bits++)
        for (int marker = MARKER_NONE; marker <= MARKER_DONE; marker++)
            for (int64_t loaded = 0; loaded < 3; loaded++) {
                LoadFacts f = {.swap = bits & 1,
                               .finished = bits & 2,
                               .marker = (LoadMarker)marker,
                               .marker_ours = bits & 4,
                               .marker_forbids = bits & 8,
                               .shadow = bits & 16,
                               .rows_loaded = loaded,
                               .rows_total = 1,
                               .verified = bits & 32};
                const char *reason = NULL;
                LoadStep step = load_next_step(&f, &reason);
                assert_in_range(step, LOAD_NOTHING, LOAD_FINISH);
                if (f.finished)
                    assert_int_equal(step, LOAD_NOTHING);
                else if (f.swap && f.marker == MARKER_DONE && f.marker_ours)
                    assert_int_equal(step, LOAD_FINISH);
                if (step == LOAD_SWAP)
                    assert_true(f.verified && f.shadow && f.marker_ours && loaded == 1);
            }
}

/* ---- throttle ------------------------------------------------------------------------------------ */

static void waits_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        ThrottleInputs in;
        ThrottleLimits limits;
        bool waits;
        const char *words;
    } cases[] = {
        {{10, 5}, {64, 1000}, false, ""},
        {{10, 5, 10001},
         {64, 1000, 10000},
         true,
         "a serving replica is 10001 ms behind, the limit is 10000 ms"},
        {{10, 5, 10000}, {64, 1000, 10000}, false, ""},
        {{10, 5, 99999}, {64, 1000, 0}, false, ""},
        {{10, 5, -1}, {64, 1000, 1}, false, ""},
        {{64, 1000}, {64, 1000}, false, ""},
        {{65, 5}, {64, 1000}, true, "65 threads run on the primary, the limit is 64"},
        {{1, 1001}, {64, 1000}, true, "the last commit took 1001 ms"},
        {{-1, 0}, {64, 1000}, false, ""},
        {{999, 99999}, {0, 0}, false, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char reason[160] = "?";
        int64_t ms = throttle_wait_ms(&cases[i].in, &cases[i].limits, reason, sizeof reason);
        assert_int_equal(ms > 0, cases[i].waits);
        assert_true(ms <= 2000);
        assert_non_null(strstr(reason, cases[i].words));
    }
}

static int64_t next_after(int64_t rows, int64_t write_ms, int64_t commit_ms, int64_t most)
{
    ThrottlePace p = {0};
    throttle_took(&p, rows, write_ms, commit_ms);
    return throttle_next_rows(&p, rows, 100, most);
}

static void transactions_find_their_size(void **state)
{
    (void)state;
    assert_int_equal(next_after(1000, 200, 0, 5000), 500); /* at most halved */
    assert_int_equal(next_after(1, 200, 0, 5000), 1);
    assert_int_equal(next_after(1000, 65, 0, 5000), 1000);
    assert_int_equal(next_after(1000, 50, 15, 5000), 1000);  /* the commit counts */
    assert_int_equal(next_after(1000, 30, 500, 5000), 1000); /* a slow one does not end in single rows */
    assert_int_equal(next_after(1000, 10, 0, 5000), 1501);
    assert_int_equal(next_after(4000, 10, 0, 5000), 5000);
    assert_int_equal(next_after(1000, 0, 0, 5000), 1501);
    ThrottlePace p = {0};
    int64_t rows =
        1000; /* a server of 50 rows/ms with commits of 10 ms, each tenth transaction twice as slow */
    for (int i = 0; i < 200; i++) {
        throttle_took(&p, rows, rows / (i % 10 ? 50 : 25), 10);
        rows = throttle_next_rows(&p, rows, 100, 1000000);
        if (i > 20)
            assert_in_range(rows / 50, 35, 60);
    }
}

static int64_t rest_after(ThrottlePace *p, int64_t rows, int64_t write_ms, int64_t commit_ms)
{
    throttle_took(p, rows, write_ms, commit_ms);
    return throttle_rest_ms(p, rows, write_ms, commit_ms);
}

static void rests_while_others_are_served(void **state)
{
    (void)state;
    ThrottlePace p = {0};
    assert_int_equal(rest_after(&p, 1000, 50, 5), 0); /* the first is the best so far */
    assert_int_equal(rest_after(&p, 2000, 100, 10), 0);
    assert_int_equal(rest_after(&p, 1000, 60, 5), 0);  /* noise */
    assert_int_equal(rest_after(&p, 4000, 280, 5), 0); /* less than half as long again */
    assert_in_range(rest_after(&p, 1000, 90, 5), 15, 20);
    int64_t contended = rest_after(&p, 1000, 150, 5); /* rows take three times as long */
    assert_in_range(contended, 36, 38);
    int64_t commits = rest_after(&p, 1000, 50, 405); /* disk or replicas are behind */
    assert_in_range(commits, 390, 400);
    assert_int_equal(rest_after(&p, 1000, 50, 60000), 500);
    assert_int_equal(rest_after(&p, 0, 0, 0), 0);
    for (int i = 0; i < 500; i++) /* slower for good is the new best after a while */
        contended = rest_after(&p, 1000, 150, 5);
    assert_int_equal(contended, 0);
}

/* ---- rows ---------------------------------------------------------------------------------------- */

static const char *write_part(const char *folder, int number, const char *codec, const char *text,
                              StrList *paths)
{
    Err err;
    GzWriter *w;
    strlist_addf(paths, "%s/%d", folder, number);
    const char *path = paths->v[paths->n - 1];
    assert_ok(gz_create(path, codec, &w, &err), err);
    assert_ok(gz_write(w, text, strlen(text), &err), err);
    GzTotals totals;
    assert_ok(gz_finish(w, &totals, &err), err);
    return path;
}

static void read_portion(TsvStream *s, int64_t rows, int64_t bytes, size_t step, Str *out)
{
    char buffer[64];
    Err err;
    ssize_t n;
    str_clear(out);
    tsv_portion(s, rows, bytes);
    while ((n = tsv_feed(s, buffer, step, &err)) > 0)
        str_add(out, buffer, (size_t)n);
    assert_int_equal(n, 0);
}

static void portions_end_at_rows(void **state)
{
    (void)state;
    Err err;
    char folder[] = "/tmp/siding-tsv-XXXXXX";
    assert_non_null(mkdtemp(folder));
    StrList paths = STRLIST_INIT;
    write_part(folder, 0, "gzip", "one\t1\ntwo\t2\nthree\\\n", &paths);
    write_part(folder, 1, "none", "", &paths);
    write_part(folder, 2, "none", "four\nfive\n", &paths);
    for (size_t step = 1; step < 40; step++) {
        AUTO(str_done) Str out = STR_INIT;
        TsvStream *s;
        assert_ok(tsv_open(&paths, 0, 1, &s, &err), err);
        read_portion(s, 1, 1000, step, &out);
        assert_string_equal(str_z(&out), "two\t2\n");
        read_portion(s, 100, 1, step, &out);
        assert_string_equal(str_z(&out), "three\\\n");
        assert_int_equal(tsv_rows_fed(s), 1);
        read_portion(s, 100, 1000, step, &out);
        assert_string_equal(str_z(&out), "four\nfive\n");
        assert_int_equal(tsv_rows_fed(s), 2);
        read_portion(s, 100, 1000, step, &out);
        assert_int_equal(out.len, 0);
        tsv_close(s);
    }
    TsvStream *s;
    assert_false(tsv_open(&paths, 0, 6, &s, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_ok(fs_remove_tree(folder, &err), err);
    strlist_done(&paths);
}

/* A few kilobytes of gzip that stand for one row of a hundred megabytes: it is not gathered in memory. */
static void a_row_without_an_end_is_refused(void **state)
{
    (void)state;
    Err err;
    GzWriter *w;
    GzTotals totals;
    RowSum sum = {0};
    int64_t rows, bytes;
    char folder[] = "/tmp/siding-tsv-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTOFREE char *path = xasprintf("%s/t.a.00000.tsv.gz", folder),
                  *other = xasprintf("%s/t.a.00000.s1.tsv", folder);
    AUTOFREE char *block = xcalloc(1, 1 << 20);
    memset(block, 'x', 1 << 20);
    assert_ok(gz_create(path, "gzip", &w, &err), err);
    assert_ok(gz_write(w, "first\t1\n", 8, &err), err);
    for (int i = 0; i < 100; i++)
        assert_ok(gz_write(w, block, 1 << 20, &err), err);
    assert_ok(gz_finish(w, &totals, &err), err);
    assert_true(totals.compressed_bytes < 2000000);
    assert_false(tsv_check(path, &sum, &rows, &bytes, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_string_equal(err.text, "row 2 is longer than 33554432 bytes");
    assert_true(bytes < INT64_C(40) << 20);
    AUTO(strlist_done) StrList paths = STRLIST_INIT;
    strlist_add(&paths, path);
    strlist_add(&paths, other);
    assert_ok(gz_create(other, "none", &w, &err), err);
    assert_ok(gz_write(w, "a\t1\n", 4, &err), err);
    assert_ok(gz_finish(w, &totals, &err), err);
    TsvStream *s;
    assert_false(tsv_open(&paths, 1, 2, &s, &err));
    assert_non_null(strstr(err.text, "a row is longer than"));
    assert_ok(fs_remove_tree(folder, &err), err);
}

/* Rows "wWW\tN\t…": of three shards, those of one in two files, none sorted after another's. */
static void shards_are_merged(void **state)
{
    (void)state;
    Err err;
    char folder[] = "/tmp/siding-tsv-XXXXXX";
    assert_non_null(mkdtemp(folder));
    StrList paths = STRLIST_INIT;
    static const char *const names[] = {"t.a.00000.tsv", "t.a.00001.tsv", "t.a.00000.s1.tsv.gz",
                                        "t.a.00000.s12.tsv"};
    Str parts[COUNT(names)] = {0};
    AUTO(str_done) Str want = STR_INIT;
    for (int word = 0; word < 30; word++)
        for (int record = 0; record < 20; record++) {
            size_t shard = (size_t)(word * 7 + record * 3) % 3;
            AUTOFREE char *row = xasprintf("w%02d\t%d\tx\n", word, record * 5);
            str_adds(&parts[shard == 0 ? (size_t)(word >= 15) : shard + 1], row);
            str_adds(&want, row);
        }
    for (size_t i = 0; i < COUNT(names); i++) {
        GzWriter *w;
        GzTotals totals;
        strlist_addf(&paths, "%s/%s", folder, names[i]);
        assert_ok(gz_create(paths.v[i], str_ends(names[i], ".gz") ? "gzip" : "none", &w, &err), err);
        assert_ok(gz_write(w, str_z(&parts[i]), parts[i].len, &err), err);
        assert_ok(gz_finish(w, &totals, &err), err);
        str_done(&parts[i]);
    }
    for (int64_t skip = 0; skip <= 600; skip += 37) {
        AUTO(str_done) Str out = STR_INIT;
        TsvStream *s;
        const char *from = str_z(&want);
        for (int64_t i = 0; i < skip; i++)
            from = strchr(from, '\n') + 1;
        assert_ok(tsv_open(&paths, 1, skip, &s, &err), err);
        read_portion(s, 1000, 1 << 20, (size_t)(1 + skip % 60), &out);
        assert_string_equal(str_z(&out), from);
        tsv_close(s);
    }
    assert_ok(fs_remove_tree(folder, &err), err);
    strlist_done(&paths);
}

/* A column without a number is no number, whatever the next row begins with. */
static void a_missing_number_comes_first(void **state)
{
    (void)state;
    Err err;
    char folder[] = "/tmp/siding-tsv-XXXXXX";
    assert_non_null(mkdtemp(folder));
    static const char *const parts[] = {"1\t\n9\t1\n", "1\t-3\n1\t5\n"};
    StrList paths = STRLIST_INIT;
    AUTO(str_done) Str out = STR_INIT;
    for (size_t i = 0; i < COUNT(parts); i++) {
        strlist_addf(&paths, i ? "%s/t.a.00000.s1.tsv" : "%s/t.a.00000.tsv", folder);
        assert_ok(fs_replace(paths.v[i], parts[i], strlen(parts[i]), 0600, &err), err);
    }
    TsvStream *s;
    assert_ok(tsv_open(&paths, 1, 0, &s, &err), err);
    read_portion(s, 1000, 1 << 20, 5, &out);
    assert_string_equal(str_z(&out), "1\t-3\n1\t\n1\t5\n9\t1\n");
    tsv_close(s);
    assert_ok(fs_remove_tree(folder, &err), err);
    strlist_done(&paths);
}

/* ---- manifests ----------------------------------------------------------------------------------- */

#define FILE_OF(name, rows)                                                                                  \
    "{\"name\":\"a.t." name ".tsv\",\"rows\":" rows ",\"bytes\":1,\"compressed_bytes\":1,\"sha256\":"        \
    "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}"

static bool open_manifest(const char *text, Bundle *b, Err *err)
{
    char folder[] = "/tmp/siding-bundle-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTOFREE char *path = xasprintf("%s/manifest.json", folder);
    Err trouble;
    assert_ok(fs_replace(path, text, strlen(text), 0600, &trouble), trouble);
    bool ok = bundle_open(folder, b, err);
    assert_ok(fs_remove_tree(folder, &trouble), trouble);
    return ok;
}

static void a_manifest_of_too_many_rows_is_none(void **state)
{
    (void)state;
    Err err;
    Bundle b;
    assert_false(open_manifest("{\"upload\":{\"target\":\"a.t\"},\"files\":[" FILE_OF(
                                   "0", "9223372036854775807") "," FILE_OF("1", "1") "]}",
                               &b, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_non_null(strstr(err.text, "more rows than there can be"));
}

static void changes_since_the_freeze_less_the_lag(void **state)
{
    (void)state;
    static const struct {
        const char *lag;
        int64_t since;
    } cases[] = {{"0", 3600000}, {"-9223372036854775808", 3600000}, {"600000", 3000000}, {"9e30", 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        Bundle b;
        AUTOFREE char *text = xasprintf("{\"upload\":{\"target\":\"a.t\"},\"files\":[],\"frozen_at\":"
                                        "\"1970-01-01T01:00:00Z\",\"lag_ms\":%s}",
                                        cases[i].lag);
        assert_ok(open_manifest(text, &b, &err), err);
        assert_int_equal(b.changes_since, cases[i].since);
        bundle_done(&b);
    }
}

static void rows_are_checked_unescaped(void **state)
{
    (void)state;
    Err err;
    char folder[] = "/tmp/siding-tsv-XXXXXX";
    assert_non_null(mkdtemp(folder));
    StrList paths = STRLIST_INIT;
    const char *path = write_part(folder, 0, "gzip", "a\\tb\\n\\\\c\t\\N\t\\0\\Z\\x\n\t\t\n", &paths);
    RowSum sum = {0, 0}, expected = {0, 0};
    int64_t rows, bytes;
    assert_ok(tsv_check(path, &sum, &rows, &bytes, &err), err);
    rowsum_add(&expected, (RowSumField[]){{"a\tb\n\\c", 6}, {NULL, 0}, {"\0\032x", 3}}, 3);
    rowsum_add(&expected, (RowSumField[]){{"", 0}, {"", 0}, {"", 0}}, 3);
    assert_int_equal(rows, 2);
    assert_int_equal(sum.sum, expected.sum);
    path = write_part(folder, 1, "none", "cut off", &paths);
    assert_false(tsv_check(path, &sum, &rows, &bytes, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_ok(fs_remove_tree(folder, &err), err);
    strlist_done(&paths);
}

static void changed_records_are_counted_once(void **state)
{
    (void)state;
    int64_t a[] = {-5, 1, 2, 9}, b[] = {1, 3, 9, 10};
    DeltaKeys none = {NULL, 0}, first = {a, 4}, second = {b, 4};
    assert_int_equal(delta_keys_union(&none, &none), 0);
    assert_int_equal(delta_keys_union(&first, &none), 4);
    assert_int_equal(delta_keys_union(&first, &second), 6);
    assert_int_equal(delta_keys_union(&first, &first), 4);
}

/* ---- markers --------------------------------------------------------------------------------------- */

static void the_later_state_is_told_by_its_gtid(void **state)
{
    (void)state;
    static const struct {
        DbFlavor flavor;
        const char *comment, *gtid;
        bool newer;
    } rows[] = {
        {DB_MARIADB, "siding 1.1 2026-01-01T12:00:00.000Z 0-1-9", "0-1-5", true},
        {DB_MARIADB, "siding 1.1 2026-01-01T12:00:00.000Z 0-1-5", "0-1-5", false},
        {DB_MARIADB, "siding 1.1 2026-01-01T12:00:00.000Z 0-1-5", "0-1-9", false},
        {DB_MARIADB, "siding 1.1 2026-01-01T10:00:00.000Z 0-1-9", "0-1-5",
         true}, /* whatever the clocks say */
        {DB_MARIADB, "siding by hand 2026-01-01T12:00:00.000Z 0-1-5", "0-1-9", false},
        {DB_MARIADB, "siding 1.1 2026-01-01T12:00:00.000Z", "0-1-5", true},
        {DB_MARIADB, "siding 1.1 2026-01-01T10:00:00.000Z", "0-1-5", false},
        {DB_MARIADB, "siding 1.1 2026-01-01T12:00:00.000Z 0-1-5", "", true},
        {DB_MARIADB, "siding 1.1 2026-01-01T12:00:00.000Z 0-1-9,1-1-1", "0-1-5,1-1-2",
         true}, /* neither holds the other */
        {DB_MARIADB, "siding 1.1 2026-01-01T10:00:00.000Z 0-1-9,1-1-1", "0-1-5,1-1-2", true},
        {DB_MYSQL, "siding 1.1 2026-01-01T10:00:00.000Z 6580c060-e877-11f1-a221-02fc00000001:1-9",
         "6580c060-e877-11f1-a221-02fc00000001:1-5", true},
        {DB_MYSQL, "siding 1.1 2026-01-01T10:00:00.000Z 6580c060-e877-11f1-a221-02fc00000001:1-9",
         "6580c060-e877-11f1-a221-02fc00000002:1-5", true},
        {DB_MARIADB, "somebody's", "0-1-5", false},
        {DB_MARIADB, "", "0-1-5", false},
    };
    int64_t at;
    assert_true(clock_parse("2026-01-01T11:00:00.000Z", &at));
    for (size_t i = 0; i < COUNT(rows); i++)
        if (marker_forbids(rows[i].flavor, rows[i].comment, at, rows[i].gtid) != rows[i].newer)
            fail_msg("row %zu: %s", i, rows[i].comment);
}

static void a_marker_names_run_time_and_gtid(void **state)
{
    (void)state;
    AUTOFREE char *text = marker_text("1.1", 0, "0-1-5");
    AUTOFREE char *without = marker_text("1.1", 0, "");
    assert_string_equal(text, "siding 1.1 1970-01-01T00:00:00.000Z 0-1-5");
    assert_string_equal(without, "siding 1.1 1970-01-01T00:00:00.000Z");
}

static void definitions_are_compared_without_what_may_differ(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        bool same;
    } cases[] = {
        {"CREATE TABLE `a` (\n  `x` int\n) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4",
         "CREATE TABLE `_a_new` (\n  `x` int\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='it''s (\\'x'",
         true},
        {"CREATE TABLE `a` (\n  `x` int\n) ENGINE=InnoDB COMMENT='{\"a\":1}' COMMENT='{\\\"a\\\":2}'",
         "CREATE TABLE `a` (\n  `x` int\n) ENGINE=InnoDB COMMENT='{\"a\":1}'", true},
        {"CREATE TABLE `a` (\n  `x` int,\n  CONSTRAINT `c``1` CHECK (`x` > 0)\n) ENGINE=InnoDB",
         "CREATE TABLE `a` (\n  `x` int,\n  CONSTRAINT `a_chk_1` CHECK (`x` > 0)\n) ENGINE=InnoDB", true},
        {"CREATE TABLE `a` (\n  `x` int,\n  CONSTRAINT `c` CHECK (`x` > 0)\n) ENGINE=InnoDB",
         "CREATE TABLE `a` (\n  `x` int,\n  CONSTRAINT `c` CHECK (`x` > 1)\n) ENGINE=InnoDB", false},
        {"CREATE TABLE `a` (\n  `x` int COMMENT 'one'\n) ENGINE=InnoDB",
         "CREATE TABLE `a` (\n  `x` int COMMENT 'two'\n) ENGINE=InnoDB", false},
        {"CREATE TABLE `a` (\n  `x` int\n) ENGINE=InnoDB", "CREATE TABLE `a` (\n  `x` int\n) ENGINE=MyISAM",
         false},
        {"CREATE TABLE `a` (\n  `x` int,\n  KEY `x` (`x`)\n) ENGINE=InnoDB",
         "CREATE TABLE `a` (\n  `x` int\n) ENGINE=InnoDB", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTOFREE char *one = target_plain_definition(cases[i].one);
        AUTOFREE char *other = target_plain_definition(cases[i].other);
        if (str_eq(one, other) != cases[i].same)
            fail_msg("case %zu: %s / %s", i, one, other);
    }
}

static void a_step_that_changes_nothing_is_seen(void **state)
{
    (void)state;
    LoadFacts a = {.swap = true, .rows_total = 5}, b = a;
    assert_true(load_facts_equal(&a, &b));
    b.rows_loaded = 1;
    assert_false(load_facts_equal(&a, &b));
    b = a;
    b.shadow = true;
    assert_false(load_facts_equal(&a, &b));
    b = a;
    b.marker = MARKER_TODO;
    assert_false(load_facts_equal(&a, &b));
    b = a;
    b.verified = true;
    assert_false(load_facts_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_later_state_is_told_by_its_gtid),
        cmocka_unit_test(a_marker_names_run_time_and_gtid),
        cmocka_unit_test(next_step_by_facts),
        cmocka_unit_test(every_case_is_decided),
        cmocka_unit_test(waits_with_a_reason),
        cmocka_unit_test(transactions_find_their_size),
        cmocka_unit_test(rests_while_others_are_served),
        cmocka_unit_test(portions_end_at_rows),
        cmocka_unit_test(shards_are_merged),
        cmocka_unit_test(a_missing_number_comes_first),
        cmocka_unit_test(a_manifest_of_too_many_rows_is_none),
        cmocka_unit_test(changes_since_the_freeze_less_the_lag),
        cmocka_unit_test(rows_are_checked_unescaped),
        cmocka_unit_test(a_row_without_an_end_is_refused),
        cmocka_unit_test(changed_records_are_counted_once),
        cmocka_unit_test(definitions_are_compared_without_what_may_differ),
        cmocka_unit_test(a_step_that_changes_nothing_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
