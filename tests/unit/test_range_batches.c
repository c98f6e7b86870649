/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "replica-agent/index/range_batches.h"

static void batches_become_shorter(void **state)
{
    (void)state;
    static const struct {
        size_t ranges, workers;
        const char *ends;
    } cases[] = {
        {0, 3, ""},
        {1, 1, "1"},
        {1, 6, "1"},
        {5, 3, "1 2 3 4 5"},
        {16, 1, "8 12 14 15 16"},
        {16, 2, "4 8 10 12 13 14 15 16"},
        {40, 3, "6 12 18 21 24 27 29 31 33 34 35 36 37 38 39 40"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(str_done) Str text = STR_INIT;
        RangeBatches s = range_batches_of(cases[i].ranges, cases[i].workers);
        for (size_t k = 0; k < s.n; k++)
            str_addf(&text, "%s%zu", k ? " " : "", s.ends[k]);
        assert_string_equal(str_z(&text), cases[i].ends);
        range_batches_done(&s);
    }
}

static void all_ranges_are_dealt_out(void **state)
{
    (void)state;
    for (size_t ranges = 1; ranges < 2000; ranges += 7)
        for (size_t workers = 1; workers < 70; workers += 3) {
            RangeBatches s = range_batches_of(ranges, workers);
            for (size_t k = 1; k < s.n; k++)
                assert_true(s.ends[k - 1] < s.ends[k]);
            assert_int_equal(s.ends[s.n - 1], ranges);
            range_batches_done(&s);
        }
    RangeBatches single = range_batches_single(4);
    assert_int_equal(single.n, 4);
    assert_int_equal(single.ends[0], 1);
    range_batches_done(&single);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_become_shorter),
        cmocka_unit_test(all_ranges_are_dealt_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
