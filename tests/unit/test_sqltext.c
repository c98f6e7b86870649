/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "common/db/sqltext.h"

static void one_select_without_its_comments(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* want NULL: refused, with words */
        const char *words;
    } cases[] = {
        {"SELECT 1", "SELECT 1", NULL},
        {"-- a; b\nSELECT 'x;y' /* ; */, 2 # end", " \nSELECT 'x;y'  , 2  ", NULL},
        {"(select 'it''s;', \"a\\\";\", `b;``c`)", "(select 'it''s;', \"a\\\";\", `b;``c`)", NULL},
        {"WITH t AS (SELECT 1) SELECT * FROM t", "WITH t AS (SELECT 1) SELECT * FROM t", NULL},
        {"SELECT 2--1", "SELECT 2--1", NULL}, /* no comment without a blank */
        {"SELECT /*+ NO_MERGE() */ 1 /*!50000 + 1 */", "SELECT /*+ NO_MERGE() */ 1 /*!50000 + 1 */", NULL},
        {"SELECT '\\'; --'", "SELECT '\\'; --'", NULL},
        {"SELECT 1;", NULL, "semicolon"},
        {"SELECT 1; -- ", NULL, "semicolon"},
        {"SELECT /*! 1; */ 2", NULL, "semicolon"},
        {"SELECT 'x", NULL, "no end"},
        {"SELECT `x", NULL, "no end"},
        {"SELECT 1 /* x", NULL, "no end"},
        {"SELECT 1) UNION (SELECT 2", NULL, "did not open"},
        {"SELECT (1", NULL, "does not close"},
        {"-- SELECT 1", NULL, "is not a SELECT"},
        {"", NULL, "is not a SELECT"},
        {"SELECTION", NULL, "is not a SELECT"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err = {0};
        char *plain = NULL;
        bool ok = sqltext_select(cases[i].text, &plain, &err);
        if (ok != (cases[i].want != NULL) || (ok && !str_eq(plain, cases[i].want)) ||
            (!ok && !strstr(err.text, cases[i].words)))
            fail_msg("%s: %s", cases[i].text, ok ? plain : err.text);
        free(plain);
    }
}

static void words_are_replaced_where_they_are_code(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
        size_t n;
    } cases[] = {
        {"a>=:at", "a>='T'", 1},
        {"f(:at,:at)", "f('T','T')", 2},
        {"':at' \":at\" `:at` /* :at */ -- :at", "':at' \":at\" `:at` /* :at */ -- :at", 0},
        {"a >= :attic", "a >= :attic", 0},
        {"'it''s' < :at AND 'a\\' :at'", "'it''s' < 'T' AND 'a\\' :at'", 1},
        {"/*! a < :at */", "/*! a < 'T' */", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(str_done) Str out = STR_INIT;
        size_t n;
        sqltext_replace(cases[i].text, ":at", "'T'", &out, &n);
        assert_string_equal(str_z(&out), cases[i].want);
        assert_int_equal(n, cases[i].n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_select_without_its_comments),
        cmocka_unit_test(words_are_replaced_where_they_are_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
