/* SPDX-License-Identifier: Apache-2.0
 * Rows as INSERT text, definitions as loadable text, file names, the metadata page.
 */
#include "test.h"

#include "replica-agent/dump/format.h"
#include "replica-agent/dump/metadata.h"
#include "replica-agent/dump/names.h"
#include "replica-agent/dump/schema.h"

static void values_by_kind(void **state)
{
    (void)state;
    static const struct {
        ValueKind kind;
        const char *p;
        size_t n;
        const char *text;
    } cases[] = {
        {VALUE_NUMBER, "-12.50", 6, "-12.50"},
        {VALUE_NUMBER, "0007", 4, "0007"},
        {VALUE_REAL, "1.5e300", 7, "1.5e300"},
        {VALUE_REAL, "-0", 2, "-0e0"},
        {VALUE_REAL, "-0.0", 4, "-0.0e0"},
        {VALUE_TEXT, "", 0, "''"},
        {VALUE_TEXT, "a'b\"c\\d\ne\rf\0g\x1ah;\n", 17, "'a\\'b\\\"c\\\\d\\ne\\rf\\0g\\Zh;\\n'"},
        {VALUE_TEXT, "\x81\xe9\xff", 3, "'\x81\xe9\xff'"},
        {VALUE_WORDS, "{\"a\": 1}", 8, "_utf8mb4'{\\\"a\\\": 1}'"},
        {VALUE_HEX, "\0\xff;\n", 4, "0x00FF3B0A"},
        {VALUE_HEX, "", 0, "''"}, /* a bare 0x would be an error */
        {VALUE_TEXT, NULL, 0, "NULL"},
        {VALUE_HEX, NULL, 0, "NULL"},
        {VALUE_TEXT, "NULL", 4, "'NULL'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(str_done) Str out = STR_INIT;
        format_value(&out, cases[i].kind, cases[i].p, cases[i].n);
        assert_string_equal(out.p, cases[i].text);
        assert_null(strchr(out.p, '\n')); /* ";\n" ends statements and nothing else */
    }
}

static void rows_and_heads(void **state)
{
    (void)state;
    static const ValueKind kinds[] = {VALUE_NUMBER, VALUE_TEXT, VALUE_HEX};
    const Value values[] = {{"1", 1}, {"a", 1}, {NULL, 0}};
    AUTO(str_done) Str row = STR_INIT, head = STR_INIT;
    format_row(&row, kinds, values, 3);
    assert_string_equal(row.p, "(1,'a',NULL)");
    char name[] = "t`x", a[] = "a", b[] = "b", c[] = "sel ect";
    Column columns[] = {{.name = a}, {.name = b, .generated = true}, {.name = c, .kind = VALUE_REAL}};
    Table t = {.name = name, .columns = columns, .n_columns = 3};
    format_insert_head(&head, &t);
    assert_string_equal(head.p, "INSERT INTO `t``x` (`a`,`sel ect`) VALUES\n");
    assert_int_equal(format_stored_columns(&t), 2);
}

static void types_have_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        ValueKind kind;
    } cases[] = {{"int", VALUE_NUMBER},    {"decimal", VALUE_NUMBER}, {"year", VALUE_NUMBER},
                 {"float", VALUE_REAL},    {"double", VALUE_REAL},    {"varchar", VALUE_TEXT},
                 {"enum", VALUE_TEXT},     {"datetime", VALUE_TEXT},  {"uuid", VALUE_WORDS},
                 {"inet6", VALUE_WORDS},   {"json", VALUE_WORDS},     {"bit", VALUE_HEX},
                 {"varbinary", VALUE_HEX}, {"longblob", VALUE_HEX},   {"geometry", VALUE_HEX},
                 {"polygon", VALUE_HEX}};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(catalogue_value_kind(cases[i].type), cases[i].kind);
}

static void file_names(void **state)
{
    (void)state;
    static const char *const safe[] = {"orders", "Übersicht", "a b", "t-1", "a$b", "x_schema"};
    static const char *const unsafe[] = {
        "a.b", "a/b",  "..", "",    "a\nb", "t-schema",       "x-schema-view",
        "`",   "a\"b", " a", "-rf", "a ",   "siding_alias_0", "metadata"};
    for (size_t i = 0; i < COUNT(safe); i++)
        assert_true(names_is_safe(safe[i]));
    for (size_t i = 0; i < COUNT(unsafe); i++)
        assert_false(names_is_safe(unsafe[i]));
    char big[200];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    assert_false(names_is_safe(big));
    StrList taken = STRLIST_INIT;
    AUTOFREE char *a = names_for_file("orders", &taken), *b = names_for_file("a.b", &taken),
                  *c = names_for_file("a/b", &taken), *d = names_for_file("siding_alias_0", &taken);
    assert_string_equal(a, "orders");
    assert_string_equal(b, "siding_alias_0");
    assert_string_equal(c, "siding_alias_1");
    assert_string_equal(d, "siding_alias_2");
    strlist_done(&taken);
}

static void view_placeholders(void **state)
{
    (void)state;
    char name[] = "v", a[] = "a", b[] = "b`";
    Column columns[] = {{.name = a}, {.name = b}};
    Table v = {.name = name, .columns = columns, .n_columns = 2}, broken = {.name = name};
    AUTO(str_done) Str one = STR_INIT, two = STR_INIT;
    schema_placeholder(&one, &v);
    assert_string_equal(one.p, "CREATE TABLE IF NOT EXISTS `v` (\n  `a` int,\n  `b``` int\n);\n");
    schema_placeholder(&two, &broken);
    assert_string_equal(two.p, "CREATE TABLE IF NOT EXISTS `v` (\n  `siding_placeholder` int\n);\n");
}

static void bodies_with_semicolons(void **state)
{
    (void)state;
    AUTO(str_done) Str one = STR_INIT, two = STR_INIT;
    schema_add_body(&one, "CREATE …; END", true);
    assert_string_equal(one.p, "EXECUTE IMMEDIATE @siding_sql;\n");
    schema_add_body(&two, "CREATE …; END", false);
    assert_string_equal(two.p, "DELIMITER ;;\nCREATE …; END ;;\nDELIMITER ;\n");
}

static void metadata_as_mydumper_has_it(void **state)
{
    (void)state;
    char file[] = "b.000001", gtid[] = "0-1-30", host[] = "h", source[] = "s.000002", applied[] = "0-1-29";
    Snapshot s = {.binlog_file = file, .binlog_pos = 42, .binlog_gtid = gtid, .started_at = 1000};
    AUTO(str_done) Str primary = STR_INIT, replica = STR_INIT;
    metadata_write(&primary, &s, 61000);
    assert_string_equal(primary.p,
                        "Started dump at: 1970-01-01 00:00:01\nSHOW MASTER STATUS:\n\tLog: b.000001\n\tPos: "
                        "42\n\tGTID:0-1-30\n\nFinished dump at: 1970-01-01 00:01:01\n");
    s.binlog_file = NULL;
    s.source_host = host;
    s.source_file = source;
    s.source_pos = 7;
    s.applied = applied;
    metadata_write(&replica, &s, 61000);
    assert_string_equal(replica.p,
                        "Started dump at: 1970-01-01 00:00:01\nSHOW SLAVE STATUS:\n\tHost: h\n\tLog: "
                        "s.000002\n\tPos: 7\n\tGTID:0-1-29\n\nFinished dump at: 1970-01-01 00:01:01\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_by_kind),
        cmocka_unit_test(rows_and_heads),
        cmocka_unit_test(types_have_kinds),
        cmocka_unit_test(file_names),
        cmocka_unit_test(view_placeholders),
        cmocka_unit_test(bodies_with_semicolons),
        cmocka_unit_test(metadata_as_mydumper_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
