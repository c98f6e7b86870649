/* SPDX-License-Identifier: Apache-2.0
 * Fields from outside: each kind of bound at its two ends, unknown fields, and the procedure that says the
 * same.
 */
#include "test.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/wire/bounds.h"
#include "orchestrator/cli/submit_sql.h"

#ifdef __SANITIZE_THREAD__
enum { SOON_MS = 20000 };
#else
enum { SOON_MS = 1000 };
#endif

static json_t *parse(const char *text)
{
    Err err;
    json_t *j = NULL;
    assert_ok(json_parse(text, strlen(text), &j, &err), err);
    return j;
}

static void task_fields_have_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *json, *error; /* NULL: right */
    } rows[] = {
        {"{}", NULL},
        {"{\"job\": \"a\", \"priority\": null}", NULL},
        {"{\"priority\": 1000000, \"replicas\": -1, \"sequence_id\": 999999999999999999}", NULL},
        {"{\"priority\": 1000001}",
         "field \"priority\" is 1000001; it must be a whole number from -1000000 to 1000000"},
        {"{\"priority\": 5.0}", "field \"priority\" is none"},
        {"{\"replicas\": 0}", "field \"replicas\" is 0"},
        {"{\"replicas\": 65}", "or -1"},
        {"{\"sleeptime_ms\": 9000000000000000}", "field \"sleeptime_ms\" is 9000000000000000"},
        {"{\"sleeptime\": 1}", "unknown field \"sleeptime\", did you mean \"sleeptime_ms\"?"},
        {"{\"options\": {\"database\": [\"a\"]}}",
         "unknown field \"database\" in \"options\", did you mean \"databases\"?"},
        {"{\"options\": {\"limits\": {\"relay_byte\": 1}}}",
         "in \"options.limits\", did you mean \"relay_bytes\"?"},
        {"{\"options\": {\"databases\": []}}", "has 0 elements"},
        {"{\"options\": {\"databases\": [\"a\", 5]}}", "something else than texts"},
        {"{\"options\": {\"databases\": [\"\"]}}", "is empty"},
        {"{\"options\": {\"allow\": [\"delay\"]}}", "did you mean \"delayed\"?"},
        {"{\"options\": 5}", "field \"options\" is none; it must be an object"},
        {"{\"kind\": \"upload\"}", "it must be dump, index or command"},
        {"{\"name\": \"\"}", "is empty"},
        {"{\"name\": \"\xC3\xA4\xE2\x82\xAC\"}", NULL},
        {"{\"name\": \"a\\nb\"}", "holds control characters"},
        {"{\"name\": \"a\\u0085b\"}", "holds control characters"},
        {"{\"name\": \"a\\u202eb\"}", "holds control characters"},
        {"{\"name\": 5}", "is no text"},
        {"{\"args\": [\"a\\nb\", \"\\u202e\"]}", NULL},
        {"{\"args\": \"a\"}", "field \"args\" is none; it must be an array"},
        {"{\"fixed_time\": 1}", "is neither; it must be true or false"},
        {"{\"run_at\": \"2026-05-01T22:30:00Z\"}", NULL},
        {"{\"run_at\": \"2026-02-30T22:30:00Z\"}", "it must be a time in UTC"},
        {"{\"run_at\": \"1999-05-01T22:30:00Z\"}", "it must be a time in UTC"},
        {"{\"run_at\": \"287225-05-01T22:30:00Z\"}", "it must be a time in UTC"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err = {0};
        AUTOJSON json_t *j = parse(rows[i].json);
        bool ok = bounds_check(task_bounds, DOOR_API, j, &err);
        if (ok != (rows[i].error == NULL) ||
            (!ok && (!strstr(err.text, rows[i].error) || err.kind != ERR_USAGE)))
            fail_msg("%s: %s", rows[i].json, ok ? "taken" : err.text);
    }
}

static void lengths(void **state)
{
    (void)state;
    Err err;
    char text[20000];
    memset(text, 'u', sizeof text);
    text[128] = 0;
    AUTOJSON json_t *j = json_pack("{s:s, s:[s]}", "unique", text, "args", "a");
    assert_ok(bounds_check(task_bounds, DOOR_API, j, &err), err);
    text[128] = 'u';
    text[129] = 0;
    json_set_str(j, "unique", text);
    assert_false(bounds_check(task_bounds, DOOR_API, j, &err));
    assert_string_equal(
        err.text, "field \"unique\" has 129 characters; it must be a text of one line, 1 to 128 characters");
    assert_false(bounds_check(task_bounds, DOOR_CLI, j, &err));
    assert_non_null(strstr(err.text, "option --unique has 129"));
    json_object_del(j, "unique");
    text[129] = 'u';
    text[16384] = 0;
    for (int i = 0; i < 5; i++) { /* each as long as one may be: together too long */
        assert_int_equal(bounds_check(task_bounds, DOOR_API, j, &err), i < 4);
        json_array_append_new(json_object_get(j, "args"), json_string(text));
    }
    json_array_clear(json_object_get(j, "args"));
    for (int i = 0; i < 1001; i++)
        json_array_append_new(json_object_get(j, "args"), json_string("a"));
    assert_false(bounds_check(task_bounds, DOOR_API, j, &err));
    assert_non_null(strstr(err.text, "has 1001 elements"));
}

static void doors(void **state)
{
    (void)state;
    Err err;
    AUTOJSON json_t *j = parse("{\"for_s\": 60, \"term\": 3}");
    assert_ok(bounds_check(pause_bounds, DOOR_AGENT, j, &err), err);
    assert_false(bounds_check(pause_bounds, DOOR_API, j, &err));
    assert_string_equal(err.text, "unknown field \"term\"");
    AUTOJSON json_t *list = json_array();
    assert_false(bounds_check(pause_bounds, DOOR_API, list, &err));
}

/* A hundred thousand characters of an unknown name are not compared with each known one. */
static void long_names_are_refused_at_once(void **state)
{
    (void)state;
    Err err;
    Str name = STR_INIT;
    for (int i = 0; i < 4000000; i++)
        str_addc(&name, 'x');
    AUTOJSON json_t *j = json_object();
    json_set_int(j, name.p, 1);
    int64_t begun = clock_mono_ms();
    assert_false(bounds_check(task_bounds, DOOR_API, j, &err));
    assert_true(clock_mono_ms() - begun < SOON_MS);
    assert_true(strlen(err.text) < 200);
    str_done(&name);
}

/* Each row of that door is looked at by the procedure, under its own name. */
static void the_procedure_has_every_row(void **state)
{
    (void)state;
    AUTOFREE char *sql = submit_sql();
    for (const Bound *b = task_bounds; b->name; b++) {
        AUTOFREE char *path = xasprintf("option \"%s\" ", b->name);
        assert_true(!strstr(sql, path) == !(b->doors & DOOR_SQL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(task_fields_have_bounds),
        cmocka_unit_test(lengths),
        cmocka_unit_test(doors),
        cmocka_unit_test(long_names_are_refused_at_once),
        cmocka_unit_test(the_procedure_has_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
