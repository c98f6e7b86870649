/* SPDX-License-Identifier: Apache-2.0
 * Errors, strings, clocks, files and JSON.
 */
#include "test.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "common/file/json.h"

static void errors_say_what_and_keep_the_kind(void **state)
{
    (void)state;
    Err err = {0};
    assert_false(err_errno(&err, ENOSPC, "write %s", "/x"));
    assert_int_equal(err.kind, ERR_NO_SPACE);
    assert_string_equal(err.text, "cannot write /x: No space left on device");
    assert_false(err_prefix(&err, "run %d", 7));
    assert_string_equal(err.text, "run 7: cannot write /x: No space left on device");
    assert_int_equal(err_exit_status(&err), 1);
    for (int k = ERR_NONE; k <= ERR_CANCELLED; k++)
        assert_int_equal(err_kind_from_name(err_kind_name((ErrKind)k)), k);
}

static void nearest_word(void **state)
{
    (void)state;
    static const char *const known[] = {"state_dir", "spool_dir", "listen", NULL};
    assert_string_equal(str_nearest("stat_dir", known), "state_dir");
    assert_string_equal(str_nearest("lisen", known), "listen");
    assert_null(str_nearest("certificate", known));
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"90", 90000},    {"15s", 15000},     {"5m", 300000}, {"2h", 7200000},
                {"1d", 86400000}, {"1h30m", 5400000}, {"250ms", 250}, {"0", 0}};
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t ms = -1;
        assert_true(clock_parse_duration(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    static const char *const bad[] = {"",
                                      "h",
                                      "5x",
                                      "-3s",
                                      "5 m",
                                      "99999999999999",
                                      "999999999999d",
                                      "1.5h",
                                      "26000000000d26000000000d26000000000d26000000000d26000000000d"};
    int64_t ms;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(clock_parse_duration(bad[i], &ms));
}

static void times_round_trip(void **state)
{
    (void)state;
    char text[CLOCK_TEXT];
    int64_t back;
    clock_format(1795466220123, text);
    assert_string_equal(text, "2026-11-23T20:37:00.123Z");
    assert_true(clock_parse(text, &back));
    assert_int_equal(back, 1795466220123);
    assert_true(clock_parse("2026-11-23T20:37:00Z", &back));
    assert_false(clock_parse("2026-11-23 20:37:00", &back));
}

static void files_are_replaced_whole(void **state)
{
    (void)state;
    Err err;
    char dir[] = "/tmp/siding-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    AUTOFREE char *deep = xasprintf("%s/a/b/c", dir);
    AUTOFREE char *path = xasprintf("%s/x.json", deep);
    assert_ok(fs_mkdirs(deep, 0700, &err), err);
    assert_ok(fs_replace(path, "one", 3, 0600, &err), err);
    assert_ok(fs_replace(path, "four", 4, 0644, &err), err);
    AUTO(str_done) Str s = STR_INIT;
    assert_ok(fs_read(path, 100, &s, &err), err);
    assert_string_equal(s.p, "four");
    assert_false(fs_check_private(path, &err));
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_false(fs_read(path, 3, &s, &err));
    assert_string_equal(s.p, "four");
    /* Whoever owns the folder has left links where the new file is made, and where it goes. */
    AUTOFREE char *tmp = xasprintf("%s.tmp", path), *theirs = xasprintf("%s/theirs", dir);
    assert_ok(fs_replace(theirs, "theirs", 6, 0600, &err), err);
    assert_int_equal(symlink(theirs, tmp) | unlink(path) | symlink(theirs, path), 0);
    assert_ok(fs_replace(path, "five", 4, 0600, &err), err);
    assert_ok(fs_read(theirs, 100, &s, &err), err);
    assert_string_equal(s.p, "theirs");
    assert_ok(fs_read(path, 100, &s, &err), err);
    assert_string_equal(s.p, "five");
    assert_ok(fs_remove_tree(dir, &err), err);
    assert_false(fs_exists(dir));
    assert_false(fs_read(path, 3, &s, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void json_errors_name_the_field(void **state)
{
    (void)state;
    Err err;
    AUTOJSON json_t *o = NULL;
    const char *text = "{\"a\": 5, \"b\": \"x\", \"sates\": 1}";
    assert_ok(json_parse(text, strlen(text), &o, &err), err);
    const char *s = "untouched";
    assert_false(json_req_str(o, "a", &s, &err));
    assert_string_equal(err.text, "field \"a\" must be a string, not a whole number");
    assert_string_equal(s, "untouched");
    int64_t n;
    assert_false(json_req_int(o, "a", 6, 9, &n, &err));
    assert_false(json_req_int(o, "z", 6, 9, &n, &err));
    assert_string_equal(err.text, "field \"z\" is missing");
    json_t *bad = NULL;
    assert_false(json_parse("{", 1, &bad, &err));
    assert_null(bad);
    json_set_str(o, "b", "caf\xE9 \xC3\xA9");
    assert_string_equal(json_str(o, "b"), "caf\xEF\xBF\xBD \xC3\xA9");
}

static void digits(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,
                                      7,
                                      10,
                                      99,
                                      100,
                                      101,
                                      9999,
                                      10000,
                                      12345,
                                      99999999,
                                      100000000,
                                      100000001,
                                      4294967295u,
                                      9999999999999999u,
                                      10000000000000000u,
                                      10000000000u,
                                      UINT64_MAX};
    for (size_t i = 0; i < COUNT(values); i++) {
        char got[21] = "", want[21];
        snprintf(want, sizeof want, "%llu", (unsigned long long)values[i]);
        assert_int_equal(str_digits(values[i], got), strlen(want));
        assert_string_equal(got, want);
    }
}

/* What was written to stderr meanwhile. Owned. */
static char *logged(void (*f)(void))
{
    Err err;
    AUTO(str_done) Str text = STR_INIT;
    char path[] = "/tmp/siding-log-XXXXXX";
    int file = mkstemp(path), before = dup(STDERR_FILENO);
    assert_true(file >= 0 && before >= 0);
    dup2(file, STDERR_FILENO);
    f();
    dup2(before, STDERR_FILENO);
    close(before);
    close(file);
    assert_ok(fs_read(path, 1 << 20, &text, &err), err);
    unlink(path);
    return str_take(&text);
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
        n++;
    return n;
}

static void a_crowd_of_lines(void)
{
    for (int i = 0; i < 4515; i++)
        log_warn("too many open files");
    /* Eight others push it out. */
    for (int i = 0; i < 8; i++)
        log_warn("line %d", i);
}

static void two_lines_in_turn(void)
{
    for (int i = 0; i < 1000; i++) {
        log_warn("one of two");
        log_warn("the other of two");
    }
}

static void lines_that_come_again_are_counted(void **state)
{
    (void)state;
    log_setup("test", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    AUTOFREE char *text = logged(a_crowd_of_lines);
    assert_int_equal(count(text, "too many open files"), 4);
    assert_non_null(strstr(text, "repeated 4,512 times: too many open files\n"));
    assert_int_equal(count(text, ": line "), 8);
    AUTOFREE char *turns = logged(two_lines_in_turn);
    assert_int_equal(count(turns, "one of two"), 3);
}

static void end_the_log(void)
{
    log_setup("test", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
}

/* Without a word from anybody else. */
static void what_was_counted_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        free(logged(two_lines_in_turn));
    AUTOFREE char *text = logged(end_the_log);
    assert_int_equal(count(text, "last line repeated "), 1);
    assert_int_equal(count(text, "repeated "), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_say_what_and_keep_the_kind),
        cmocka_unit_test(nearest_word),
        cmocka_unit_test(durations),
        cmocka_unit_test(digits),
        cmocka_unit_test(times_round_trip),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(json_errors_name_the_field),
        cmocka_unit_test(lines_that_come_again_are_counted),
        cmocka_unit_test(what_was_counted_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
