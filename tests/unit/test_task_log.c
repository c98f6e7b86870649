/* SPDX-License-Identifier: Apache-2.0
 * Logs of tasks: what an agent keeps of them and reads, and how pieces of several runs become one.
 */
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/file/fs.h"
#include "common/file/json.h"
#include "orchestrator/core/task_log.h"
#include "replica-agent/host/logs.h"
#include "test.h"

static char dir[40];

static void put(const char *name, const char *text)
{
    Err err;
    AUTOFREE char *path = xasprintf("%s/%s", dir, name);
    AUTOFREE char *folder = fs_dirname(path);
    assert_ok(fs_mkdirs(folder, 0700, &err), err);
    assert_ok(fs_replace(path, text, strlen(text), 0600, &err), err);
}

/* ---- kept by an agent ------------------------------------------------------------------------------- */

static void keep(const char *run, const char *text, int64_t most)
{
    Err err;
    AUTOFREE char *program = xasprintf("%s/job", dir);
    put("job/log", text);
    assert_ok(logs_keep(dir, run, program, most, &err), err);
}

static char *kept_of(int64_t task)
{
    AUTO(strlist_done) StrList ids = STRLIST_INIT;
    logs_of_task(dir, task, &ids);
    return strlist_join(&ids, " ");
}

static void of_a_task_the_newest_runs_are_kept(void **state)
{
    (void)state;
    keep("12.9-aaaaaaaaaa", "1234567890", 25);
    keep("12.10-aaaaaaaaaa", "1234567890", 25);
    keep("7.1-aaaaaaaaaa", "1234567890", 25);
    AUTOFREE char *two = kept_of(12);
    assert_string_equal(two, "12.9-aaaaaaaaaa 12.10-aaaaaaaaaa");
    keep("12.11-bbbbbbbbbb", "1234567890", 25);
    AUTOFREE char *rotated = kept_of(12);
    assert_string_equal(rotated, "12.10-aaaaaaaaaa 12.11-bbbbbbbbbb");
    keep("12.12-bbbbbbbbbb", "more than all together may have", 25);
    AUTOFREE char *last = kept_of(12);
    assert_string_equal(last, "12.12-bbbbbbbbbb");
    AUTOFREE char *other = kept_of(7);
    assert_string_equal(other, "7.1-aaaaaaaaaa");
    AUTOFREE char *found = logs_find(dir, "12.12-bbbbbbbbbb"), *gone = logs_find(dir, "12.9-aaaaaaaaaa");
    assert_non_null(found);
    assert_null(gone);
}

static void a_log_is_read_from_an_offset_or_its_end(void **state)
{
    (void)state;
    static const struct {
        int64_t offset;
        const char *text;
    } rows[] = {{0, "rotated once\nnew\n"},
                {10, "rotated once\nnew\n"},
                {12, "tated once\nnew\n"},
                {23, "new\n"},
                {25, "w\n"},
                {27, ""}};
    static const struct {
        size_t most;
        const char *text;
    } ends[] = {{3, "ew\n"}, {9, "once\nnew\n"}, {100, "rotated once\nnew\n"}};
    AUTOFREE char *folder = xasprintf("%s/read", dir);
    put("read/log.1", "rotated once\n");
    put("read/log", "new\n");
    put("read/log.start", "23\n"); /* ten bytes have been rotated away twice */
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(str_done) Str text = STR_INIT;
        assert_int_equal(logs_read(folder, "log", rows[i].offset, 1 << 20, &text), 27);
        assert_string_equal(str_z(&text), rows[i].text);
    }
    for (size_t i = 0; i < COUNT(ends); i++) {
        AUTO(str_done) Str text = STR_INIT;
        assert_false(logs_read_end(folder, "log", ends[i].most, &text));
        assert_string_equal(str_z(&text), ends[i].text);
    }
    AUTO(str_done) Str none = STR_INIT;
    assert_true(logs_read_end(folder, "err", 100, &none));
    put("read/err", "short");
    AUTO(str_done) Str all = STR_INIT;
    assert_true(logs_read_end(folder, "err", 100, &all));
    assert_string_equal(str_z(&all), "short");
}

/* ---- over its runs ---------------------------------------------------------------------------------- */

static json_t *piece(const char *run, int64_t at, const char *text, bool whole)
{
    json_t *o = json_pack("{s:s, s:s, s:b}", "run", run, "text", text, "whole", whole);
    json_set_time(o, "at", at);
    return o;
}

static void pieces_of_several_hosts_become_one(void **state)
{
    (void)state;
    int64_t at;
    assert_true(clock_parse("2026-11-29T02:00:00Z", &at));
    AUTOJSON json_t *of_db2 = json_pack("[o, o]", piece("12.10-bbbbbbbbbb", at, "ten", true),
                                        piece("12.2-aaaaaaaaaa", at, "two\n", false));
    AUTOJSON json_t *of_db1 = json_pack("[o, o, o]", piece("12.9-aaaaaaaaaa", at, "nine\n", true),
                                        piece("12.1-zzzzzzzzzz", at - 86400000, "of another queue", true),
                                        piece("nonsense", at, "", true));
    WireList pieces = {0};
    AUTO(str_done) Str all = STR_INIT, short_ = STR_INIT, one = STR_INIT, none = STR_INIT;
    task_log_write(&pieces, 0, &none);
    assert_int_equal(none.len, 0);
    task_log_add(&pieces, "db2", of_db2, at - 3600000);
    task_log_add(&pieces, "db1", of_db1, at - 3600000);
    task_log_write(&pieces, 0, &all);
    assert_string_equal(
        str_z(&all),
        "==== run 12.2 on db2, last written 2026-11-29T02:00:00.000Z; its beginning is not kept ====\ntwo\n"
        "==== run 12.9 on db1, last written 2026-11-29T02:00:00.000Z ====\nnine\n"
        "==== run 12.10 on db2, last written 2026-11-29T02:00:00.000Z ====\nten");
    task_log_write(&pieces, 9, &short_);
    assert_null(strstr(str_z(&short_), "two"));
    assert_non_null(strstr(str_z(&short_), "nine\n"));
    task_log_done(&pieces);
    AUTOJSON json_t *single = json_pack("[o]", piece("12.1-aaaaaaaaaa", at, "as it is", true));
    task_log_add(&pieces, "db1", single, at);
    task_log_write(&pieces, 1, &one);
    assert_string_equal(str_z(&one), "as it is");
    task_log_done(&pieces);
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/test-task-log-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    Err err;
    (void)state;
    return !fs_remove_tree(dir, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_task_the_newest_runs_are_kept),
        cmocka_unit_test(a_log_is_read_from_an_offset_or_its_end),
        cmocka_unit_test(pieces_of_several_hosts_become_one),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
