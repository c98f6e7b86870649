/* SPDX-License-Identifier: Apache-2.0
 * No more than so much a second goes through, whatever the clock does.
 */
#include "test.h"

#include "common/base/bucket.h"

static void what_is_used_is_waited_for(void **state)
{
    (void)state;
    Bucket b;
    bucket_init(&b, 1000, 50000);
    assert_int_equal(bucket_take(&b, 0, 50000), 0);
    assert_int_equal(bucket_take(&b, 500, 50000), 500);
    assert_int_equal(bucket_take(&b, 500, 50000), 1000); /* another worker, behind the first */
    assert_int_equal(bucket_take(&b, 1, 51001), 0);
    assert_int_equal(bucket_take(&b, 100, 51001), 100);
    assert_int_equal(bucket_take(&b, 1000000, 51101), 1000000); /* a piece of any size passes */
}

/* Whoever asks often, and whoever asks seldom, get the same. */
static void over_a_minute_it_is_the_rate(void **state)
{
    (void)state;
    static const int64_t pieces[] = {1, 7, 4096, 16384, 300000};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        Bucket b;
        int64_t now = 0, used = 0;
        bucket_init(&b, 65536, now);
        while (now < 60000) {
            used += pieces[i];
            now += bucket_take(&b, pieces[i], now);
        }
        if (used < 59 * 65536 || used > 61 * 65536 + pieces[i])
            fail_msg("%lld bytes in a minute, in pieces of %lld", (long long)used, (long long)pieces[i]);
    }
}

static void a_stall_is_not_made_up_for(void **state)
{
    (void)state;
    Bucket b;
    bucket_init(&b, 1000, 0);
    assert_int_equal(bucket_take(&b, 100, 0), 100);
    assert_int_equal(bucket_take(&b, BUCKET_SPARE_MS, 86400000), 0); /* a day later */
    assert_int_equal(bucket_take(&b, 1000, 86400000), 1000);
}

static void a_clock_that_jumps_changes_little(void **state)
{
    (void)state;
    Bucket b;
    bucket_init(&b, 1000, 1000000);
    assert_int_equal(bucket_take(&b, 200, 1000000), 200);
    assert_int_equal(bucket_take(&b, 200, 1), 400); /* back: the same is owed, by the new clock */
    assert_int_equal(bucket_take(&b, 0, 101), 300);
    assert_int_equal(bucket_take(&b, 5000, INT64_MAX / 4), 4900); /* ahead: as a stall */
}

static void what_is_out_of_all_proportion_does_no_harm(void **state)
{
    (void)state;
    Bucket b;
    bucket_init(&b, 0, 0);
    assert_true(bucket_take(&b, INT64_MAX, 0) > 0);
    assert_true(bucket_take(&b, INT64_MAX, 0) > 0);
    bucket_init(&b, INT64_MAX, 0);
    assert_int_equal(bucket_take(&b, 1 << 20, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_used_is_waited_for),
        cmocka_unit_test(over_a_minute_it_is_the_rate),
        cmocka_unit_test(a_stall_is_not_made_up_for),
        cmocka_unit_test(a_clock_that_jumps_changes_little),
        cmocka_unit_test(what_is_out_of_all_proportion_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
