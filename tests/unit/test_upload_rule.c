/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/core/upload_rule.h"
#include "test.h"

/* With ' in place of ". */
static json_t *parse(const char *text)
{
    AUTOFREE char *copy = xstrdup(text);
    for (char *p = copy; p && *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *j = copy ? json_loads(copy, JSON_DECODE_ANY, NULL) : NULL;
    assert_true(!text || j);
    return j;
}

#define APPEND "{'mode':'append','target':'s.t','job':'j','allow_nontransactional':false"
#define SWAP "{'mode':'swap','target':'s.i','job':'j','allow_nontransactional':false,'on_change':'refuse'"

/* `want`: what is sealed; NULL: refused, and the error holds `why`. */
static const struct {
    const char *rule, *told;
    bool is_index;
    const char *want, *why;
} applied[] = {
    {NULL, NULL, false, "null", NULL},
    {"null", "null", false, "null", NULL},
    {NULL, "{'mode':'append','target':'mysql.user'}", false, NULL, "names none"},
    {NULL, SWAP "}", true, "null", NULL}, /* an index that is built and not loaded */
    {APPEND "}", NULL, false, APPEND "}", NULL},
    {APPEND "}", "{'mode':'append'}", false, APPEND "}", NULL},
    {APPEND "}", "{'target':'s.other'}", false, NULL, "\"s.other\""},
    {APPEND "}", "{'mode':'replace'}", false, NULL, "\"mode\""},
    {APPEND "}", "{'mode':['append']}", false, NULL, "\"mode\""},
    {APPEND "}", "{'allow_nontransactional':true}", false, NULL, "allow_nontransactional"},
    {APPEND "}", "{'columns':['a']}", false, NULL, "columns"},
    {APPEND ",'columns':['b','c']}", "{'columns':['c','b']}", false, NULL, "columns"},
    {APPEND "}", "{'create':'CREATE TABLE x (a INT)','on_change':null}", false, APPEND "}", NULL},
    {APPEND "}", "'swap'", false, NULL, "object"},
    {APPEND "}", "[]", false, NULL, "object"},
    {SWAP "}", "{'mode':'swap','target':'s.i','create':'c','checksum':'1:2','rows':7,'columns':['t'],'x':1}",
     true, SWAP ",'create':'c','checksum':'1:2','rows':7,'columns':['t']}", NULL},
    {SWAP "}", "{'mode':'swap','target':'s.i','on_change':'discard'}", true, NULL, "on_change"},
    {SWAP "}", "{'mode':'swap','target':'s.users'}", true, NULL, "s.users"},
    {SWAP "}", NULL, true, NULL, "says nothing"},
};

static void a_job_does_not_say_where_its_rows_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(applied); i++) {
        Err err;
        json_t *rule = parse(applied[i].rule), *told = parse(applied[i].told), *want = parse(applied[i].want),
               *got = NULL;
        bool ok = upload_rule_apply(rule, told, applied[i].is_index, &got, &err);
        if (ok != !!want || (ok && !json_equal(got, want)) || (!ok && !strstr(err.text, applied[i].why)))
            fail_msg("row %zu: %s", i, ok ? json_dumps(got, JSON_ENCODE_ANY) : err.text);
        json_decref(rule);
        json_decref(told);
        json_decref(want);
        json_decref(got);
    }
}

static const struct {
    const char *rule, *manifest, *why; /* why NULL: they agree */
} agreed[] = {
    {APPEND "}", "{'job':'j','upload':" APPEND "}}", NULL},
    {APPEND "}", "{'job':'j','upload':{'mode':'append','target':'s.u'}}", "\"target\""},
    {APPEND "}", "{'job':'j','upload':{'mode':'replace','target':'s.t'}}", "\"mode\""},
    {APPEND ",'columns':['a']}", "{'job':'j','upload':" APPEND ",'columns':['b']}}", "\"columns\""},
    {APPEND "}", "{'job':'j','upload':" APPEND ",'columns':['b']}}", "\"columns\""},
    {APPEND "}", "{'job':'other','upload':" APPEND "}}", "of the job \"other\""},
    {APPEND "}", "{'job':'j','upload':null}", "without an upload"},
    {"null", "{'job':'j','upload':" APPEND "}}", "upload = \"none\""},
    {SWAP "}", "{'job':'j','upload':" SWAP ",'columns':['t'],'create':'c'}}", NULL},
    {SWAP "}", "{'job':'j','upload':{'mode':'swap','target':'s.i','on_change':'discard'}}", "on_change"},
};

static void the_primarys_job_file_has_its_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(agreed); i++) {
        Err err = {0};
        json_t *rule = parse(agreed[i].rule), *manifest = parse(agreed[i].manifest);
        bool ok = upload_rule_agrees(rule, manifest, "j", &err);
        if (ok != !agreed[i].why || (!ok && !strstr(err.text, agreed[i].why)))
            fail_msg("row %zu: %s", i, ok ? "agreed" : err.text);
        json_decref(rule);
        json_decref(manifest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_does_not_say_where_its_rows_go),
        cmocka_unit_test(the_primarys_job_file_has_its_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
