/* SPDX-License-Identifier: Apache-2.0
 * Waits grow from the least to the most, however they are counted.
 */
#include "test.h"

#include "common/base/retry.h"

typedef struct Row {
    int64_t failures, least, most, wait;
} Row;

static const Row rows[] = {{1, 50, 5000, 50},
                           {2, 50, 5000, 100},
                           {7, 50, 5000, 3200},
                           {8, 50, 5000, 5000}, /* not 6400 */
                           {INT64_MAX, 50, 5000, 5000},
                           {0, 50, 5000, 50}, /* nothing has failed: as after the first */
                           {-1, 50, 5000, 50},
                           {5, 0, 100, 16},
                           {1, 700, 500, 500},
                           {2, 700, 500, 500},
                           {64, 1, INT64_MAX, INT64_MAX}};

static void a_wait_doubles_up_to_the_most(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = retry_wait_ms(rows[i].failures, rows[i].least, rows[i].most);
        if (got != rows[i].wait)
            fail_msg("after %lld failures, %lld to %lld: %lld, not %lld", (long long)rows[i].failures,
                     (long long)rows[i].least, (long long)rows[i].most, (long long)got,
                     (long long)rows[i].wait);
    }
}

/* Those who keep the wait before, and those who keep a time, wait as those who count. */
static void all_count_alike(void **state)
{
    (void)state;
    Retry r = {0};
    int64_t before = 0, now = 1000;
    for (int64_t n = 1; n < 20; n++) {
        int64_t wait = retry_wait_ms(n, 200, 3000);
        before = retry_longer_ms(before, 200, 3000);
        assert_int_equal(before, wait);
        assert_true(retry_is_due(&r, now));
        retry_later(&r, now, 200, 3000);
        assert_false(retry_is_due(&r, now + wait - 1));
        now += wait;
    }
    retry_reset(&r);
    assert_true(retry_is_due(&r, 0));
    retry_later(&r, 0, 200, 3000);
    assert_int_equal(r.next_ms, 200);
}

static void chance_takes_half_at_most(void **state)
{
    (void)state;
    for (int64_t wait = 1; wait < 12; wait++) {
        bool least = false, most = false;
        for (uint64_t chance = 0; chance < 12; chance++) {
            int64_t ms = retry_by_chance_ms(wait, chance);
            assert_in_range(ms, (wait + 1) / 2, wait);
            least = least || ms == (wait + 1) / 2;
            most = most || ms == wait;
        }
        assert_true(least && most);
    }
    assert_int_equal(retry_by_chance_ms(0, 7), 0);
    assert_in_range(retry_by_chance_ms(1000, UINT64_MAX), 500, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_doubles_up_to_the_most),
        cmocka_unit_test(all_count_alike),
        cmocka_unit_test(chance_takes_half_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
