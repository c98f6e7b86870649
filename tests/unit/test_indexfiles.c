/* SPDX-License-Identifier: Apache-2.0
 * Sorted runs written by several threads as the files of one result.
 */
#include "test.h"

#include <unistd.h>

#include "common/file/fs.h"
#include "replica-agent/index/indexfiles.h"

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

typedef struct Place {
    char folder[32], target[4], *layout, *scratch;
    IndexDefinition definition;
    IndexFilesPlan plan;
    Runs runs;
} Place;

static void place_begin(Place *p, int64_t threads, int64_t rows_per_file, const char *layout)
{
    Err err;
    *p = (Place){.folder = "/tmp/siding-output-XXXXXX", .target = "a.b", .layout = xstrdup(layout)};
    assert_non_null(mkdtemp(p->folder));
    p->scratch = xasprintf("%s/.runs", p->folder);
    assert_ok(fs_mkdirs(p->scratch, 0700, &err), err);
    p->definition = (IndexDefinition){.layout = p->layout, .target = p->target};
    p->plan = (IndexFilesPlan){.definition = &p->definition,
                               .folder = p->folder,
                               .scratch = p->scratch,
                               .codec = "none",
                               .rows_per_file = rows_per_file,
                               .threads = threads,
                               .memory_bytes = 1 << 20,
                               .records = RECORDS};
}

static void place_end(Place *p)
{
    Err err;
    runs_done(&p->runs);
    assert_ok(fs_remove_tree(p->folder, &err), err);
    free(p->layout);
    free(p->scratch);
}

static RowSum write_by(int64_t threads, const char *layout, size_t *ret_files)
{
    Err err;
    Place p;
    json_t *files;
    RowSum sum;
    place_begin(&p, threads, 400000, layout);
    make_runs(p.scratch, &p.runs);
    assert_ok(indexfiles_write(&p.plan, &p.runs, &files, &sum, &err), err);
    int64_t rows = 0;
    json_t *file;
    size_t i;
    json_array_foreach(files, i, file)
    {
        AUTOFREE char *name = xasprintf("a.b.%05zu.tsv", i), *path = xasprintf("%s/%s", p.folder, name);
        assert_string_equal(json_str(file, "name"), name);
        assert_int_equal(fs_size(path), json_int(file, "bytes"));
        rows += json_int(file, "rows");
    }
    assert_int_equal(rows, sum.rows);
    *ret_files = json_array_size(files);
    json_decref(files);
    place_end(&p);
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
    Place p;
    json_t *files;
    RowSum sum;
    place_begin(&p, 2, 1000, "postings");
    assert_ok(indexfiles_write(&p.plan, &p.runs, &files, &sum, &err), err);
    assert_int_equal(json_array_size(files), 1);
    assert_int_equal(sum.rows, 0);
    json_decref(files);
    place_end(&p);
}

/* A part that fails ends the others, and nothing is left but scratch. */
static void a_damaged_run_ends_all(void **state)
{
    (void)state;
    Err err;
    Place p;
    json_t *files;
    RowSum sum;
    place_begin(&p, 3, 1000000, "postings");
    make_runs(p.scratch, &p.runs);
    const char *path = p.runs.v[0].path;
    assert_int_equal(truncate(path, fs_size(path) - 5), 0);
    assert_false(indexfiles_write(&p.plan, &p.runs, &files, &sum, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    StrList left = STRLIST_INIT;
    assert_ok(fs_list(p.folder, &left, &err), err);
    assert_int_equal(left.n, 1);
    strlist_done(&left);
    place_end(&p);
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
