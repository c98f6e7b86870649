/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/core/merge.h"
#include "test.h"

#include <string.h>

static json_t *parse(const char *text)
{
    Err err;
    json_t *j = NULL;
    AUTO(str_done) Str s = STR_INIT;
    for (; *text; text++)
        str_addc(&s, *text == '\'' ? '"' : *text);
    if (!json_parse(str_z(&s), s.len, &j, &err))
        fail_msg("%s", err.text);
    return j;
}

#define HEAD(shard, node)                                                                                    \
    "{'run':'1.1','job':'j','gtid':'0-1-5','shards':2,'shard':" #shard ",'node':'" node "',"

static bool merge(const char *a, const char *b, Merge *ret, Err *err)
{
    json_t *x = parse(a), *y = parse(b);
    const json_t *parts[] = {x, y};
    bool ok = merge_manifests(parts, 2, ret, err);
    json_decref(x);
    json_decref(y);
    return ok;
}

static void files_rows_and_checksums_are_those_of_both(void **state)
{
    (void)state;
    Err err;
    Merge m = {0};
    assert_true(merge(
        HEAD(0, "db1") "'started_at':'2026-01-01T00:00:02.000Z','finished_at':'2026-01-01T00:00:05.000Z',"
                       "'files':[{'name':'metadata','sha256':'a'},{'name':'s.t.00000.sql.gz','sha256':'b'}],'"
                       "upload':null,"
                       "'tables':[{'database':'s','table':'t','rows':3,'checksum':'3:10','verified':true},"
                       "{'database':'s','table':'u','rows':0,'checksum':null}]}",
        HEAD(1, "db2") "'started_at':'2026-01-01T00:00:01.000Z','finished_at':'2026-01-01T00:00:06.000Z',"
                       "'files':[{'name':'s.t.00001.sql.gz','sha256':'c'}],'upload':null,"
                       "'longest_statement':9,'longest_statement_in':'s.t.00001.sql.gz',"
                       "'tables':[{'database':'s','table':'u','rows':7,'checksum':'7:1'},"
                       "{'database':'s','table':'t','rows':4,'checksum':'4:18446744073709551000','verified':"
                       "true}]}",
        &m, &err));
    json_t *want = parse(HEAD(
        0,
        "db1") "'started_at':'2026-01-01T00:00:01.000Z','finished_at':'2026-01-01T00:00:06.000Z',"
               "'files':[{'name':'metadata','sha256':'a','shard':0},{'name':'s.t.00000.sql.gz','sha256':'b','"
               "shard':0},"
               "{'name':'s.t.00001.sql.gz','sha256':'c','shard':1}],'upload':null,'gathered':true,"
               "'longest_statement':9,'longest_statement_in':'s.t.00001.sql.gz','nodes':['"
               "db1','db2'],"
               "'tables':[{'database':'s','table':'t','rows':7,'checksum':'7:18446744073709551010','"
               "verified':true},"
               "{'database':'s','table':'u','rows':7,'checksum':null}]}");
    if (!json_equal(m.manifest, want))
        fail_msg("%s", json_text(m.manifest));
    json_decref(want);
    merge_done(&m);
}

static void names_that_both_use_are_kept_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name, *encrypted, *other;
    } cases[] = {
        {"seen", "", "seen.s1"},
        {"seen.gz", "", "seen.s1.gz"},
        {"a.b.tsv.gz", "", "a.b.s1.tsv.gz"},
        {"a.b.00003.tsv.zst", "", "a.b.00003.s1.tsv.zst"},
        {"sub/x.tsv", "", "sub/x.s1.tsv"},
        {".hidden", "", ".hidden.s1"},
        {"a.b.tsv.gz.gpg", ".gpg", "a.b.s1.tsv.gz.gpg"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        Merge m = {0};
        AUTOFREE char *rest = xasprintf("'encrypted':'%s','files':[{'name':'%s'}],'upload':null}",
                                        cases[i].encrypted, cases[i].name),
                      *a = xasprintf(HEAD(0, "x") "%s", rest), *b = xasprintf(HEAD(1, "y") "%s", rest);
        assert_true(merge(a, b, &m, &err));
        assert_int_equal(m.n, 2);
        assert_string_equal(m.files[0].to, cases[i].name);
        assert_string_equal(m.files[1].from, cases[i].name);
        assert_string_equal(m.files[1].to, cases[i].other);
        merge_done(&m);
    }
}

static void an_upload_is_of_all_rows(void **state)
{
    (void)state;
    Err err;
    Merge m = {0};
    assert_true(
        merge(HEAD(0, "x") "'files':[],'upload':{'mode':'swap','rows':2,'checksum':'2:5','frozen_at':'a'}}",
              HEAD(1, "y") "'files':[],'upload':{'mode':'swap','rows':3,'checksum':'3:6','frozen_at':'b'}}",
              &m, &err));
    const json_t *u = json_object_get(m.manifest, "upload");
    assert_int_equal(json_int(u, "rows"), 5);
    assert_string_equal(json_str(u, "checksum"), "5:11");
    merge_done(&m);
}

static void rows_beyond_all_numbers_are_the_most_there_can_be(void **state)
{
    (void)state;
    Err err;
    Merge m = {0};
    assert_true(merge(
        HEAD(0, "x") "'files':[],'upload':{'rows':9223372036854775807,'checksum':'9223372036854775807:5'}}",
        HEAD(1, "y") "'files':[],'upload':{'rows':3,'checksum':'3:6'}}", &m, &err));
    const json_t *u = json_object_get(m.manifest, "upload");
    assert_true(json_int(u, "rows") == INT64_MAX);
    assert_string_equal(json_str(u, "checksum"), "9223372036854775807:11");
    merge_done(&m);
}

static void what_does_not_belong_together_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *says;
    } cases[] = {
        {HEAD(0, "x") "'files':[]}", "{'run':'1.1','job':'j','gtid':'0-1-6','shards':2,'shard':1,'files':[]}",
         "another gtid"},
        {HEAD(0, "x") "'files':[]}", "{'run':'2.1','job':'j','gtid':'0-1-5','shards':2,'shard':1,'files':[]}",
         "another run"},
        {HEAD(0, "x") "'files':[]}", HEAD(1, "y") "'encrypted':'.gpg','files':[]}", "another encrypted"},
        {HEAD(0, "x") "'files':[],'upload':{'mode':'swap'}}", HEAD(1, "y") "'files':[]}", "has an upload"},
        {HEAD(0, "x") "'files':[],'upload':{'target':'a'}}",
         HEAD(1, "y") "'files':[],'upload':{'target':'b'}}", "\"target\""},
        {HEAD(0, "x") "'files':[{'name':'a'},{'name':'a.s1'}]}", HEAD(1, "y") "'files':[{'name':'a'}]}",
         "a file a.s1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        Merge m = {0};
        if (merge(cases[i].a, cases[i].b, &m, &err) || err.kind != ERR_CORRUPT ||
            !strstr(err.text, cases[i].says))
            fail_msg("case %zu: %s", i, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_rows_and_checksums_are_those_of_both),
        cmocka_unit_test(names_that_both_use_are_kept_apart),
        cmocka_unit_test(an_upload_is_of_all_rows),
        cmocka_unit_test(rows_beyond_all_numbers_are_the_most_there_can_be),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
