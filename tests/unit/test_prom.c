/* SPDX-License-Identifier: Apache-2.0
 * Metrics, by the rules of Prometheus' exposition format 0.0.4: HELP escapes backslash and line feed, label
 * values the double quote too; one HELP and TYPE a family; NaN, +Inf and -Inf are numbers.
 */
#include "test.h"

#include <math.h>

#include "common/base/prom.h"

static void labels_and_help_are_escaped(void **state)
{
    (void)state;
    AUTO(prom_done) Prom m = {0};
    prom_one(&m, "a_total", PROM_COUNTER, "One \"quoted\"\nback\\slash.", 3,
             PROM_LABELS("node", "C:\\data \"x\"\nüber", "none", NULL));
    assert_string_equal(str_z(&m.text),
                        "# HELP a_total One \"quoted\"\\nback\\\\slash.\n# TYPE a_total counter\n"
                        "a_total{node=\"C:\\\\data \\\"x\\\"\\nüber\",none=\"\"} 3\n");
}

static void a_family_has_one_head(void **state)
{
    (void)state;
    AUTO(prom_done) Prom m = {0};
    for (int i = 0; i < 2; i++)
        prom_one(&m, "a", PROM_GAUGE, "A.", i, PROM_LABELS("n", i ? "y" : "x"));
    prom_one(&m, "b", PROM_GAUGE, "B.", -1, NULL);
    assert_string_equal(str_z(&m.text), "# HELP a A.\n# TYPE a gauge\na{n=\"x\"} 0\na{n=\"y\"} 1\n"
                                        "# HELP b B.\n# TYPE b gauge\nb -1\n");
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {0.5, "0.5"},
        {123456789012345, "123456789012345"},
        {1e18, "1e+18"},
        {NAN, "NaN"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {1.0 / 3, "0.333333333333333"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(prom_done) Prom m = {0};
        prom_one(&m, "x", PROM_GAUGE, "X.", cases[i].value, NULL);
        AUTOFREE char *wanted = xasprintf("\nx %s\n", cases[i].text);
        if (!str_ends(str_z(&m.text), wanted))
            fail_msg("%s is not %s", str_z(&m.text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_and_help_are_escaped),
        cmocka_unit_test(a_family_has_one_head),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
