/* SPDX-License-Identifier: Apache-2.0
 * Times and spans as BibSched's users write them.
 */
#include "test.h"

#include <time.h>

#include "common/base/clock.h"
#include "orchestrator/cli/when.h"

/* 2026-11-23T20:37:00Z, in a zone an hour east of Greenwich. */
static const int64_t now = 1795466220000;

static void moments(void **state)
{
    (void)state;
    static const struct {
        const char *text, *utc;
    } rows[] = {
        {"now", "2026-11-23T20:37:00.000Z"},
        {"+15s", "2026-11-23T20:37:15.000Z"},
        {"5m", "2026-11-23T20:42:00.000Z"},
        {"3h", "2026-11-23T23:37:00.000Z"},
        {"+1d", "2026-11-24T20:37:00.000Z"},
        {"1h30m", "2026-11-23T22:07:00.000Z"},
        {"90", "2026-11-23T20:38:30.000Z"},
        {"2002-10-27 13:57:26", "2002-10-27T12:57:26.000Z"},
        {"2002-10-27T13:57:26", "2002-10-27T12:57:26.000Z"},
        {"2002-10-27T13:57:26Z", "2002-10-27T13:57:26.000Z"},
        {"2026-12-24 18:00", "2026-12-24T17:00:00.000Z"},
        {"2026-12-24", "2026-12-23T23:00:00.000Z"},
        {"22:00", "2026-11-23T21:00:00.000Z"},
        {"22:00:05", "2026-11-23T21:00:05.000Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err;
        int64_t ms;
        char text[CLOCK_TEXT];
        assert_ok(when_parse(rows[i].text, now, &ms, &err), err);
        clock_format(ms, text);
        if (strcmp(text, rows[i].utc) != 0)
            fail_msg("%s gives %s, not %s", rows[i].text, text, rows[i].utc);
    }
}

static void no_moments(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",  "tomorrowish",           "5x",  "-5m", "25:00", "12:60", "2002-02-31 10:00:00", "2002-13-01",
        "+", "2002-10-27 13:57:26 x", "3 h", "++3h"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err;
        int64_t ms = 7;
        if (when_parse(rows[i], now, &ms, &err))
            fail_msg("\"%s\" is taken", rows[i]);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_int_equal(ms, 7);
    }
}

static void spans(void **state)
{
    (void)state;
    Err err;
    int64_t ms;
    assert_ok(when_parse_span("30m", &ms, &err), err);
    assert_int_equal(ms, 1800000);
    assert_ok(when_parse_span("+2h", &ms, &err), err);
    assert_int_equal(ms, 7200000);
    assert_ok(when_parse_span("1d", &ms, &err), err);
    assert_int_equal(ms, 86400000);
    assert_false(when_parse_span("22:00", &ms, &err));
    assert_string_equal(err.text, "\"22:00\" is not a duration; write for instance 15s, 5m, 3h, 1d or 1h30m");
}

int main(void)
{
    setenv("TZ", "XXX-1", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),
        cmocka_unit_test(no_moments),
        cmocka_unit_test(spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
