/* SPDX-License-Identifier: Apache-2.0
 * Parsers of what comes from elsewhere, on examples changed at random: whatever the bytes are, an answer that
 * keeps what its header promises. The sanitizer builds see the rest. SIDING_FUZZ_ROUNDS and SIDING_FUZZ_SEED
 * for more of it.
 */
#include "test.h"

#include <unistd.h>

#include "common/binlog.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/gtid.h"
#include "common/gz.h"
#include "common/http.h"
#include "common/progress.h"
#include "replica-agent/index/hitlist.h"
#include "replica-agent/load/bundle.h"
#include "replica-agent/load/tsv.h"

enum { ROUNDS = 4000 };

static uint64_t state_of_chance;

static uint32_t chance(uint32_t below)
{
    state_of_chance = state_of_chance * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state_of_chance >> 33) % below;
}

static long setting(const char *name, long fallback)
{
    const char *text = getenv(name);
    return text ? atol(text) : fallback;
}

/* A copy with some bytes changed, left out, doubled or put in. */
static void mutate(const char *p, size_t n, Str *out)
{
    static const char *const odd[] = {
        "-1", "99999999999999999999", "\\", "\"", "{", "]", "\t", "\n", "null", "..", "/", "\xff", "0", ":",
        ","};
    str_clear(out);
    str_add(out, p, n);
    for (uint32_t i = chance(4); i-- > 0 && out->len;) {
        size_t at = chance((uint32_t)out->len), some = 1 + chance(8);
        some = some < out->len - at ? some : out->len - at;
        AUTO(str_done) Str rest = STR_INIT;
        switch (chance(5)) {
        case 0:
            out->p[at] = (char)chance(256);
            break;
        case 1:
            memmove(out->p + at, out->p + at + some, out->len - at - some);
            out->len -= some;
            break;
        case 2:
            out->len = at;
            break;
        case 3:
            str_add(&rest, out->p + at, out->len - at);
            str_add(out, str_z(&rest), rest.len);
            break;
        default:
            str_add(&rest, out->p + at, out->len - at);
            out->len = at;
            str_adds(out, odd[chance(COUNT(odd))]);
            str_add(out, str_z(&rest), rest.len);
        }
        if (out->p)
            out->p[out->len] = '\0';
    }
}

typedef void (*Feed)(const char *text, size_t n, void *arg);

static void fuzz(const char *const *examples, Feed feed, void *arg)
{
    AUTO(str_done) Str text = STR_INIT;
    state_of_chance = (uint64_t)setting("SIDING_FUZZ_SEED", 1);
    size_t count = 0;
    while (examples[count])
        count++;
    long rounds = setting("SIDING_FUZZ_ROUNDS", ROUNDS);
    for (long i = 0; i < rounds; i++) {
        const char *example = examples[chance((uint32_t)count)];
        mutate(example, strlen(example), &text);
        feed(str_z(&text), text.len, arg);
    }
}

/* ---- lines and headers --------------------------------------------------------------------------- */

static void feed_progress(const char *text, size_t n, void *arg)
{
    (void)n, (void)arg;
    Progress p = {0};
    if (!progress_parse(text, &p))
        return;
    assert_non_null(memchr(p.unit, 0, sizeof p.unit));
    assert_non_null(memchr(p.note, 0, sizeof p.note));
    assert_true(p.done >= 0 && p.total >= 0);
}

static void progress_lines(void **state)
{
    (void)state;
    static const char *const lines[] = {"{\"done\":12,\"total\":40,\"unit\":\"rows\",\"note\":\"reading\"}",
                                        "{\"done\":0}",
                                        "{\"done\":1e3,\"total\":null,\"unit\":\"caf\\u00e9\"}", NULL};
    fuzz(lines, feed_progress, NULL);
}

static void feed_range(const char *text, size_t n, void *arg)
{
    (void)n, (void)arg;
    static const int64_t sizes[] = {0, 1, 1000, INT64_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        int64_t from = -1, bytes = -1;
        if (http_parse_range(text, sizes[i], &from, &bytes) == HTTP_RANGE_PART)
            assert_true(from >= 0 && bytes > 0 && from < sizes[i] && bytes <= sizes[i] - from);
    }
}

static void ranges(void **state)
{
    (void)state;
    static const char *const headers[] = {"bytes=0-99",
                                          "bytes=100-",
                                          "bytes=-5",
                                          "bytes=1-2,4-5",
                                          "bytes=9223372036854775807-9223372036854775807",
                                          "bytes=0-9223372036854775807",
                                          NULL};
    fuzz(headers, feed_range, NULL);
}

/* What is taken is written so that it is taken again, as the same. */
static void feed_gtid(const char *text, size_t n, void *arg)
{
    (void)n;
    DbFlavor flavor = *(const DbFlavor *)arg;
    Err err;
    Gtid *g, *again;
    if (!gtid_parse(flavor, text, &g, &err))
        return;
    AUTOFREE char *written = gtid_text(g);
    assert_ok(gtid_parse(flavor, written, &again, &err), err);
    assert_int_equal(gtid_compare(g, again), GTID_EQUAL);
    assert_true(gtid_contains(g, again));
    gtid_free(g);
    gtid_free(again);
}

static void gtids(void **state)
{
    (void)state;
    static const char *const mariadb[] = {"0-1-77", "0-1-77,1-2-3,4294967295-1-18446744073709551615", "",
                                          NULL};
    static const char *const mysql[] = {"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:11-18",
                                        "3E11FA47-71CA-11E1-9E33-C80AA9429562:tag:1-3:other:7,\n"
                                        "4e11fa47-71ca-11e1-9e33-c80aa9429562:9223372036854775806",
                                        "", NULL};
    DbFlavor flavor = DB_MARIADB;
    fuzz(mariadb, feed_gtid, &flavor);
    flavor = DB_MYSQL;
    fuzz(mysql, feed_gtid, &flavor);
}

static void feed_time(const char *text, size_t n, void *arg)
{
    (void)n, (void)arg;
    int64_t ms, again;
    char written[CLOCK_TEXT];
    if (!clock_parse(text, &ms))
        return;
    clock_format(ms, written);
    assert_true(clock_parse(written, &again));
    assert_true(again == ms);
}

static void times(void **state)
{
    (void)state;
    static const char *const texts[] = {"2026-11-23T20:37:00.123Z", "1970-01-01T00:00:00Z",
                                        "9999-12-31T23:59:60Z", NULL};
    fuzz(texts, feed_time, NULL);
}

/* ---- files --------------------------------------------------------------------------------------- */

typedef struct Folder {
    char dir[32];
    char *path;
} Folder;

static void folder_open(Folder *f, const char *name)
{
    strcpy(f->dir, "/tmp/siding-fuzz-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->path = xasprintf("%s/%s", f->dir, name);
}

static void folder_close(Folder *f)
{
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    free(f->path);
}

static void put_file(const Folder *f, const char *text, size_t n)
{
    FILE *out = fopen(f->path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
}

static void feed_manifest(const char *text, size_t n, void *arg)
{
    const Folder *f = arg;
    Err err;
    Bundle b;
    put_file(f, text, n);
    if (!bundle_open(f->dir, &b, &err)) {
        assert_true(err.text[0]);
        return;
    }
    for (size_t i = 0; i < b.file_count; i++) {
        assert_null(strstr(b.files[i].name, "/../"));
        assert_true(b.files[i].name[0] != '/' && !str_starts(b.files[i].name, "../"));
        assert_true(b.files[i].rows >= 0 && b.files[i].compressed_bytes >= 0);
    }
    assert_false(bundle_verify(&b, &err)); /* none of the files is there */
    bundle_done(&b);
}

static void manifests(void **state)
{
    (void)state;
    static const char *const examples[] = {
        "{\"run\":\"12.1\",\"job\":\"words\",\"gtid\":\"0-1-9\",\"frozen_at\":\"2026-11-23T20:37:00.123Z\","
        "\"shard\":0,\"shards\":1,\"files\":[{\"name\":"
        "\"lib.words.00000.tsv.gz\",\"rows\":3,\"bytes\":30,\"compressed_bytes\":20,\"sha256\":"
        "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}],\"upload\":{\"mode\":"
        "\"swap\",\"target\":\"lib.words\",\"columns\":"
        "[\"term\",\"record\"],\"rows\":3,\"checksum\":\"3:77\",\"create\":\"CREATE TABLE `lib`.`words` (x "
        "INT)\"}}",
        NULL};
    Folder f;
    folder_open(&f, "manifest.json");
    fuzz(examples, feed_manifest, &f);
    folder_close(&f);
}

static size_t count_newlines(const char *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += p[i] == '\n';
    return count;
}

/* All rows come through both ways, whole and in portions. */
static void feed_tsv(const char *text, size_t n, void *arg)
{
    const Folder *f = arg;
    Err err;
    RowSum sum = {0};
    int64_t rows, bytes;
    put_file(f, text, n);
    if (!tsv_check(f->path, &sum, &rows, &bytes, &err))
        return;
    assert_int_equal(bytes, n);
    assert_int_equal(rows, count_newlines(text, n));
    assert_int_equal(sum.rows, rows);
    StrList paths = STRLIST_INIT;
    strlist_add(&paths, f->path);
    TsvStream *s;
    AUTO(str_done) Str all = STR_INIT;
    assert_ok(tsv_open(&paths, 2, 0, &s, &err), err);
    for (int64_t fed = 0; fed < rows;) {
        char buffer[7];
        tsv_portion(s, 1 + chance(3), 1 + chance(20));
        for (ssize_t got; (got = tsv_feed(s, buffer, 1 + chance(sizeof buffer), &err)) > 0;)
            str_add(&all, buffer, (size_t)got);
        assert_true(tsv_rows_fed(s) > 0);
        fed += tsv_rows_fed(s);
    }
    assert_int_equal(all.len, n);
    assert_memory_equal(str_z(&all), text, n);
    tsv_close(s);
    strlist_done(&paths);
}

static void rows_of_tsv(void **state)
{
    (void)state;
    static const char *const examples[] = {"word\t1\t2\t3\nother\t-5\t\\N\ta\\tb\\nc\\\\\n", "\n\n\t\t\n", "",
                                           NULL};
    Folder f;
    folder_open(&f, "t.tsv");
    fuzz(examples, feed_tsv, &f);
    folder_close(&f);
}

/* Compressed files, relay logs and lists hold zero bytes: one example, changed byte by byte. */
static void fuzz_bytes(const Str *example, Feed feed, void *arg)
{
    AUTO(str_done) Str text = STR_INIT;
    state_of_chance = (uint64_t)setting("SIDING_FUZZ_SEED", 1);
    long rounds = setting("SIDING_FUZZ_ROUNDS", ROUNDS);
    for (long i = 0; i < rounds; i++) {
        mutate(example->p, example->len, &text);
        feed(str_z(&text), text.len, arg);
    }
}

static void feed_gzip(const char *text, size_t n, void *arg)
{
    const Folder *f = arg;
    Err err;
    RowSum sum = {0};
    int64_t rows, bytes;
    put_file(f, text, n);
    if (tsv_check(f->path, &sum, &rows, &bytes, &err))
        assert_int_equal(sum.rows, rows);
}

static void compressed_files(void **state)
{
    (void)state;
    Err err;
    Folder f;
    folder_open(&f, "t.tsv.gz");
    GzWriter *w;
    GzTotals totals;
    assert_ok(gz_create(f.path, "zlib:6", &w, &err), err);
    for (int i = 0; i < 40; i++)
        assert_ok(gz_write(w, "some words\t1\n", 13, &err), err);
    assert_ok(gz_finish(w, &totals, &err), err);
    AUTO(str_done) Str example = STR_INIT;
    assert_ok(fs_read(f.path, 1 << 20, &example, &err), err);
    fuzz_bytes(&example, feed_gzip, &f);
    folder_close(&f);
}

static void le(Str *s, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        str_addc(s, (char)(v >> (8 * i)));
}

static void event(Str *file, int type, const char *body, size_t n)
{
    le(file, 1700000000, 4);
    le(file, (uint64_t)type, 1);
    le(file, 1, 4);
    le(file, 19 + n + 4, 4);
    le(file, file->len, 4);
    le(file, 0, 2);
    str_add(file, body, n);
    le(file, 0xdeadbeef, 4);
}

static void feed_relay_log(const char *text, size_t n, void *arg)
{
    const Folder *f = arg;
    Err err;
    put_file(f, text, n);
    StrList paths = STRLIST_INIT;
    strlist_add(&paths, f->path);
    BinlogScan scan = {0};
    if (binlog_scan(&paths, &scan, &err))
        binlog_scan_done(&scan);
    strlist_done(&paths);
}

static void relay_logs(void **state)
{
    (void)state;
    static const char gtid[] = "\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                      begin[] = "\7\0\0\0\4\0\0\0\4\0\0\3\0\0\0\0shop\0BEGIN";
    AUTO(str_done) Str file = STR_INIT;
    Folder f;
    str_add(&file, "\xfe\x62\x69\x6e", 4);
    event(&file, 15, "fd\1", 3);
    for (int i = 0; i < 3; i++) {
        event(&file, 162, gtid, sizeof gtid - 1);
        event(&file, 2, begin, sizeof begin - 1);
        event(&file, 30, "rows", 4);
        event(&file, 16, "12345678", 8);
    }
    folder_open(&f, "relay.000001");
    fuzz_bytes(&file, feed_relay_log, &f);
    folder_close(&f);
}

static bool any_hit(void *arg, const Entry *e, Err *err)
{
    (void)arg, (void)err;
    assert_true(e->field > 0 && e->field < 256 && e->frequency > 0);
    assert_true(e->n_positions <= e->frequency);
    return true;
}

static void feed_hits(const char *text, size_t n, void *arg)
{
    (void)arg;
    Err err;
    for (int positions = 0; positions < 2; positions++)
        if (!hitlist_unpack(text, n, 3, positions, any_hit, NULL, &err))
            assert_int_equal(err.kind, ERR_CORRUPT);
}

static void lists_of_hits(void **state)
{
    (void)state;
    static const uint32_t places[] = {1, 5, 900};
    AUTO(str_done) Str packed = STR_INIT;
    Hitlist h = {.positions = true};
    for (int i = 0; i < 30; i++) {
        Entry e = {.record = i * i, .field = 1, .frequency = 3, .positions = places, .n_positions = 3};
        hitlist_add(&h, &e);
    }
    hitlist_pack(&h, &packed);
    fuzz_bytes(&packed, feed_hits, NULL);
    hitlist_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_lines), cmocka_unit_test(ranges),           cmocka_unit_test(gtids),
        cmocka_unit_test(times),          cmocka_unit_test(manifests),        cmocka_unit_test(rows_of_tsv),
        cmocka_unit_test(lists_of_hits),  cmocka_unit_test(compressed_files), cmocka_unit_test(relay_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
