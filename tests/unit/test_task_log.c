/* SPDX-License-Identifier: Apache-2.0
 * Logs of tasks: what an agent keeps of them and reads, how pieces of several runs become one, and what goes
 * out by mail.
 */
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/file/fs.h"
#include "common/file/json.h"
#include "orchestrator/core/task_log.h"
#include "orchestrator/core/turn_mail.h"
#include "replica-agent/host/logs.h"
#include "test.h"

#define S(text) ((char *)text)

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
        const char *text; /* it goes on at 27 */
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
        int64_t next;
        assert_int_equal(logs_read(folder, "log", rows[i].offset, 1 << 20, &text, &next), 27);
        assert_string_equal(str_z(&text), rows[i].text);
        assert_int_equal(next, 27);
    }
    for (size_t i = 0; i < COUNT(ends); i++) {
        AUTO(str_done) Str text = STR_INIT;
        assert_false(logs_read_end(folder, "log", ends[i].most, &text));
        assert_string_equal(str_z(&text), ends[i].text);
    }
    AUTO(str_done) Str piece = STR_INIT, rest = STR_INIT;
    int64_t next;
    assert_int_equal(logs_read(folder, "log", 0, 15, &piece, &next), 27);
    assert_string_equal(str_z(&piece), "rotated once\nne"); /* the next does not begin at 15 */
    assert_int_equal(next, 25);
    assert_int_equal(logs_read(folder, "log", next, 15, &rest, &next), 27);
    assert_string_equal(str_z(&rest), "w\n");
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

/* ---- by mail ---------------------------------------------------------------------------------------- */

static void addresses_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool ok;
    } rows[] = {{"ann@example.org", true},
                {"ann.b+x@mail.example.org", true},
                {"root", true},
                {"-oQ/tmp", false},
                {"|/bin/sh", false},
                {"/etc/passwd", false},
                {"ann@", false},
                {"@example.org", false},
                {"a@b@c", false},
                {"ann@example.org,bob@example.org", false},
                {"ann@example.org\nBcc: all", false},
                {"Ann <ann@example.org>", false},
                {"", false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err = {0};
        TaskPlan to = {0}, on_error = {.email_logs_on_error = true};
        strlist_add(&to.email_logs_to, rows[i].address);
        if (turn_mail_check(&to, "somebody", &err) != rows[i].ok)
            fail_msg("to %s: %s", rows[i].address, err.text);
        if (turn_mail_check(&on_error, rows[i].address, &err) != rows[i].ok)
            fail_msg("user %s: %s", rows[i].address, err.text);
        strlist_done(&to.email_logs_to);
    }
    Err err;
    TaskPlan on_error = {.email_logs_on_error = true};
    assert_ok(turn_mail_check(&on_error, "ann (by root)", &err), err);
}

static void who_gets_what(void **state)
{
    (void)state;
    static const struct {
        const char *plan, *well, *badly;
    } rows[] = {{"{}", "", ""},
                {"{\"email_logs_to\": [\"a@b\", \"c\"]}", "a@b c", "a@b c"},
                {"{\"email_logs_on_error\": true}", "", "ann"},
                {"{\"email_logs_on_error\": true, \"email_logs_to\": [\"ann\"]}", "ann", "ann"},
                {"{\"email_logs_on_error\": true, \"email_logs_to\": [\"c\"]}", "c", "c ann"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err;
        Run r = {.id = S("12.1-aaaaaaaaaa"), .state = CRUN_DONE};
        Task t = {.id = 12, .user = S("ann (by root)"), .runs = {&r, 1}};
        assert_ok(json_parse(rows[i].plan, strlen(rows[i].plan), &t.plan, &err), err);
        for (int well = 0; well < 2; well++) {
            TurnMail m;
            turn_mail_fill(&t, &r, well, &m);
            AUTOFREE char *to = strlist_join(&m.to, " ");
            const char *want = well ? rows[i].well : rows[i].badly;
            if (!str_eq(to, want) || turn_mail_is_wanted(&t, well) != (*want != 0))
                fail_msg("row %zu, well %d: %s", i, well, to);
            wire_free(turn_mail_fields, &m);
        }
        json_decref(t.plan);
    }
}

static void a_mail_holds_the_ends_of_both_logs(void **state)
{
    (void)state;
    TurnMail m = {.task = 12,
                  .run = S("12.3-aaaaaaaaaa"),
                  .name = S("nightly\nBcc: all"),
                  .job = S("dump"),
                  .state = S("error"),
                  .error = S("it\x1b[2J broke"),
                  .started_at = 1000};
    strlist_add(&m.to, "ann@example.org");
    LogText log = {.cut = true}, errors = {.err.kind = ERR_UNREACHABLE, .err.text = "cannot reach db1"};
    str_adds(&log.text, "the end \x1b]0;x");
    AUTO(str_done) Str out = STR_INIT;
    turn_mail_compose(&m, NULL, "library", &log, &errors, &out);
    assert_string_equal(
        str_z(&out),
        "To: ann@example.org\nSubject: [siding library] task 12 nightly?Bcc: all: error\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
        "Auto-Submitted: auto-generated\n\n"
        "run      12.3\njob      dump\nstate    error\nerror    it\\x1b[2J broke\n"
        "started  1970-01-01T00:00:01.000Z\n\n---- log ----\n"
        "(what stands before this is left out: siding task log)\nthe end \\x1b]0;x\n\n---- errors ----\n"
        "It could not be read: cannot reach db1\n");
    str_done(&log.text);
    strlist_done(&m.to);
}

static void a_mail_is_tried_for_some_hours(void **state)
{
    (void)state;
    assert_int_equal(turn_mail_wait_ms(1), 30000);
    assert_int_equal(turn_mail_wait_ms(2), 60000);
    assert_int_equal(turn_mail_wait_ms(11), 3600000);
    assert_int_equal(turn_mail_wait_ms(12), 0);
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
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(who_gets_what),
        cmocka_unit_test(a_mail_holds_the_ends_of_both_logs),
        cmocka_unit_test(a_mail_is_tried_for_some_hours),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
