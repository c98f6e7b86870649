/* SPDX-License-Identifier: Apache-2.0
 * Job files: what is read, and what is refused with file, line and option.
 */
#include "test.h"

#include <unistd.h>

#include "common/wire/bounds.h"
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

static bool load_job(const char *text, JobFile *f, Err *err)
{
    char path[] = "/tmp/siding-job-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    bool ok = job_file_load(path, f, err);
    unlink(path);
    return ok;
}

/* One value each that a row takes, and those beside its bounds that it does not. */
static void every_number_of_a_job_file_has_bounds(void **state)
{
    (void)state;
    for (const ConfOption *o = job_file_options; o->name; o++) {
        if (o->type != CONF_INT && o->type != CONF_DURATION)
            continue;
        Err err;
        JobFile f = {0};
        bool duration = o->type == CONF_DURATION;
        int64_t most = o->max ? o->max : duration ? CONF_DURATION_MS : 0;
        if (most <= o->min)
            fail_msg("%s has no bounds", o->name);
        const struct {
            int64_t value;
            bool fits;
        } tries[] = {{duration ? (o->min + 999) / 1000 : o->min, true},
                     {duration ? most / 1000 : most, true},
                     {duration           ? most / 1000 + 1
                      : most < INT64_MAX ? most + 1
                                         : o->min - 1,
                      false},
                     {duration ? -1 : o->min - 1, false}};
        for (size_t i = 0; i < COUNT(tries); i++) {
            AUTOFREE char *text =
                xasprintf("name = \"j\"; kind = \"command\"; program = \"/bin/true\"; %s = %lldL;", o->name,
                          (long long)tries[i].value);
            bool ok = load_job(text, &f, &err);
            if (ok)
                job_file_done(&f);
            if (ok != tries[i].fits)
                fail_msg("%s: %s", text, ok ? "taken" : err.text);
            if (!ok)
                assert_non_null(strstr(err.text, "is outside"));
        }
    }
}

static void expect_job(const char *more, const char *error)
{
    Err err;
    JobFile f = {0};
    AUTOFREE char *text = xasprintf("kind = \"command\"; program = \"/bin/true\"; %s", more);
    bool ok = load_job(text, &f, &err);
    if (ok)
        job_file_done(&f);
    if (ok != !error || (error && !strstr(err.text, error)))
        fail_msg("%.200s: %s", text, ok ? "taken" : err.text);
}

/* The API, siding, CALL and a job file say the same of a task: by one row. */
static void what_a_task_may_say_too_has_its_bounds(void **state)
{
    (void)state;
    size_t rows = 0;
    for (const Bound *r = task_bounds; r->name; r++) {
        const ConfOption *o = job_file_options;
        if (!(r->doors & DOOR_FILE))
            continue;
        while (o->name && !str_eq(o->name, r->file))
            o++;
        if (!o->name || bounds_of_option(task_bounds, r->file) != r)
            fail_msg("%s: no option %s of a job file", r->name, r->file);
        if (r->type == BOUND_INT && (o->max != r->max || o->min != r->min))
            fail_msg("%s: %lld to %lld, a task has %lld to %lld", o->name, (long long)o->min,
                     (long long)o->max, (long long)r->min, (long long)r->max);
        rows++;
    }
    assert_int_equal(rows, 9);
    /* what the rows of the file would let through */
    AUTO(str_done) Str text = STR_INIT;
    str_adds(&text, "name = \"j\"; args = [ \"");
    for (int i = 0; i < 4; i++) {
        for (int n = 0; n < 4096; n++)
            str_addc(&text, 'a');
        str_adds(&text, "\", \"");
    }
    AUTOFREE char *few = xasprintf("%s\" ];", str_z(&text));
    expect_job(few, NULL);
    for (int i = 0; i < 13; i++) {
        for (int n = 0; n < 4096; n++)
            str_addc(&text, 'a');
        str_adds(&text, "\", \"");
    }
    AUTOFREE char *many = xasprintf("%s\" ];", str_z(&text));
    expect_job(many, "option \"args\": it is longer; it must be an array of at most 1000 texts");
    expect_job("name = \"a\xE2\x80\xAE\";", "option \"name\"");
    expect_job("name = \"j\"; pause_limit = \"14d\";", NULL);
    expect_job("name = \"j\"; pause_limit = \"15d\";", "option \"pause_limit\"");
    expect_job("name = \"j\"; min_free_bytes = 1000000000000001L;", "option \"min_free_bytes\"");
    expect_job("name = \"j\"; at_limit = \"halt\";", "option \"at_limit\"");
}

static void an_unknown_key_is_told_with_the_nearest(void **state)
{
    (void)state;
    Err err;
    JobFile f = {0};
    assert_false(
        load_job("name = \"j\"; kind = \"command\"; program = \"/bin/true\"; keep_fr = \"1d\";", &f, &err));
    assert_non_null(strstr(err.text, "did you mean \"keep_for\"?"));
    assert_false(load_job(
        "name = \"j\"; kind = \"command\"; program = \"/bin/true\"; encryption = { programm = \"/x\"; };", &f,
        &err));
    assert_non_null(strstr(err.text, "did you mean \"program\"?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_an_index),
        cmocka_unit_test(refuses_with_file_line_and_option),
        cmocka_unit_test(every_number_of_a_job_file_has_bounds),
        cmocka_unit_test(what_a_task_may_say_too_has_its_bounds),
        cmocka_unit_test(an_unknown_key_is_told_with_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
