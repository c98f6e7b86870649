/* SPDX-License-Identifier: Apache-2.0
 * How much may still arrive: what was measured, what the primary says, and bursts that are no rates.
 */
#include "test.h"

#include "replica-agent/core/inflow.h"

enum { MB = 1000000, S = 1000, MIN = 60 * S, HOUR = 60 * MIN };

static bool near(double value, double want, double part)
{
    return value >= want * (1 - part) - 1 && value <= want * (1 + part) + 1;
}

/* One reading a second of a log that grows by so many bytes a second. */
static int64_t grow(Inflow *f, const char *file, int64_t pos, double bytes_per_s, int64_t from_ms, int64_t ms)
{
    for (int64_t at = 0; at < ms; at += S) {
        pos += (int64_t)bytes_per_s;
        inflow_add(f, "db0:3306", file, pos, from_ms + at);
    }
    return pos;
}

static void a_steady_log(void **state)
{
    (void)state;
    Inflow f = {0};
    inflow_add(&f, "db0:3306", NULL, 5, 0);
    assert_false(inflow_is_known(&f));
    int64_t pos = grow(&f, "binlog.000001", 500 * MB, 2 * MB, 0, 10 * MIN);
    assert_true(inflow_is_known(&f));
    assert_true(near(inflow_now(&f, 10 * MIN), 2 * MB, 0.6));
    assert_true(near(inflow_rate(&f, 10 * MIN), 2 * MB, 0.05));
    assert_true(near(inflow_rate_long(&f, 10 * MIN), 2 * MB / 6.0, 0.05)); /* of an hour at least */
    pos = grow(&f, "binlog.000001", pos, 2 * MB, 10 * MIN, 12 * (int64_t)HOUR);
    assert_true(near(inflow_rate_long(&f, 12 * (int64_t)HOUR + 10 * MIN), 2 * MB, 0.05));
    grow(&f, "binlog.000001", pos, 0, 12 * (int64_t)HOUR + 10 * MIN, 6 * MIN);
    assert_int_equal((int)inflow_rate(&f, 12 * (int64_t)HOUR + 16 * MIN), 0);
    assert_true(near(inflow_rate_long(&f, 12 * (int64_t)HOUR + 16 * MIN), 2 * MB, 0.05));
    inflow_done(&f);
}

/* Nothing came with these, or just what they say. */
static void coordinates_that_jump(void **state)
{
    (void)state;
    static const struct {
        const char *source, *file;
        int64_t pos;
        double bytes;
    } rows[] = {
        {"db0:3306", "binlog.000007", 900, 400},  /* it grew */
        {"db0:3306", "binlog.000008", 300, 300},  /* another file */
        {"db0:3306", "binlog.000010", 300, 300},  /* readings were missed */
        {"db0:3306", "binlog.000006", 9000, 0},   /* it fetches again */
        {"db0:3306", "binlog.000007", 100, 0},    /* the same file anew */
        {"db0:3306", "other.000008", 900000, 0},  /* another log */
        {"db0:3306", "binlog", 900000, 0},        /* no number */
        {"db5:3306", "binlog.000007", 900000, 0}, /* another source */
        {"db5:3306", "binlog.000008", 900000, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Inflow f = {0};
        inflow_add(&f, "db0:3306", "binlog.000007", 500, 0);
        inflow_add(&f, rows[i].source, rows[i].file, rows[i].pos, 100);
        if (f.total != rows[i].bytes)
            fail_msg("row %zu: %.0f bytes", i, f.total);
        inflow_done(&f);
    }
}

/* What has to be kept free for the next two minutes, and for the longest pause. */
static void what_is_to_come(void **state)
{
    (void)state;
    enum { RESERVE = 120 * S };
    static const struct {
        const char *what;
        double burst_mb; /* received within a second, just now */
        bool told;
        int64_t told_age_ms;
        const char *file;
        int64_t ahead; /* of the primary */
        double rate, rate_long;
        int64_t ms;
        int64_t want;
    } rows[] = {
        {"a quiet primary, a burst of a load just before", 333, true, S, "binlog.000001", 0, 1e3, 1e3,
         RESERVE, 120000},
        {"the same, not told", 333, false, 0, NULL, 0, 0, 0, RESERVE, 133 * MB},
        {"the same, over eight hours", 333, true, S, "binlog.000001", 0, 1e3, 1e3, 8 * HOUR, 28800000},
        {"not told, over eight hours: the hour's mean", 333, false, 0, NULL, 0, 0, 0, 8 * HOUR,
         2664 * (int64_t)MB},
        {"what the primary has is still to come", 0, true, S, "binlog.000001", 50 * MB, 0, 0, RESERVE,
         50 * MB},
        {"and what it writes meanwhile", 0, true, S, "binlog.000001", 50 * MB, 1e6, 1e5, RESERVE, 170 * MB},
        {"the long rate for the long time", 0, true, S, "binlog.000001", 0, 1e6, 1e5, 8 * HOUR,
         2880 * (int64_t)MB},
        {"received further than was told", 0, true, S, "binlog.000001", -50 * MB, 0, 0, RESERVE, 0},
        {"fetching again, files behind: what is fetched counts", 333, true, S, "binlog.000009", 0, 1e3, 1e3,
         RESERVE, 133 * MB},
        {"told too long ago", 333, true, 61 * S, "binlog.000001", 0, 1e3, 1e3, RESERVE, 133 * MB},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Inflow f = {0};
        int64_t now = 20 * MIN, pos = grow(&f, "binlog.000001", 1000, 0, 0, now);
        pos += (int64_t)(rows[i].burst_mb * MB);
        inflow_add(&f, "db0:3306", "binlog.000001", pos, now);
        InflowTold told = {.written = {.file = rows[i].told ? (char *)rows[i].file : NULL,
                                       .pos = pos + rows[i].ahead,
                                       .rate = rows[i].rate,
                                       .rate_long = rows[i].rate_long},
                           .at_ms = now - rows[i].told_age_ms};
        int64_t found = inflow_expected(&f, &told, rows[i].ms, now);
        if (!near((double)found, (double)rows[i].want, 0.02))
            fail_msg("%s: %lld, not %lld", rows[i].what, (long long)found, (long long)rows[i].want);
        inflow_done(&f);
    }
}

/* A primary that begins to write fast and goes on: there is time to end a job before a disk is full. */
static void a_fast_primary_is_seen_in_time(void **state)
{
    (void)state;
    Inflow f = {0};
    InflowTold none = {0};
    int64_t now = 20 * MIN, pos = grow(&f, "binlog.000001", 1000, 0, 0, now);
    double left = 6000.0 * MB;
    int seconds = 0;
    while (left > (double)inflow_expected(&f, &none, 120 * S, now)) {
        pos += 50 * MB;
        now += S;
        left -= 50.0 * MB;
        inflow_add(&f, "db0:3306", "binlog.000001", pos, now);
        assert_true(++seconds < 120);
    }
    assert_true(left / (50.0 * MB) > 25); /* seconds until it is full */
    inflow_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_log),
        cmocka_unit_test(coordinates_that_jump),
        cmocka_unit_test(what_is_to_come),
        cmocka_unit_test(a_fast_primary_is_seen_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
