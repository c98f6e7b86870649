/* SPDX-License-Identifier: Apache-2.0
 * Some hundred kilobytes that want all memory: what reads them is bounded, whatever they hold. Each reader
 * works in a process of its own, whose peak of memory (VmHWM) is looked at.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/file/codec.h"
#include "common/file/fs.h"
#include "common/file/gz.h"
#include "common/file/json.h"
#include "replica-agent/index/hitlist.h"
#include "replica-agent/load/tsv.h"
#include "test.h"

enum { MB = 1 << 20, SHARDS = 14, ROOM_MB = 64 /* of a reader beside its rows */ };
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { COUNTS = false }; /* a sanitizer's memory is not the reader's */
#else
enum { COUNTS = true };
#endif

static char folder[] = "/tmp/siding-bombs-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    Err err;
    return fs_remove_tree(folder, &err) ? 0 : -1;
}

/* `n` MB that repeat `what`, which is put before `tail`. */
static char *bomb(const char *name, const char *what, int n, const char *tail)
{
    Err err;
    GzWriter *w;
    GzTotals totals;
    AUTO(str_done) Str block = STR_INIT;
    char *path = xasprintf("%s/%s", folder, name);
    while (block.len < MB)
        str_adds(&block, what);
    assert_true(gz_create(path, "gzip", &w, &err));
    for (int i = 0; i < n; i++)
        assert_true(gz_write(w, block.p, block.len, &err));
    assert_true(gz_write(w, tail, strlen(tail), &err) && gz_finish(w, &totals, &err));
    return path;
}

static int64_t peak_mb(void)
{
    char line[200];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb / 1024;
}

typedef bool (*Reader)(const void *arg, Err *err);

/* What it says, and how much more than at its beginning it has taken. */
static void expect(const char *name, Reader reads, const void *arg, const char *says, int64_t most_mb)
{
    int pipe_fd[2];
    struct {
        bool ok;
        int64_t took_mb;
        Err err;
    } told;
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        memset(&told, 0, sizeof told);
        int64_t before = peak_mb();
        told.ok = reads(arg, &told.err);
        told.took_mb = peak_mb() - before;
        _exit(write(pipe_fd[1], &told, sizeof told) == (ssize_t)sizeof told ? 0 : 1);
    }
    close(pipe_fd[1]);
    int status = -1;
    assert_int_equal(read(pipe_fd[0], &told, sizeof told), sizeof told); /* less than a pipe holds */
    close(pipe_fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    print_message("%s: %lld MB\n", name, (long long)told.took_mb);
    assert_int_equal(told.ok, says == NULL);
    if (says && !strstr(told.err.text, says))
        fail_msg("%s: %s", name, told.err.text);
    if (COUNTS && told.took_mb > most_mb)
        fail_msg("%s took %lld MB", name, (long long)told.took_mb);
}

static bool checks(const void *arg, Err *err)
{
    RowSum sum = {0, 0};
    int64_t rows, bytes;
    return tsv_check(arg, &sum, &rows, &bytes, err);
}

static bool streams(const void *arg, Err *err)
{
    const StrList *paths = arg;
    TsvStream *s;
    ssize_t n;
    static char buffer[65536];
    if (!tsv_open(paths, 2, 0, &s, err))
        return false;
    do {
        tsv_portion(s, 1 << 30, INT64_MAX);
        n = tsv_feed(s, buffer, sizeof buffer, err);
    } while (n > 0);
    tsv_close(s);
    return n == 0;
}

/* One file by all who read rows. */
static void expect_rows(const char *name, const char *path, const char *says, int64_t most_mb)
{
    AUTO(strlist_done) StrList one = STRLIST_INIT;
    strlist_add(&one, path);
    expect(name, checks, path, says, most_mb);
    /* What goes to the server as it is needs no end of its row here. */
    expect("streamed", streams, &one, NULL, ROOM_MB);
}

static void rows_without_an_end(void **state)
{
    (void)state;
    int64_t most = (TSV_MOST_ROW_BYTES >> 20) + ROOM_MB;
    AUTOFREE char *line = bomb("line.tsv.gz", "x", 150, "");
    AUTOFREE char *columns = bomb("columns.tsv.gz", "\t", 150, "\n");
    AUTOFREE char *escaped = bomb("escaped.tsv.gz", "\\n\\t", 150, "\n");
    struct stat st;
    assert_int_equal(stat(line, &st), 0);
    assert_true(st.st_size < 4 * MB); /* a bomb indeed */
    expect_rows("one line", line, "row 1 is longer than", most);
    expect_rows("one row of columns", columns, "row 1 is longer than", most);
    expect_rows("one row of escapes", escaped, "row 1 is longer than", most);
}

static void rows_without_number(void **state)
{
    (void)state;
    AUTOFREE char *lines = bomb("lines.tsv.gz", "\n", 20, "");
    AUTOFREE char *wide = bomb("wide.tsv.gz", "\t", 30, "\n"); /* as long as a row may be */
    AUTOFREE char *torn = bomb("torn.tsv.gz", "1\tx\n", 20, "torn");
    expect_rows("lines", lines, NULL, ROOM_MB);
    expect_rows("one wide row", wide, NULL, (TSV_MOST_ROW_BYTES >> 20) + ROOM_MB);
    expect_rows("a torn row", torn, "its last row has no end", ROOM_MB);
}

/* A merge holds a row of each; all of them together are bounded, and so is their number. */
static void rows_of_many_shards(void **state)
{
    (void)state;
    AUTO(strlist_done) StrList long_rows = STRLIST_INIT, many = STRLIST_INIT, endless = STRLIST_INIT;
    for (int i = 1; i <= SHARDS; i++) {
        AUTOFREE char *name = xasprintf("long.00000.s%d.tsv.gz", i), *path = bomb(name, "x", 20, "\t1\t1\n");
        strlist_add(&long_rows, path);
    }
    for (int i = 1; i <= 65; i++) {
        AUTOFREE char *name = xasprintf("many.00000.s%d.tsv.gz", i),
                      *path = bomb(name, "x\t1\t1\n", 0, "x\t1\t1\n");
        strlist_add(&many, path);
    }
    for (int i = 1; i <= 2; i++) {
        AUTOFREE char *name = xasprintf("endless.00000.s%d.tsv.gz", i), *path = bomb(name, "x", 100, "\n");
        strlist_add(&endless, path);
    }
    expect("long rows of shards", streams, &long_rows, "rows of several shards have more than",
           256 + ROOM_MB);
    expect("many shards", streams, &many, "files of 65 shards", ROOM_MB);
    expect("endless rows of shards", streams, &endless, "a row is longer than",
           2 * (TSV_MOST_ROW_BYTES >> 20) + ROOM_MB);
    StrList few = {many.v, 64, 64};
    expect("as many as there may be", streams, &few, NULL, ROOM_MB);
}

static bool takes_entry(void *arg, const Entry *e, Err *err)
{
    (void)arg;
    (void)e;
    (void)err;
    return true;
}

static bool unpacks(const void *arg, Err *err)
{
    const Str *packed = arg;
    return hitlist_unpack(packed->p, packed->len, 1, true, takes_entry, NULL, err);
}

static void hits(int n_mb, const char *says, int64_t most_mb)
{
    AUTO(str_done) Str packed = STR_INIT;
    AUTOFREE char *zeros = xcalloc((size_t)n_mb, MB);
    for (int shift = 0; shift < 32; shift += 8)
        str_addc(&packed, (char)((int64_t)n_mb * MB >> shift & 255));
    codec_zlib(zeros, (size_t)n_mb * MB, &packed);
    expect("hits", unpacks, &packed, says, most_mb);
}

static void hits_of_a_row(void **state)
{
    (void)state;
    hits(200, "a list of hits is damaged", ROOM_MB);
    hits(20, "a list of hits is damaged", ROOM_MB); /* read, and found to be none */
}

static bool parses(const void *arg, Err *err)
{
    const Str *text = arg;
    json_t *j;
    bool ok = json_parse(text->p, text->len, &j, err);
    if (ok)
        json_decref(j);
    return ok;
}

/* As a body, a file, an answer: whatever is parsed. */
static void values_without_number(void **state)
{
    (void)state;
    static const char *const what[] = {"0", "[]", "{}", "\"\"", "[[]]", "{\"\":0}", "1e1"};
    for (size_t i = 0; i < COUNT(what); i++)
        for (int n_mb = 1; n_mb <= 24; n_mb *= 24) {
            AUTO(str_done) Str text = STR_INIT;
            AUTO(str_done) Str block = STR_INIT;
            while (block.len < MB)
                str_addf(&block, "%s,", what[i]);
            str_adds(&text, "[");
            for (int k = 0; k < n_mb; k++)
                str_add(&text, block.p, block.len);
            str_addf(&text, "%s]", what[i]);
            expect(what[i], parses, &text, n_mb > 1 ? "too many values" : NULL, 200 + ROOM_MB);
        }
    /* Text is what it is, and separators in it are no values. */
    AUTO(str_done) Str text = STR_INIT;
    str_adds(&text, "[\"");
    while (text.len < 20 * MB)
        str_adds(&text, "{[,:\\\"\\\\");
    str_adds(&text, "\"]");
    expect("a long text", parses, &text, NULL, 100 + ROOM_MB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_without_an_end),   cmocka_unit_test(rows_without_number),
        cmocka_unit_test(rows_of_many_shards),   cmocka_unit_test(hits_of_a_row),
        cmocka_unit_test(values_without_number),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
