/* SPDX-License-Identifier: Apache-2.0
 * Row checksums, C side, against values computed elsewhere (Python's zlib). The servers' side is tested on
 * real servers in tests/integration.
 */
#include "test.h"

#include "common/db/rowsum.h"
#include "common/file/crc.h"

static void sums_do_not_depend_on_order(void **state)
{
    (void)state;
    const RowSumField one[] = {{"1", 1}, {"abc", 3}, {NULL, 0}};
    const RowSumField two[] = {{"2", 1}, {"", 0}, {"\0\377", 2}};
    RowSum a = {0}, b = {0};
    rowsum_add(&a, one, 3);
    rowsum_add(&a, two, 3);
    rowsum_add(&b, two, 3);
    rowsum_add(&b, one, 3);
    AUTOFREE char *ta = rowsum_text(&a), *tb = rowsum_text(&b);
    assert_string_equal(ta, "2:2800894913");
    assert_string_equal(tb, ta);
    RowSum none = {0};
    AUTOFREE char *t0 = rowsum_text(&none);
    assert_string_equal(t0, "0:0");
}

static void rows_may_have_many_fields(void **state)
{
    (void)state;
    enum { FIELDS = 40 };
    RowSumField fields[FIELDS];
    char text[FIELDS];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < FIELDS; i++)
        fields[i] = (RowSumField){text, i};
    RowSum s = {0};
    rowsum_add(&s, fields, FIELDS);
    assert_int_equal(s.sum, 3994015255u);
}

/* All lengths that are treated apart, first fields that stay or change, NULL among them. */
static void many_rows_sum_up_alike(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'y', sizeof text);
    static const RowSumField others[] = {{"\0", 1}, {"7", 1}, {"\377", 1}, {"", 0}, {NULL, 0}, {"12", 2}};
    static const size_t firsts[] = {3, 3, 0, 0, 1, 256, 256, 257, 600, 3, 2};
    RowSummer *fast = rowsummer_new();
    RowSum slow = {0};
    for (size_t i = 0; i < COUNT(firsts) * 2; i++) {
        RowSumField row[30] = {{i < COUNT(firsts) ? text : NULL, firsts[i % COUNT(firsts)]}};
        for (size_t k = 1; k < COUNT(row); k++)
            row[k] = others[(i + k) % COUNT(others)];
        text[0] = i % 4 == 3 ? 'z' : 'y';
        for (size_t n = 0; n <= COUNT(row); n += 3) {
            rowsummer_add(fast, row, n);
            rowsum_add(&slow, row, n);
        }
    }
    for (int i = 0; i < 256; i++) {
        char byte = (char)i;
        RowSumField row[] = {{"word", 4}, {"1234567", 7}, {&byte, 1}, {&byte, 1}, {text, 9}, {&byte, 1}};
        rowsummer_add(fast, row, COUNT(row));
        rowsum_add(&slow, row, COUNT(row));
    }
    RowSum got = rowsummer_sum(fast);
    assert_int_equal(got.rows, slow.rows);
    assert_int_equal(got.sum, slow.sum);
    rowsummer_free(fast);
}

static void moved_borders_and_null_change_the_sum(void **state)
{
    (void)state;
    static const RowSumField rows[][2] = {
        {{"ab", 2}, {"c", 1}},  {{"a", 1}, {"bc", 2}},   {{"", 0}, {"abc", 3}},    {{NULL, 0}, {"abc", 3}},
        {{"N", 1}, {"abc", 3}}, {{"abc", 3}, {NULL, 0}}, {{"\\N", 2}, {"abc", 3}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t j = 0; j < i; j++) {
            RowSum a = {0}, b = {0};
            rowsum_add(&a, rows[i], 2);
            rowsum_add(&b, rows[j], 2);
            assert_true(a.sum != b.sum);
        }
    }
}

static void crc_is_the_usual_one(void **state)
{
    (void)state;
    assert_int_equal(crc_of(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(crc_of(crc_of(0, "1234", 4), "56789", 5), 0xcbf43926);
    assert_int_equal(crc_of(0, "", 0), 0);
}

/* Each kernel at each length and place, in one piece and in two, against the sum bit by bit. */
static void kernels_are_the_same(void **state)
{
    (void)state;
    unsigned char bytes[700];
    uint32_t seed = 7, plain = ~0u;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)((seed = seed * 1664525u + 1013904223u) >> 24);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        uint32_t want = ~plain;
        assert_int_equal(crc_of(0, bytes, n), want);
        assert_int_equal(crc_short.run(0, bytes, n), want);
        assert_int_equal(crc_long.run(0, bytes, n), want);
        assert_int_equal(crc_short.run(crc_long.run(0, bytes, n / 3), bytes + n / 3, n - n / 3), want);
        plain ^= n < sizeof bytes ? bytes[n] : 0;
        for (int bit = 0; bit < 8; bit++)
            plain = plain >> 1 ^ (plain & 1 ? 0xEDB88320u : 0);
    }
    assert_true(crc_long_from() >= 16 && crc_long_from() <= 1024);
}

/* The row's text as the header describes it, written out; values whose CRC has few digits among them. */
static void fields_are_summed_as_their_text(void **state)
{
    (void)state;
    AUTOFREE char *text = xcalloc(1, 10200);
    size_t few_digits = 0;
    for (uint32_t i = 0; i < 40000; i++) {
        size_t n = i < 39000 ? (size_t)snprintf(text, 100, "%u", i * 7919u) : i * 7919u % 10200;
        uint32_t crc = crc_of(0, text, n);
        few_digits += crc < 100000000;
        AUTOFREE char *row = xasprintf("N;%u,%zu;%u,%zu;", crc, n, crc, n);
        RowSum sum = {0};
        rowsum_add(&sum, (RowSumField[]){{NULL, 0}, {text, n}, {text, n}}, 3);
        assert_int_equal(sum.sum, crc_of(0, row, strlen(row)));
    }
    assert_true(few_digits > 100);
}

static void sql_quotes_names(void **state)
{
    (void)state;
    StrList columns = STRLIST_INIT;
    strlist_add(&columns, "a`b");
    AUTO(str_done) Str sql = STR_INIT;
    rowsum_sql(&sql, "d", "t", &columns, "id > 5");
    assert_string_equal(
        sql.p,
        "SELECT CONCAT(COUNT(*), ':', COALESCE(SUM(CRC32(CONCAT('', COALESCE(CONCAT(CRC32(`a``b`), ',', "
        "LENGTH(`a``b`), ';'), 'N;')))), 0)) FROM `d`.`t` WHERE id > 5");
    strlist_done(&columns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_do_not_depend_on_order),
        cmocka_unit_test(rows_may_have_many_fields),
        cmocka_unit_test(many_rows_sum_up_alike),
        cmocka_unit_test(moved_borders_and_null_change_the_sum),
        cmocka_unit_test(crc_is_the_usual_one),
        cmocka_unit_test(kernels_are_the_same),
        cmocka_unit_test(fields_are_summed_as_their_text),
        cmocka_unit_test(sql_quotes_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
