/* SPDX-License-Identifier: Apache-2.0
 * Which terms an agent believes.
 */
#include "test.h"

#include "replica-agent/core/term.h"

static void terms(void **state)
{
    (void)state;
    static const struct {
        int64_t seen, term;
        bool ok;
    } rows[] = {
        {0, 1, true},
        {0, 1000000, true},
        {0, 1000001, false},
        {0, INT64_MAX, false},
        {5, 1, true}, /* that it has passed is another's to say */
        {5, 5, true},
        {5, 1005, true},
        {5, 1006, false},
        {5, INT64_MAX, false},
        {INT64_MAX - 3, INT64_MAX, true},
        {INT64_MAX, 7, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err;
        if (term_may_follow(rows[i].seen, rows[i].term, &err) != rows[i].ok)
            fail_msg("row %zu", i);
        if (!rows[i].ok)
            assert_non_null(strstr(err.text, "siding cluster reset-term"));
    }
}

static void a_term_is_of_whoever_was_heard_first(void **state)
{
    (void)state;
    static const struct {
        int64_t seen;
        const char *seen_owner;
        int64_t term;
        const char *owner;
        bool ok;
    } rows[] = {
        {0, NULL, 1, "a", true}, {5, "a", 5, "a", true},  {5, "a", 5, "b", false}, {5, "a", 6, "b", true},
        {5, "a", 4, "a", false}, {5, NULL, 5, "b", true}, {5, "a", 5, NULL, true}, {5, "a", 5, "", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err = {0};
        if (term_is_of(rows[i].seen, rows[i].seen_owner, rows[i].term, rows[i].owner, "db1", &err) !=
            rows[i].ok)
            fail_msg("row %zu", i);
        if (!rows[i].ok)
            assert_int_equal(err.kind, ERR_STALE_TERM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(terms),
                                       cmocka_unit_test(a_term_is_of_whoever_was_heard_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
