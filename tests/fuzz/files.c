/* SPDX-License-Identifier: Apache-2.0
 * Files: results, dumps that were cut short, relay logs, job files.
 */
#include <string.h>

#include "common/db/binlog_query.h"
#include "common/file/fs.h"
#include "common/file/gz.h"
#include "fuzz.h"
#include "replica-agent/core/merge.h"
#include "replica-agent/dump/journal.h"
#include "replica-agent/index/definition.h"
#include "replica-agent/load/bundle.h"
#include "replica-agent/load/tsv.h"

/* ---- results -------------------------------------------------------------------------------------- */

/* As if two shards had sealed it. */
static void merge(const char *text, size_t n)
{
    Err err;
    Merge m;
    AUTOJSON json_t *one = NULL, *two = NULL;
    if (!json_parse(text, n, &one, &err) || !json_parse(text, n, &two, &err))
        return;
    if (json_is_object(two))
        json_set_int(two, "shard", 1);
    const json_t *const parts[] = {one, two};
    if (!merge_manifests(parts, COUNT(parts), &m, &err))
        return;
    MUST(json_array_size(json_object_get(m.manifest, "files")) == m.n);
    merge_done(&m);
}

static void manifest(const char *text, size_t n)
{
    Err err;
    Bundle b;
    fuzz_file("manifest.json", text, n);
    merge(text, n);
    if (!bundle_open(fuzz_folder(), &b, &err)) {
        MUST(*err.text);
        return;
    }
    for (size_t i = 0; i < b.file_count; i++) {
        MUST(!strstr(b.files[i].name, "/../") && !str_ends(b.files[i].name, "/.."));
        MUST(*b.files[i].name && *b.files[i].name != '/' && !str_starts(b.files[i].name, "../"));
        MUST(b.files[i].rows >= 0 && b.files[i].compressed_bytes >= 0);
    }
    if (b.file_count)
        MUST(!bundle_verify(&b, &err)); /* none of the files is there */
    bundle_done(&b);
}

static const char *const manifest_examples[] = {
    "{\"run\":\"12.1\",\"job\":\"words\",\"gtid\":\"0-1-9\",\"frozen_at\":\"2026-11-23T20:37:00.123Z\","
    "\"shard\":0,\"shards\":1,\"lag_ms\":5,\"files\":[{\"name\":"
    "\"lib.words.00000.tsv.gz\",\"rows\":3,\"bytes\":30,\"compressed_bytes\":20,\"sha256\":"
    "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}],\"upload\":{\"mode\":"
    "\"swap\",\"target\":\"lib.words\",\"columns\":"
    "[\"term\",\"record\"],\"rows\":3,\"checksum\":\"3:77\",\"create\":\"CREATE TABLE `lib`.`words` (x "
    "INT)\"},\"tables\":[{\"database\":\"a\",\"table\":\"t\",\"rows\":2,\"checksum\":\"2:9\",\"verified\":"
    "true}]}",
    NULL};

static size_t count_newlines(const char *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += p[i] == '\n';
    return count;
}

/* All rows come through, in portions and pieces of many sizes. */
static void stream(const StrList *paths, size_t numbers, int64_t rows, Str *out)
{
    Err err;
    TsvStream *s;
    unsigned turn = (unsigned)rows;
    MUST(tsv_open(paths, numbers, 0, &s, &err));
    for (int64_t fed = 0; fed < rows;) {
        char buffer[7];
        tsv_portion(s, 1 + turn % 3, 1 + turn % 20);
        for (ssize_t got; (got = tsv_feed(s, buffer, 1 + turn++ % sizeof buffer, &err)) > 0;)
            str_add(out, buffer, (size_t)got);
        MUST(tsv_rows_fed(s) > 0);
        fed += tsv_rows_fed(s);
    }
    tsv_close(s);
}

static bool check(const char *path, const char *text, size_t n)
{
    Err err;
    RowSum sum = {0};
    int64_t rows, bytes;
    if (!tsv_check(path, &sum, &rows, &bytes, &err))
        return false;
    MUST(bytes == (int64_t)n && rows == (int64_t)count_newlines(text, n) && sum.rows == rows);
    return true;
}

/* Behind a form feed begins the file of a second shard. */
static void tsv(const char *text, size_t n)
{
    const char *feed = memchr(text, '\f', n), *rest = feed ? feed + 1 : text + n;
    size_t first = (size_t)((feed ? feed : rest) - text), second = n - (size_t)(rest - text);
    AUTO(strlist_done) StrList paths = STRLIST_INIT;
    AUTO(str_done) Str out = STR_INIT;
    strlist_add(&paths, fuzz_file("x.tsv", text, first));
    if (!check(paths.v[0], text, first))
        return;
    if (feed) {
        strlist_add(&paths, fuzz_file("x.s1.tsv", rest, second));
        if (!check(paths.v[1], rest, second))
            return;
    }
    stream(&paths, feed ? 2 : 0, (int64_t)(count_newlines(text, first) + count_newlines(rest, second)), &out);
    MUST(out.len == first + second);
    MUST(feed || !n || memcmp(out.p, text, n) == 0);
}

static const char *const tsv_examples[] = {"word\t1\t2\t3\nother\t-5\t\\N\ta\\tb\\nc\\\\\n", "\n\n\t\t\n", "",
                                           "a\t1\t2\nb\t3\t4\n\fa\t1\t3\nc\t\t\n", NULL};

static void gzip(const char *text, size_t n)
{
    Err err;
    RowSum sum = {0};
    int64_t rows, bytes;
    if (tsv_check(fuzz_file("x.tsv.gz", text, n), &sum, &rows, &bytes, &err))
        MUST(sum.rows == rows && rows <= bytes);
}

static void make_gzip(FuzzAdd add, void *arg)
{
    static const char *const codecs[] = {"zlib:6", "igzip:1", "zstd:3"};
    Err err;
    for (size_t c = 0; c < COUNT(codecs); c++) {
        if (!gz_codec_known(codecs[c]))
            continue;
        GzWriter *w;
        GzTotals totals;
        AUTO(str_done) Str example = STR_INIT;
        AUTOFREE char *path = xstrdup(fuzz_file("made", "", 0));
        MUST(gz_create(path, codecs[c], &w, &err));
        for (int i = 0; i < 40; i++)
            MUST(gz_write(w, "some words\t1\n", 13, &err) && (i != 20 || gz_new_member(w, &err)));
        MUST(gz_finish(w, &totals, &err) && fs_read(path, 1 << 20, &example, &err));
        add(arg, example.p, example.len);
    }
}

/* ---- dumps and job files --------------------------------------------------------------------------- */

static void journal(const char *text, size_t n)
{
    Err err;
    Journal *j;
    RowSum sum = {0};
    AUTO(strlist_done) StrList bound = STRLIST_INIT;
    AUTOJSON json_t *identity = json_object();
    json_set_str(identity, "position", "0-1-5");
    fuzz_file(".siding-journal", text, n);
    if (!journal_open(fuzz_folder(), identity, &j, &err)) {
        MUST(err.kind == ERR_REFUSED);
        return;
    }
    journal_bound(j, "a.t", 1, &bound);
    if (journal_chunk(j, "a.t", 1, &sum))
        MUST(journal_has_chunks(j));
    MUST(json_is_array(journal_files(j)));
    journal_close(j);
}

static const char *const journal_examples[] = {
    "{\"position\":\"0-1-5\"}\n{\"key\":\"a.t/1\",\"upto\":[\"5\",\"'x'\"]}\n"
    "{\"key\":\"a.t/1\",\"files\":[],\"rows\":3,\"sum\":-7}\n",
    "{\"position\":\"0-1-5\"}\n{\"key\":\"a.t/"
    "1\",\"files\":[{\"name\":\"a.t.00001.sql.gz\",\"rows\":1,\"bytes\":2,"
    "\"compressed_bytes\":3,\"sha256\":\"e3\"}]}\n{\"key\":\"a.t/2",
    "{\"position\":\"0-1-6\"}\n", NULL};

static void definition(const char *text, size_t n)
{
    Err err;
    JobFile f = {0};
    if (!job_file_load(fuzz_file("job.conf", text, n), &f, &err)) {
        MUST(err.kind == ERR_CONFIG && *err.text);
        return;
    }
    if (f.index.fields.n) {
        AUTO(str_done) Str out = STR_INIT;
        AUTO(strlist_done) StrList columns = STRLIST_INIT;
        free(definition_fingerprint(&f.index));
        free(definition_comment(&f.index));
        definition_create_table(&f.index, &out);
        definition_columns(&f.index, &columns);
        if (f.index.changed_since)
            definition_changed_since(&f.index, 1764000000123, &out);
    }
    job_file_done(&f);
}

static const char *const definition_examples[] = {
    "name = \"catalogue\";\nkind = \"index\";\nupload = \"swap\";\nindex = {\ntarget = \"c.word_index\"; key "
    "= "
    "\"record\";\nfields = ( { name = \"title\"; query = \"SELECT id, name FROM c.r\"; },\n{ name = "
    "\"people\"; "
    "query = \"SELECT rid, name FROM c.p\"; weight = 3; } );\nchanged_since = \"SELECT ':frozen_at', id FROM "
    "c.r "
    "WHERE at >= :frozen_at\";\non_change = \"delta\"; stop_words = [ \"the\" ]; layout = \"hitlist\";\n};\n",
    "name = \"x\"; kind = \"command\"; program = \"/bin/true\"; args = [ \"a\" ]; allow_args = [ "
    "\"--x=[0-9]+\" "
    "];\ntime_limit = \"90m\"; pause_limit = 3600; nice = 5; keep = 3;\n",
    NULL};

/* ---- relay logs ----------------------------------------------------------------------------------- */

static bool look(void *arg, const BinlogGroup *g, Err *err)
{
    AUTO(binlog_query_done) BinlogQuery q = {0};
    free(binlog_group_gtid(g));
    MUST(g->n_parts && g->parts[0].from < g->gtid_to && g->gtid_to <= g->parts[0].to);
    if (binlog_query_read(arg, g, &q, err) && q.sql) {
        size_t bytes;
        free(binlog_query_replaced(&q, "DROP TABLE x", &bytes));
        MUST(bytes == q.sql_at + strlen("DROP TABLE x") + q.tail);
    }
    return true;
}

static bool look_loose(void *arg, const BinlogLoose *l, Err *err)
{
    (void)err;
    MUST(l->part.file < ((const StrList *)arg)->n && l->part.from <= l->part.to);
    return true;
}

/* A second magic number begins a second file. */
static void relay_log(const char *text, size_t n)
{
    Err err;
    BinlogScan scan = {0};
    AUTO(strlist_done) StrList paths = STRLIST_INIT;
    const char *second = n > 4 ? memmem(text + 4, n - 4, "\xfe\x62\x69\x6e", 4) : NULL;
    size_t first = second ? (size_t)(second - text) : n;
    strlist_add(&paths, fuzz_file("relay.000001", text, first));
    if (second)
        strlist_add(&paths, fuzz_file("relay.000002", second, n - first));
    if (!binlog_walk_all(&paths, look, look_loose, &paths, &scan, &err))
        return;
    MUST(scan.bytes >= 0 && scan.bytes <= (int64_t)n);
    MUST(scan.torn == (scan.torn_file != NULL) && scan.torn_pos >= 0 && scan.torn_pos <= (int64_t)n);
    binlog_scan_done(&scan);
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

static void make_relay_log(FuzzAdd add, void *arg)
{
    static const char begin[] = "\7\0\0\0\4\0\0\0\4\0\0\3\0\0\0\0shop\0BEGIN",
                      ddl[] = "\7\0\0\0\4\0\0\0\4\0\0\0\0shop\0DROP TABLE x";
    AUTO(str_done) Str file = STR_INIT;
    for (char seq = 1; seq < 7; seq++) {
        char gtid[19] = {seq};
        gtid[12] = seq == 3; /* a statement of its own */
        if (seq == 1 || seq == 5) {
            str_add(&file, "\xfe\x62\x69\x6e", 4);
            event(&file, 15, "fd\1", 3);
        }
        event(&file, 162, gtid, sizeof gtid);
        event(&file, 2, seq == 3 ? ddl : begin, seq == 3 ? sizeof ddl - 1 : sizeof begin - 1);
        if (seq == 3)
            continue;
        event(&file, 30, "rows", 4);
        event(&file, 16, "12345678", 8);
        if (seq == 4)
            add(arg, file.p, file.len);
    }
    add(arg, file.p, file.len);
}

const FuzzTarget fuzz_files[] = {
    {"manifest", manifest, manifest_examples, NULL},
    {"tsv", tsv, tsv_examples, NULL},
    {"gzip", gzip, NULL, make_gzip},
    {"journal", journal, journal_examples, NULL},
    {"definition", definition, definition_examples, NULL},
    {"relay_log", relay_log, NULL, make_relay_log},
    {0},
};
