/* SPDX-License-Identifier: Apache-2.0
 * Quoting and binding: what the server would be sent.
 */
#include "test.h"

#include "common/db/db.h"

static bool bind(Str *out, Err *err, const char *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = db_bind(out, sql, fmt, ap, err);
    va_end(ap);
    return ok;
}

static void identifiers(void **state)
{
    (void)state;
    AUTO(str_done) Str out = STR_INIT;
    db_quote_table(&out, "a`b", "c.d\"e");
    assert_string_equal(out.p, "`a``b`.`c.d\"e`");
}

static void strings(void **state)
{
    (void)state;
    AUTO(str_done) Str out = STR_INIT;
    db_quote_str(&out, "it's \"a\\b\"\n\r\x1a\0z", 15);
    assert_string_equal(out.p, "'it\\'s \\\"a\\\\b\\\"\\n\\r\\Z\\0z'");
    str_clear(&out);
    db_quote_str(&out, "", 0);
    assert_string_equal(out.p, "''");
}

static void values_are_bound(void **state)
{
    (void)state;
    Err err;
    AUTO(str_done) Str out = STR_INIT;
    assert_ok(
        bind(&out, &err, "SELECT ?, ?,?,?", "sisb", "x'y", INT64_MIN, NULL, (const void *)"\0?", (size_t)2),
        err);
    assert_string_equal(out.p, "SELECT 'x\\'y', -9223372036854775808,NULL,_binary'\\0?'");
}

static void marks_in_texts_stay(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *out;
    } cases[] = {
        {"SELECT '?', ?", "SELECT '?', 7"},
        {"SELECT 'a''?', \"?\", `?`, ?", "SELECT 'a''?', \"?\", `?`, 7"},
        {"SELECT 'a\\'?', ? /* ? */", "SELECT 'a\\'?', 7 /* ? */"},
        {"SELECT ? -- ?\n", "SELECT 7 -- ?\n"},
        {"SELECT ? # ?", "SELECT 7 # ?"},
        {"SELECT 1--?", "SELECT 1--7"},
        {"SELECT `a\\`, ?", "SELECT `a\\`, 7"},
        {"SELECT ?, 'open ?", "SELECT 7, 'open ?"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        AUTO(str_done) Str out = STR_INIT;
        assert_ok(bind(&out, &err, cases[i].sql, "i", (int64_t)7), err);
        assert_string_equal(out.p, cases[i].out);
    }
}

static void wrong_counts_are_refused(void **state)
{
    (void)state;
    Err err;
    AUTO(str_done) Str out = STR_INIT;
    assert_false(bind(&out, &err, "SELECT ?", "ii", (int64_t)1, (int64_t)2));
    assert_false(bind(&out, &err, "SELECT ?, ?", "i", (int64_t)1));
    assert_int_equal(err.kind, ERR_DB);
}

static void tables_are_split(void **state)
{
    (void)state;
    char *db = NULL, *table = NULL;
    assert_true(db_split_table("a.b.c", &db, &table));
    assert_string_equal(db, "a");
    assert_string_equal(table, "b.c");
    free(db);
    free(table);
    static const char *const bad[] = {NULL, "", "a", ".b", "a."};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(db_split_table(bad[i], &db, &table));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers),
        cmocka_unit_test(strings),
        cmocka_unit_test(values_are_bound),
        cmocka_unit_test(marks_in_texts_stay),
        cmocka_unit_test(wrong_counts_are_refused),
        cmocka_unit_test(tables_are_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
