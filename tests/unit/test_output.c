/* SPDX-License-Identifier: Apache-2.0
 * Sorted runs written by several threads as the files of one result.
 */
#include "test.h"

#include <unistd.h>

#include "common/fs.h"
#include "replica-agent/index/output.h"

enum { RECORDS = 130000, WORDS = 10 };

static void spill(const char *folder, Terms *terms, Runs *runs)
{
    Err err;
    RunFile file;
    AUTOFREE char *path = xasprintf("%s/run-%zu", folder, runs->n);
    assert_ok(run_write(path, terms, &file, &err), err);
    runs_add(runs, file);
    terms_clear(terms);
}

static void make_runs(const char *folder, Runs *runs)
{
    Terms *terms = terms_new(POSTING_COUNTS, 1 << 28);
    for (unsigned r = 1; r <= RECORDS; r++) {
        for (unsigned w = 0; w < WORDS; w++) {
            char text[24];
            int n = snprintf(text, sizeof text, "w%u", (r * 31 + w * 7919) % 4999);
            terms_add(terms, text, (size_t)n, r, 1 + w % 2, 0);
        }
        if (r % 50000 == 0 || r == RECORDS)
            spill(folder, terms, runs);
    }
    terms_free(terms);
}

static RowSum write_by(int64_t threads, const char *layout, size_t *ret_files)
{
    Err err;
    char folder[] = "/tmp/siding-output-XXXXXX", target[] = "a.b";
    assert_non_null(mkdtemp(folder));
    AUTOFREE char *scratch = xasprintf("%s/.runs", folder), *kind = xstrdup(layout);
    IndexDefinition d = {.layout = kind, .target = target};
    OutputPlan p = {.definition = &d,
                    .folder = folder,
                    .scratch = scratch,
                    .codec = "none",
                    .rows_per_file = 400000,
                    .threads = threads,
                    .memory_bytes = 1 << 20,
                    .records = RECORDS};
    Runs runs = {0};
    json_t *files;
    RowSum sum;
    assert_ok(fs_mkdirs(scratch, 0700, &err), err);
    make_runs(scratch, &runs);
    assert_ok(output_write(&p, &runs, &files, &sum, &err), err);
    int64_t rows = 0;
    json_t *file;
    size_t i;
    json_array_foreach(files, i, file)
    {
        AUTOFREE char *name = xasprintf("a.b.%05zu.tsv", i), *path = xasprintf("%s/%s", folder, name);
        assert_string_equal(json_str(file, "name"), name);
        assert_int_equal(fs_size(path), json_int(file, "bytes"));
        rows += json_int(file, "rows");
    }
    assert_int_equal(rows, sum.rows);
    *ret_files = json_array_size(files);
    json_decref(files);
    runs_done(&runs);
    assert_ok(fs_remove_tree(folder, &err), err);
    return sum;
}

static void threads_change_nothing(void **state)
{
    (void)state;
    static const char *const layouts[] = {"postings", "hitlist"};
    for (size_t i = 0; i < COUNT(layouts); i++) {
        size_t one_files, three_files;
        RowSum one = write_by(1, layouts[i], &one_files), three = write_by(3, layouts[i], &three_files);
        assert_int_equal(one.rows, three.rows);
        assert_int_equal(one.sum, three.sum);
        assert_in_range(three_files, 3, 10);
        assert_true(one_files > 1);
    }
}

/* Nothing to write is a result too: one file without rows. */
static void no_runs(void **state)
{
    (void)state;
    Err err;
    char folder[] = "/tmp/siding-output-XXXXXX", target[] = "a.b", layout[] = "postings";
    assert_non_null(mkdtemp(folder));
    AUTOFREE char *scratch = xasprintf("%s/.runs", folder);
    IndexDefinition d = {.layout = layout, .target = target};
    OutputPlan p = {&d, folder, scratch, "none", 1000, 2, 1 << 20, 0, NULL, 0};
    Runs runs = {0};
    json_t *files;
    RowSum sum;
    assert_ok(output_write(&p, &runs, &files, &sum, &err), err);
    assert_int_equal(json_array_size(files), 1);
    assert_int_equal(sum.rows, 0);
    json_decref(files);
    assert_ok(fs_remove_tree(folder, &err), err);
}

/* A part that fails ends the others, and nothing is left but scratch. */
static void a_damaged_run_ends_all(void **state)
{
    (void)state;
    Err err;
    char folder[] = "/tmp/siding-output-XXXXXX", target[] = "a.b", layout[] = "postings";
    assert_non_null(mkdtemp(folder));
    AUTOFREE char *scratch = xasprintf("%s/.runs", folder);
    IndexDefinition d = {.layout = layout, .target = target};
    OutputPlan p = {&d, folder, scratch, "none", 1000000, 3, 1 << 20, RECORDS, NULL, 0};
    Runs runs = {0};
    json_t *files;
    RowSum sum;
    assert_ok(fs_mkdirs(scratch, 0700, &err), err);
    make_runs(scratch, &runs);
    assert_int_equal(truncate(runs.v[0].path, fs_size(runs.v[0].path) - 5), 0);
    assert_false(output_write(&p, &runs, &files, &sum, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    StrList left = STRLIST_INIT;
    assert_ok(fs_list(folder, &left, &err), err);
    assert_int_equal(left.n, 1);
    strlist_done(&left);
    runs_done(&runs);
    assert_ok(fs_remove_tree(folder, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(no_runs),
        cmocka_unit_test(a_damaged_run_ends_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
