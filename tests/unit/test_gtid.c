/* SPDX-License-Identifier: Apache-2.0
 * GTID positions of both flavours: reading, order, distance.
 */
#include "test.h"

#include "common/db/gtid.h"

#define U "3E11FA47-71CA-11E1-9E33-C80AA9429562"
#define u "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define w "4e11fa47-71ca-11e1-9e33-c80aa9429562"

static void texts_are_canonical(void **state)
{
    (void)state;
    static const struct {
        DbFlavor flavor;
        const char *in, *out;
    } cases[] = {
        {DB_MARIADB, "", ""},
        {DB_MARIADB, "1-1-5,0-2-270", "0-2-270,1-1-5"},
        {DB_MARIADB, "10-1-5, 9-1-1\n", "9-1-1,10-1-5"},
        {DB_MYSQL, U ":1-5,\n" w ":7", u ":1-5," w ":7"},
        {DB_MYSQL, U ":1-3:4:9", u ":1-4:9"},
        {DB_MYSQL, U ":1-3:Tag_1:1-2", u ":1-3," u ":tag_1:1-2"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        Gtid *g;
        assert_ok(gtid_parse(cases[i].flavor, cases[i].in, &g, &err), err);
        AUTOFREE char *text = gtid_text(g);
        assert_string_equal(text, cases[i].out);
        gtid_free(g);
    }
}

static void bad_texts_are_named(void **state)
{
    (void)state;
    static const struct {
        DbFlavor flavor;
        const char *in;
    } cases[] = {{DB_MARIADB, "0-1"},    {DB_MARIADB, "a-b-c"}, {DB_MARIADB, "0-1-2-3"},
                 {DB_MARIADB, u ":1-5"}, {DB_MYSQL, "0-1-270"}, {DB_MYSQL, u},
                 {DB_MYSQL, u ":5-1"},   {DB_MYSQL, u ":0"},    {DB_MYSQL, u ":1-2-3"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        Gtid *g = NULL;
        assert_false(gtid_parse(cases[i].flavor, cases[i].in, &g, &err));
        assert_null(g);
        assert_int_equal(err.kind, ERR_USAGE);
    }
}

static void order_and_distance(void **state)
{
    (void)state;
    static const struct {
        DbFlavor flavor;
        const char *a, *b;
        GtidOrder order;
        int64_t behind;
    } cases[] = {
        {DB_MARIADB, "0-1-5", "0-1-5", GTID_EQUAL, 0},
        {DB_MARIADB, "0-1-5", "0-2-9", GTID_BEFORE, 4},
        {DB_MARIADB, "0-2-9", "0-1-5", GTID_AFTER, 0},
        {DB_MARIADB, "", "0-1-5", GTID_BEFORE, 5},
        {DB_MARIADB, "0-1-5", "0-1-5,1-1-2", GTID_BEFORE, 2},
        {DB_MARIADB, "0-1-6,1-1-1", "0-1-5,1-1-2", GTID_DIVERGED, 1},
        {DB_MARIADB, "0-1-5", "0-2-5", GTID_DIVERGED, 0},
        {DB_MYSQL, u ":1-5", u ":1-5", GTID_EQUAL, 0},
        {DB_MYSQL, u ":1-5", u ":1-9", GTID_BEFORE, 4},
        {DB_MYSQL, u ":1-5:7", u ":1-9", GTID_BEFORE, 3},
        {DB_MYSQL, u ":1-5," w ":1", u ":1-9", GTID_DIVERGED, 4},
        {DB_MARIADB, "", "0-1-9223372036854775807,0-2-5,1-1-9", GTID_BEFORE, INT64_MAX},
        {DB_MYSQL, "", u ":1-9223372036854775807," w ":1-9223372036854775807", GTID_BEFORE, INT64_MAX},
        {DB_MYSQL, u ":1-5", "nonsense", GTID_DIVERGED, -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(gtid_compare_text(cases[i].flavor, cases[i].a, cases[i].b), cases[i].order);
        assert_int_equal(gtid_behind_text(cases[i].flavor, cases[i].a, cases[i].b), cases[i].behind);
    }
}

static void the_greater_of_both(void **state)
{
    (void)state;
    AUTOFREE char *m = gtid_max_text(DB_MARIADB, "0-1-5,2-1-9", "0-3-7,1-1-1");
    assert_string_equal(m, "0-3-7,1-1-1,2-1-9");
    AUTOFREE char *s = gtid_max_text(DB_MYSQL, u ":1-5:9", u ":6-7," w ":1");
    assert_string_equal(s, u ":1-7:9," w ":1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_canonical),
        cmocka_unit_test(bad_texts_are_named),
        cmocka_unit_test(order_and_distance),
        cmocka_unit_test(the_greater_of_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
