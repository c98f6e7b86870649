/* SPDX-License-Identifier: Apache-2.0 */
#include "common/file/resultname.h"
#include "common/wire/uploadfiles.h"
#include "test.h"

static char *long_part(size_t n)
{
    char *s = xcalloc(n + 1, 1);
    memset(s, 'x', n);
    return s;
}

static void plain_names_may_stand_in_a_result(void **state)
{
    (void)state;
    Err err;
    static const char *const good[] = {"a.tsv", "below/c.gz",       ".hidden",           "a b",
                                       "x\\y",  "below/files.json", "\xc3\xa9t\xc3\xa9", "metadata",
                                       "tmp",   "SHA256SUMS.old"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_ok(resultname_check(good[i], &err), err);
    AUTOFREE char *most = long_part(240);
    assert_ok(resultname_check(most, &err), err);
    assert_ok(resultname_check("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/x", &err), err);
}

static void what_a_reader_could_take_otherwise_is_refused(void **state)
{
    (void)state;
    Err err;
    static const struct {
        const char *name, *why;
    } bad[] = {{"", "empty"},
               {"/etc/passwd", "empty"},
               {"a//b", "empty"},
               {"a/", "empty"},
               {"../a", "\"..\""},
               {"a/./b", "\"..\""},
               {"a/../../b", "\"..\""},
               {"a\nb", "control character"},
               {"a\x1b[2J", "control character"},
               {"a\x7f", "control character"},
               {"a\xc2\x85z", "control character"},
               {"caf\xe9", "not UTF-8"},
               {"\xc0\xaf", "not UTF-8"},
               {"\xed\xa0\x80", "not UTF-8"},
               {"manifest.json", "reserved"},
               {"SHA256SUMS", "reserved"},
               {"files.json", "reserved"},
               {".siding-sealed", "reserved"},
               {"a.tmp", "reserved"},
               {"below/a.siding-tmp", "reserved"},
               {"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/x", "16 folders"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (resultname_check(bad[i].name, &err))
            fail_msg("%s was taken", bad[i].name);
        if (!strstr(err.text, bad[i].why) || strpbrk(err.text, "\n\x1b"))
            fail_msg("%s: %s", bad[i].name, err.text);
    }
    AUTOFREE char *more = long_part(241);
    assert_false(resultname_check(more, &err));
    AUTO(str_done) Str all = STR_INIT;
    for (int i = 0; i < 6; i++)
        str_addf(&all, "%s%.200s", i ? "/" : "", more);
    assert_false(resultname_check(str_z(&all), &err));
    assert_non_null(strstr(err.text, "1000 bytes"));
}

static bool takes(const char *mode, const char *target, const char *files, Err *err)
{
    json_t *j;
    assert_ok(json_parse(files, strlen(files), &j, err), *err);
    bool ok = uploadfiles_check(mode, target, j, err);
    json_decref(j);
    return ok;
}

static void a_file_that_no_rule_loads_is_told(void **state)
{
    (void)state;
    Err err;
    static const char
        rows[] = "[{\"name\":\"s.t.00000.tsv.gz\",\"bytes\":5},{\"name\":\"s.t.1.tsv\",\"bytes\":5},"
                 "{\"name\":\"log\",\"bytes\":0}]",
        other[] = "[{\"name\":\"s.t.00000.tsv.gz\",\"bytes\":5},{\"name\":\"s.u.0.tsv.gz\",\"bytes\":5}]",
        codec[] = "[{\"name\":\"s.t.00000.tsv.zst\",\"bytes\":5}]";
    assert_ok(takes("append", "s.t", rows, &err), err);
    assert_ok(takes("", "s.t", other, &err), err);
    assert_ok(takes("program", "", other, &err), err);
    static const char *const modes[] = {"append", "replace", "swap"};
    for (size_t i = 0; i < COUNT(modes); i++) {
        assert_false(takes(modes[i], "s.t", other, &err));
        assert_non_null(strstr(err.text, "s.u.0.tsv.gz"));
        assert_non_null(strstr(err.text, "s.t.*.tsv"));
        assert_false(takes(modes[i], "s.t", codec, &err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names_may_stand_in_a_result),
        cmocka_unit_test(what_a_reader_could_take_otherwise_is_refused),
        cmocka_unit_test(a_file_that_no_rule_loads_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
