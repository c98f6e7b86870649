/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/core/separation.h"
#include "test.h"

static const struct {
    const char *have, *wanted;
    bool names_user;
    const char *want, *why; /* want NULL: refused */
} rows[] = {
    {"process", "best", false, "process", NULL},
    {"namespace", "best", false, "namespace", NULL},
    {"helper", "best", false, "helper", NULL},
    {"helper", "best", true, "helper", NULL},
    {"helper", "namespace", false, "namespace", NULL},
    {"helper", "process", false, "process", NULL},
    {"namespace", "helper", false, NULL, "gives \"namespace\" only"},
    {"process", "namespace", false, NULL, "gives \"process\" only"},
    {"namespace", "best", true, NULL, "names a user"},
    {"helper", "process", true, NULL, "names a user"},
    {"helper", "most", false, NULL, "no separation"},
};

static void a_job_gets_what_it_demands_or_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err = {0};
        Separation have, got = SEPARATION_PROCESS;
        assert_ok(separation_from_name(rows[i].have, &have, &err), err);
        bool ok = separation_choose(have, rows[i].wanted, rows[i].names_user, &got, &err);
        if (ok != !!rows[i].want || (ok && !str_eq(separation_name(got), rows[i].want)) ||
            (!ok && !strstr(err.text, rows[i].why)))
            fail_msg("row %zu: %s", i, ok ? separation_name(got) : err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_job_gets_what_it_demands_or_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
