/* SPDX-License-Identifier: Apache-2.0
 * How siding-dump cuts tables into chunks: texts of bounds and statements, sizes, order.
 */
#include "test.h"

#include "replica-agent/dump/chunkplan.h"

static Column col(const char *name, const char *type, const char *charset)
{
    return (Column){.name = xstrdup(name),
                    .type = xstrdup(type),
                    .charset = xstrdup(charset),
                    .kind = catalogue_value_kind(type)};
}

/* d.t (a int, b varchar latin1, c double generated, e float), key (a, b desc) */
static void make_table(DumpTable *t, size_t key_parts)
{
    *t = (DumpTable){.database = xstrdup("d"), .name = xstrdup("t"), .n_columns = 4};
    t->columns = xcalloc(4, sizeof(Column));
    t->columns[0] = col("a", "int", NULL);
    t->columns[1] = col("b", "varchar", "latin1");
    t->columns[2] = col("c", "double", NULL);
    t->columns[2].generated = true;
    t->columns[3] = col("e", "float", NULL);
    t->columns[3].read_before = "CONCAT(";
    t->columns[3].read_after = " * 1e0)";
    t->key = (Key){.name = xstrdup("PRIMARY"), .n_parts = key_parts, .parts = xcalloc(2, sizeof(KeyPart))};
    t->key.parts[0] = (KeyPart){0, false};
    t->key.parts[1] = (KeyPart){1, true};
}

static void free_table(DumpTable *t)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        free(t->columns[i].name);
        free(t->columns[i].type);
        free(t->columns[i].charset);
    }
    free(t->columns);
    free(t->key.name);
    free(t->key.parts);
    free(t->database);
    free(t->name);
}

static void bounds_are_written_out(void **state)
{
    (void)state;
    DumpTable t;
    Bound none = STRLIST_INIT, after = STRLIST_INIT, upto = STRLIST_INIT;
    strlist_add(&after, "5");
    strlist_add(&after, "'x'");
    strlist_add(&upto, "9");
    strlist_add(&upto, "'y'");
    const struct {
        size_t parts;
        const Bound *after, *upto;
        const char *where, *where_option;
    } cases[] = {
        {1, &none, &none, ""},
        {1, &after, &none, "(`a` > 5)"},
        {1, &after, &upto, "(`a` > 5) AND (`a` <= 9)"},
        {2, &after, &none, "(`a` > 5 OR (`a` = 5 AND (`b` < 'x')))"},
        {2, &none, &upto, "(`a` < 9 OR (`a` = 9 AND (`b` >= 'y')))"},
        {1, &none, &none, "(x = 1 OR y)", "x = 1 OR y"},
        {1, &after, &upto, "(x) AND (`a` > 5) AND (`a` <= 9)", "x"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        make_table(&t, cases[i].parts);
        AUTO(str_done) Str out = STR_INIT;
        chunkplan_where(&out, &t, cases[i].after, cases[i].upto, cases[i].where_option);
        assert_string_equal(str_z(&out), cases[i].where);
        free_table(&t);
    }
    strlist_done(&after);
    strlist_done(&upto);
}

static void statements(void **state)
{
    (void)state;
    DumpTable t;
    Bound none = STRLIST_INIT, after = STRLIST_INIT;
    strlist_add(&after, "5");
    strlist_add(&after, "'x'");
    make_table(&t, 2);
    Str walk = STR_INIT, select = STR_INIT, sum = STR_INIT, plain = STR_INIT;
    chunkplan_walk_sql(&walk, &t, &after, 100, NULL);
    assert_string_equal(walk.p,
                        "SELECT `a`,`b` FROM `d`.`t` FORCE INDEX (`PRIMARY`) WHERE (`a` > 5 OR (`a` = 5 AND "
                        "(`b` < 'x'))) ORDER BY `a`,`b` DESC LIMIT 1 OFFSET 99");
    chunkplan_select_sql(&plain, &t, &none, &none, NULL, false);
    assert_string_equal(plain.p, "SELECT `a`,`b`,CONCAT(`e` * 1e0) FROM `d`.`t`");
    chunkplan_select_sql(&select, &t, &none, &after, NULL, false);
    assert_string_equal(
        select.p, "SELECT `a`,`b`,CONCAT(`e` * 1e0) FROM `d`.`t` FORCE INDEX (`PRIMARY`) WHERE (`a` < 5 OR "
                  "(`a` = 5 AND (`b` >= 'x')))");
    chunkplan_sum_sql(&sum, &t, &none, &none, NULL);
    assert_string_equal(sum.p,
                        "SELECT CONCAT(COUNT(*), ':', COALESCE(SUM(CRC32(CONCAT_WS(_binary X'00FF00' COLLATE "
                        "`binary`, `a`, `b`, CONCAT(`e` * 1e0)))), 0)) FROM `d`.`t`");
    str_clear(&sum);
    chunkplan_select_sql(&sum, &t, &none, &none, NULL, true);
    assert_string_equal(
        sum.p, "SELECT `a`,`b`,CONCAT(`e` * 1e0),(@siding_sum := @siding_sum + CRC32(CONCAT_WS(_binary "
               "X'00FF00' COLLATE `binary`, `a`, `b`, CONCAT(`e` * 1e0)))) & 0 FROM `d`.`t`");
    t.versioned = true;
    str_clear(&plain);
    chunkplan_select_sql(&plain, &t, &none, &none, "a > 1", false);
    assert_string_equal(plain.p,
                        "SELECT `a`,`b`,CONCAT(`e` * 1e0) FROM `d`.`t` FOR SYSTEM_TIME ALL WHERE (a > 1)");
    str_done(&walk);
    str_done(&select);
    str_done(&sum);
    str_done(&plain);
    strlist_done(&after);
    free_table(&t);
}

static void literals_compare_as_the_column_does(void **state)
{
    (void)state;
    static const struct {
        const char *type, *charset, *value, *literal;
    } cases[] = {
        {"bigint", NULL, "-12", "-12"},
        {"decimal", NULL, "1.50", "1.50"},
        {"varchar", "latin1", "a'\xe9", "_latin1 X'6127E9'"},
        {"char", "utf8mb4", "", "_utf8mb4 X''"},
        {"varbinary", NULL, "\x01\xff", "_binary X'01FF'"},
        {"datetime", NULL, "2020-01-01 00:00:00.5", "'2020-01-01 00:00:00.5'"},
        {"uuid", NULL, "0-1", "'0-1'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Column c = col("x", cases[i].type, cases[i].charset);
        AUTO(str_done) Str out = STR_INIT;
        chunkplan_literal(&out, &c, cases[i].value, strlen(cases[i].value));
        assert_string_equal(out.p, cases[i].literal);
        assert_true(catalogue_can_bound(&c));
        free(c.name);
        free(c.type);
        free(c.charset);
    }
    static const char *const inexact[] = {"float", "double", "enum", "set",  "bit",
                                          "json",  "text",   "blob", "point"};
    for (size_t i = 0; i < COUNT(inexact); i++)
        assert_false(catalogue_can_bound(&(Column){.type = (char *)(uintptr_t)inexact[i]}));
    assert_false(catalogue_can_bound(&(Column){.type = (char[]){"int"}, .nullable = true}));
}

static void chunks_hold_about_their_bytes(void **state)
{
    (void)state;
    static const struct {
        int64_t rows, bytes, walked;
        ChunkSize size;
        size_t threads;
        int64_t expect;
    } cases[] = {
        {1000000, 200000000, 0, {32 << 20, 0}, 2, 167772}, /* 200 bytes a row */
        {0, 0, 0, {32 << 20, 0}, 2, 41943},                /* nothing known: 100 bytes a row, small parts */
        {10, 640 << 20, 0, {32 << 20, 0}, 2, 1},           /* huge rows: one by one */
        {400, 400 << 20, 0, {32 << 20, 0}, 2, 32},         /* large ones: as many as fit */
        {400, 400 << 20, 390, {32 << 20, 0}, 2, 4},
        {1000000000, 1000000000, 0, {1LL << 40, 0}, 2, 5000000},
        {1000000, 200000000, 600000, {32 << 20, 0}, 2, 100000}, /* the end: a fourth of what is left */
        {1000000, 200000000, 999000, {32 << 20, 0}, 2, 20971},  /* but not endlessly smaller */
        {1000000, 200000000, 2000000, {32 << 20, 0}, 2, 20971}, /* more rows than estimated */
        {1000000, 200000000, 999000, {32 << 20, 77}, 2, 77},    /* rows are exact */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DumpTable t = {.rows_estimate = cases[i].rows, .bytes_estimate = cases[i].bytes};
        assert_int_equal(chunkplan_rows(&t, &cases[i].size, cases[i].walked, cases[i].threads),
                         cases[i].expect);
    }
}

static void filters_choose_tables(void **state)
{
    (void)state;
    static const struct {
        const char *table, *match, *exclude, *name;
        bool wanted;
    } cases[] = {
        {NULL, NULL, NULL, "d.t", true},      {"d.t", NULL, NULL, "d.t", true},
        {"d.t", NULL, NULL, "d.u", false},    {NULL, "^d[.]t", NULL, "d.tt", true},
        {NULL, "^d[.]t", NULL, "e.t", false}, {NULL, NULL, "log$", "d.log", false},
        {NULL, NULL, "log$", "d.logs", true}, {"d.log", NULL, "log", "d.log", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        Filter f;
        StrList none = STRLIST_INIT, tables = STRLIST_INIT, matches = STRLIST_INIT, excludes = STRLIST_INIT;
        if (cases[i].table)
            strlist_add(&tables, cases[i].table);
        if (cases[i].match)
            strlist_add(&matches, cases[i].match);
        if (cases[i].exclude)
            strlist_add(&excludes, cases[i].exclude);
        assert_true(filter_init(&f, &none, &tables, &matches, &excludes, &err));
        AUTOFREE char *db = NULL, *table = NULL;
        assert_true(db_split_table(cases[i].name, &db, &table));
        assert_int_equal(filter_wants(&f, db, table), cases[i].wanted);
        assert_int_equal(f.databases.n, tables.n);
        filter_done(&f);
        strlist_done(&tables);
        strlist_done(&matches);
        strlist_done(&excludes);
    }
}

static void bad_filters_are_told(void **state)
{
    (void)state;
    Err err;
    Filter f;
    StrList none = STRLIST_INIT, bad = STRLIST_INIT;
    strlist_add(&bad, "a(");
    assert_false(filter_init(&f, &none, &none, &bad, &none, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.text, "--match: \"a(\""));
    filter_done(&f);
    assert_false(filter_init(&f, &none, &bad, &none, &none, &err));
    assert_non_null(strstr(err.text, "no DATABASE.TABLE"));
    filter_done(&f);
    strlist_done(&bad);
}

static void the_biggest_table_is_first(void **state)
{
    (void)state;
    char d[] = "d", n1[] = "one", n2[] = "two", n3[] = "three", v[] = "view";
    DumpTable tables[] = {{.database = d, .name = n1, .bytes_estimate = 5, .has_rows = true},
                          {.database = d, .name = v, .kind = TABLE_VIEW, .bytes_estimate = 99},
                          {.database = d, .name = n2, .bytes_estimate = 7, .has_rows = true},
                          {.database = d, .name = n3, .bytes_estimate = 5, .has_rows = true},
                          {.database = d, .name = v, .bytes_estimate = 99}};
    Database database = {.tables = tables, .n_tables = COUNT(tables)};
    Catalogue c = {&database, 1};
    size_t n;
    AUTOFREE DumpTable **order = chunkplan_order(&c, &n);
    assert_int_equal(n, 3);
    assert_string_equal(order[0]->name, "two");
    assert_string_equal(order[1]->name, "one");
    assert_string_equal(order[2]->name, "three");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_written_out),
        cmocka_unit_test(statements),
        cmocka_unit_test(literals_compare_as_the_column_does),
        cmocka_unit_test(chunks_hold_about_their_bytes),
        cmocka_unit_test(filters_choose_tables),
        cmocka_unit_test(bad_filters_are_told),
        cmocka_unit_test(the_biggest_table_is_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
