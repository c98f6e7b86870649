/* SPDX-License-Identifier: Apache-2.0
 * Windows of a day or a week: when they are open, and what is none.
 */
#include "test.h"

#include "orchestrator/core/window.h"

static void windows_open_and_close(void **state)
{
    (void)state;
    enum { H = 60, D = WINDOW_DAY };
    static const struct {
        const char *text;
        int minute;
        bool open;
        int opens_in;
    } rows[] = {
        {"22:00-03:00", 1 * H + 30, true, 0},
        {"22:00-03:00", 3 * D + 22 * H, true, 0},
        {"22:00-03:00", 3 * D + 3 * H, false, 19 * H},
        {"22-3", 3 * D + 21 * H + 59, false, 1},
        {"Sunday 01:00-05:00", 1 * H, true, 0},
        {"Sunday 01:00-05:00", 5 * H, false, 6 * D + 20 * H},
        {"sun 1-5", D + 2 * H, false, 5 * D + 23 * H},
        {"Fri-Mon", 6 * D + 12 * H, true, 0},
        {"Fri-Mon", 1 * D + 23 * H, true, 0},
        {"Fri-Mon", 2 * D, false, 3 * D},
        {"Fri 22:00-03:00", 6 * D + 2 * H, true, 0},
        {"Fri 22:00-03:00", 5 * D + 2 * H, false, 20 * H},
        {"Sat 22:00-03:00", 2 * H, true, 0},
        {"Mon 20:00", D + 23 * H + 59, true, 0},
        {"Mon 20:00", 2 * D, false, 6 * D + 20 * H},
        {"0-24", 77, true, 0},
        /* half-open */
        {"22:00-03:00", 21 * H + 59, false, 1},
        {"22:00-03:00", 22 * H, true, 0},
        {"22:00-03:00", 3 * H, false, 19 * H},
        {"Sunday 22:00-03:00", D + 1 * H + 30, true, 0},
        {"Sunday 22:00-03:00", 1 * H + 30, false, 20 * H + 30},
        {"Fri-Mon", D + 23 * H + 59, true, 0},
        {"Mon-Fri 06:00-18:00", 5 * D + 20 * H, false, 2 * D + 10 * H},
        {"22:00-24:00", 23 * H + 59, true, 0},
        {"22:00-00:00", 23 * H + 59, true, 0},
        {"22:00-00:00", 0, false, 22 * H},
        {"8-16", 8 * H, true, 0},
        {"08-16", 16 * H, false, 16 * H},
        {"22:00", 22 * H, true, 0}, /* until midnight */
        {"22:00", D, false, 22 * H},
        /* several */
        {"22:00-03:00; Sat-Sun", 6 * D + 12 * H, true, 0},
        {"22:00-03:00; Sat-Sun", D + 12 * H, false, 10 * H},
        {"Mon 3-5;Wed 3-5", D + 6 * H, false, D + 21 * H},
        {"08:00-08:00", 3 * D, true, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        WindowSet w;
        Err err;
        assert_ok(window_parse(rows[i].text, &w, &err), err);
        /* of the week that began on Sunday, 4 January 1970 */
        int64_t wait = window_wait_ms(&w, NULL, INT64_C(60000) * (3 * D + rows[i].minute));
        if ((wait == 0) != rows[i].open || wait != rows[i].opens_in * INT64_C(60000))
            fail_msg("%s at %d: opens in %d", rows[i].text, rows[i].minute, (int)(wait / 60000));
    }
    static const char *const wrong[] = {"",
                                        " ",
                                        "Su",
                                        "Someday",
                                        "25:00-26:00",
                                        "22:60",
                                        "1-",
                                        "Fri-",
                                        "Mon 22:00-03:00 x",
                                        "24:00",
                                        "24:30-25",
                                        "Mon,Tue",
                                        "123-4",
                                        "-3",
                                        "3:00-5:00 Sunday",
                                        "mon,wed 3-5",
                                        "*",
                                        "!!!",
                                        "25:00",
                                        "10:75",
                                        ";",
                                        "Mon;",
                                        ";Mon",
                                        "1-2;3-4;5-6;7-8;9-10;11-12;13-14;15-16;17-18"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        WindowSet w;
        Err err = {0};
        if (window_parse(wrong[i], &w, &err))
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_int_equal(err.kind, ERR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_open_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
