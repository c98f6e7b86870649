/* SPDX-License-Identifier: Apache-2.0
 * Job files: what is read, and what is refused with file, line and option.
 */
#include "test.h"

#include <unistd.h>

#include "replica-agent/index/definition.h"

static const char good[] = "name = \"catalogue\";\nkind = \"index\";\nupload = \"swap\";\nindex = {\n"
                           "target = \"c.word_index\"; key = \"record\";\n"
                           "fields = ( { name = \"title\"; query = \"SELECT id, name FROM c.r\"; },\n"
                           "{ name = \"people\"; query = \"SELECT rid, name FROM c.p\"; } );\n"
                           "changed_since = \"SELECT ':frozen_at', id FROM c.r WHERE at >= :frozen_at\";\n"
                           "on_change = \"delta\"; stop_words = [ \"the\" ];\n};\n";

static bool load(const char *text, JobFile *f, Err *err)
{
    char path[] = "/tmp/siding-job-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    bool ok = definition_load(path, f, err);
    unlink(path);
    return ok;
}

static void reads_an_index(void **state)
{
    (void)state;
    Err err;
    JobFile f = {0};
    assert_ok(load(good, &f, &err), err);
    assert_int_equal(f.index.fields.n, 2);
    assert_string_equal(definition_field(&f.index, 1)->name, "people");
    assert_string_equal(f.index.language, "none");
    assert_int_equal(f.index.changed_margin_ms, 60000);
    assert_int_equal(f.nice, 10);
    AUTO(str_done) Str sql = STR_INIT;
    definition_changed_since(&f.index, 1764000000123, &sql);
    assert_string_equal(str_z(&sql),
                        "SELECT ':frozen_at', id FROM c.r WHERE at >= '2025-11-24 16:00:00.123'");
    AUTO(str_done) Str create = STR_INIT;
    definition_create_table(&f.index, &create);
    assert_non_null(strstr(str_z(&create), "CREATE TABLE `c`.`word_index` ("));
    assert_non_null(strstr(str_z(&create), "PRIMARY KEY (`term`, `record`, `field`)"));
    AUTOFREE char *a = definition_fingerprint(&f.index);
    f.index.min_length = 2;
    AUTOFREE char *b = definition_fingerprint(&f.index);
    assert_string_not_equal(a, b);
    job_file_done(&f);
}

static void refuses_with_file_line_and_option(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *line, *words;
    } cases[] = {
        {"fields =", "felds =", ":6:", "did you mean \"fields\"?"},
        {"\"c.word_index\"", "\"word_index\"", ":5:", "is not \"database.table\""},
        {"key = \"record\"", "key = \"term\"", ":5:", "another column"},
        {"on_change = \"delta\"", "on_change = \"detla\"", ":9:", "is not one of"},
        {"\"people\"", "\"title\"", ":7:", "is the name of field 1 too"},
        {"FROM c.p\"", "FROM c.p;\"", ":7:", "semicolon"},
        {"\"SELECT rid", "\"DELETE rid", ":7:", "is not a SELECT"},
        {"at >= :frozen_at", "at >= 0", ":8:", "does not use :frozen_at"}, /* the quoted one is a text */
        {"FROM c.p\"", "FROM c.p -- all; of them\"", "", ""},
        {"changed_since", "# ", ":9:", "needs changed_since"},
        {"kind = \"index\"", "kind = \"command\"", ":2:", "program"},
        {"{ name = \"people\"; query", "{ query", ":7:", "\"name\""},
        {"stop_words = [ \"the\" ]", "min_length = 0", ":9:", "outside 1 to 64"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *at = strstr(good, cases[i].from);
        assert_non_null(at);
        AUTOFREE char *text =
            xasprintf("%.*s%s%s", (int)(at - good), good, cases[i].to, at + strlen(cases[i].from));
        JobFile f = {0};
        Err err = {0};
        bool ok = load(text, &f, &err);
        if (!*cases[i].words) {
            assert_true(ok);
            job_file_done(&f);
            continue;
        }
        assert_false(ok);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.text, cases[i].words) || (i != 10 && !strstr(err.text, cases[i].line)))
            fail_msg("case %zu: %s", i, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_an_index),
        cmocka_unit_test(refuses_with_file_line_and_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
