/* SPDX-License-Identifier: Apache-2.0
 * Cron lines, time zones and what a recurrence makes of them.
 */
#include "test.h"

#include "common/base/clock.h"
#include "common/file/fs.h"
#include "orchestrator/core/cron.h"
#include "orchestrator/core/deadline.h"
#include "orchestrator/core/recur.h"

static Zone *zone(const char *name)
{
    AUTO(str_done) Str bytes = STR_INIT;
    AUTOFREE char *path = xasprintf("/usr/share/zoneinfo/%s", name);
    Err err;
    Zone *z = NULL;
    assert_ok(fs_read(path, 1 << 17, &bytes, &err), err);
    assert_ok(zone_parse(str_z(&bytes), bytes.len, &z, &err), err);
    return z;
}

static int64_t seconds(const char *utc)
{
    int64_t ms;
    AUTOFREE char *text = xasprintf("%s:00Z", utc);
    assert_true(clock_parse(text, &ms));
    return ms / 1000;
}

/* "2026-03-29T01:00" */
static char *minute(int64_t s)
{
    char text[CLOCK_TEXT];
    clock_format(s * 1000, text);
    return xstrndup(text, 16);
}

/* ---- zones ------------------------------------------------------------------------------------------ */

static void offsets_are_those_of_the_database(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *utc;
        int64_t offset_minutes;
    } rows[] = {
        {"UTC", "2026-07-01T00:00", 0},
        {"Europe/Zurich", "2026-01-01T00:00", 60},
        {"Europe/Zurich", "2026-03-29T00:59", 60},
        {"Europe/Zurich", "2026-03-29T01:00", 120},
        {"Europe/Zurich", "2026-10-25T00:59", 120},
        {"Europe/Zurich", "2026-10-25T01:00", 60},
        {"Europe/Zurich", "2080-07-01T00:00", 120}, /* by the rule behind the file's changes */
        {"Europe/Zurich", "2099-12-31T00:00", 60},
        {"America/New_York", "2060-03-14T06:59", -300},
        {"America/New_York", "2060-03-14T07:00", -240},
        {"Australia/Lord_Howe", "2050-07-01T00:00", 630}, /* half an hour, in the south */
        {"Australia/Lord_Howe", "2050-01-01T00:00", 660},
        {"Asia/Kathmandu", "2050-01-01T00:00", 345},
        {"America/Sao_Paulo", "2050-01-01T00:00", -180},
        {"Europe/Dublin", "2050-01-01T00:00", 0}, /* where winter is what is saved */
        {"Europe/Dublin", "2050-07-01T00:00", 60},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Zone *z = zone(rows[i].zone);
        ZoneSpan s = zone_span(z, seconds(rows[i].utc));
        if (s.offset != rows[i].offset_minutes * 60)
            fail_msg("%s at %s: %lld", rows[i].zone, rows[i].utc, (long long)s.offset);
        zone_free(z);
    }
}

static void what_is_no_zone_is_refused(void **state)
{
    (void)state;
    AUTO(str_done) Str bytes = STR_INIT;
    Err err;
    Zone *z = NULL;
    assert_ok(fs_read("/usr/share/zoneinfo/Europe/Zurich", 1 << 17, &bytes, &err), err);
    for (size_t n = 0; n < bytes.len; n++)
        if (zone_parse(bytes.p, n, &z, &err))
            fail_msg("the first %zu bytes are a zone", n);
    static const char *const names[] = {"", "/etc/passwd", "../x", "Europe//Zurich", "Europe/", "a b", "x\n"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_false(zone_name_is_plain(names[i]));
    assert_true(zone_name_is_plain("America/Argentina/Buenos_Aires"));
    assert_true(zone_name_is_plain("Etc/GMT+5"));
}

/* ---- lines ------------------------------------------------------------------------------------------ */

static void lines_and_their_next_time(void **state)
{
    (void)state;
    static const struct {
        const char *line, *not_on, *after, *next; /* UTC; next NULL: the line is refused, "": never */
    } rows[] = {
        {"0 2 * * *", "", "2026-01-01T02:00", "2026-01-02T02:00"},
        {"0 2 * * *", "", "2026-01-01T01:59", "2026-01-01T02:00"},
        {"*/15 * * * *", "", "2026-01-01T23:46", "2026-01-02T00:00"},
        {"5/20 3 * * *", "", "2026-01-01T03:06", "2026-01-01T03:25"},
        {"0 9-17/4 * * mon-fri", "", "2026-01-02T17:00", "2026-01-05T09:00"},
        {"0 0 31 * *", "", "2026-01-31T00:00", "2026-03-31T00:00"},
        {"0 0 29 feb *", "", "2026-01-01T00:00", "2028-02-29T00:00"},
        {"0 0 30 2 *", "", "2026-01-01T00:00", ""},
        {"0 0 13 * 5", "", "2026-01-01T00:00", "2026-01-02T00:00"}, /* the 13th, or a Friday */
        {"0 0 * * 7", "", "2026-01-01T00:00", "2026-01-04T00:00"},
        {"@daily", "", "2026-01-01T00:00", "2026-01-02T00:00"},
        {"@weekly", "", "2026-01-01T00:00", "2026-01-04T00:00"},
        {"@yearly", "", "2026-01-01T00:00", "2027-01-01T00:00"},
        {"0 2 * * *", "12-25,2026-12-26", "2026-12-24T02:00", "2026-12-27T02:00"},
        {"0 2 * * *", "Sat,sun", "2026-01-02T02:00", "2026-01-05T02:00"},
        {"0 2 * * *", "02-29", "2028-02-28T02:00", "2028-03-01T02:00"},
        {"0 2 * * *", "sun,mon,tue,wed,thu,fri,sat", "2026-01-01T00:00", ""},
        {"0 2 * *", "", "", NULL},
        {"0 2 * * * *", "", "", NULL},
        {"60 2 * * *", "", "", NULL},
        {"0 24 * * *", "", "", NULL},
        {"0 2 0 * *", "", "", NULL},
        {"0 2 * 13 *", "", "", NULL},
        {"0 2 * * 8", "", "", NULL},
        {"5-1 2 * * *", "", "", NULL},
        {"*/0 2 * * *", "", "", NULL},
        {"0, 2 * * *", "", "", NULL},
        {"x 2 * * *", "", "", NULL},
        {"@reboot", "", "", NULL},
        {"0 2 * * *", "Saturn", "", NULL},
        {"0 2 * * *", "13-01", "", NULL},
        {"0 2 * * *", "2026-02-29", "", NULL},
        {"0 2 * * *", "25", "", NULL},
    };
    Zone *z = zone("UTC");
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(strlist_done) StrList not_on = STRLIST_INIT;
        Cron c;
        Err err;
        strlist_split(&not_on, rows[i].not_on, ',');
        bool ok = cron_parse(rows[i].line, &not_on, &c, &err);
        if (ok != (rows[i].next != NULL))
            fail_msg("%s (%s): %s", rows[i].line, rows[i].not_on, ok ? "taken" : err.text);
        if (!ok)
            continue;
        int64_t next = cron_next(&c, z, seconds(rows[i].after));
        AUTOFREE char *text = next ? minute(next) : xstrdup("");
        if (!str_eq(text, rows[i].next))
            fail_msg("%s after %s: %s", rows[i].line, rows[i].after, text);
    }
    zone_free(z);
}

/* ---- the two nights --------------------------------------------------------------------------------- */

/* A day of schedules, simulated over both nights: all times that a line gives from `from` to `to`. */
static void check_night(const char *zone_name, const char *line, const char *from, const char *to,
                        const char *expected)
{
    AUTO(str_done) Str got = STR_INIT;
    Zone *z = zone(zone_name);
    Cron c;
    Err err;
    assert_ok(cron_parse(line, NULL, &c, &err), err);
    for (int64_t s = seconds(from) - 1; (s = cron_next(&c, z, s)) && s < seconds(to);) {
        AUTOFREE char *text = minute(s);
        str_addf(&got, "%s%s", got.len ? " " : "", text + 8);
    }
    zone_free(z);
    if (!str_eq(str_z(&got), expected))
        fail_msg("%s in %s: %s, not %s", line, zone_name, str_z(&got), expected);
}

static void nights_on_which_the_clocks_change(void **state)
{
    (void)state;
    /* Zurich: on 29 March 02:00 is followed by 03:00 (01:00 UTC), on 25 October 03:00 by 02:00 (01:00 UTC).
     */
    static const struct {
        const char *line, *spring, *autumn; /* UTC, from 23:00 to 03:00 */
    } rows[] = {
        /* fixed times: once, at the end of the hour that is left out, and at the first of two */
        {"0 2 * * *", "29T01:00", "25T00:00"},
        {"30 2 * * *", "29T01:00", "25T00:30"},
        {"0,30 2 * * *", "29T01:00", "25T00:00 25T00:30"},
        {"0 2,3 * * *", "29T01:00", "25T00:00 25T02:00"},
        {"30 1 * * *", "29T00:30", "24T23:30"},
        {"0 3 * * *", "29T01:00", "25T02:00"},
        {"0 2 * * sun", "29T01:00", "25T00:00"},
        {"0 2 29 3 *", "29T01:00", ""},
        {"0 2 * * sat", "", ""},
        /* wildcards: elapsed time */
        {"0 * * * *", "28T23:00 29T00:00 29T01:00 29T02:00", "24T23:00 25T00:00 25T01:00 25T02:00"},
        {"*/30 2 * * *", "", "25T00:00 25T00:30 25T01:00 25T01:30"},
        {"0 */2 * * *", "28T23:00 29T02:00", "25T00:00 25T01:00"},
        {"*/40 * * * *", "28T23:00 28T23:40 29T00:00 29T00:40 29T01:00 29T01:40 29T02:00 29T02:40",
         "24T23:00 24T23:40 25T00:00 25T00:40 25T01:00 25T01:40 25T02:00 25T02:40"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_night("Europe/Zurich", rows[i].line, "2026-03-28T23:00", "2026-03-29T03:00", rows[i].spring);
        check_night("Europe/Zurich", rows[i].line, "2026-10-24T23:00", "2026-10-25T03:00", rows[i].autumn);
        /* and when the file says nothing of the year any more */
    }
    check_night("Europe/Zurich", "30 2 * * *", "2060-03-27T23:00", "2060-03-29T23:00", "28T01:00 29T00:30");
    /* half an hour, at 02:00 of 4 October and 5 April in the south */
    check_night("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00", "2026-10-04T12:00", "03T15:30");
    check_night("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00", "2026-04-05T12:00", "04T14:45");
    /* a whole day that there was not: Samoa had no 30 December 2011 */
    check_night("Pacific/Apia", "0 12 * * *", "2011-12-29T00:00", "2011-12-31T12:00",
                "29T22:00 30T10:00 30T22:00");
}

/* Every hour of both days counts once however one steps through it. */
static void the_next_time_does_not_depend_on_the_step(void **state)
{
    (void)state;
    static const char *const lines[] = {"0 2 * * *", "*/7 * * * *", "15,45 1-3 * * *", "0 */3 * * *"};
    static const char *const nights[] = {"2026-03-28T12:00", "2026-10-24T12:00"};
    Zone *z = zone("Europe/Zurich");
    for (size_t i = 0; i < COUNT(lines); i++)
        for (size_t k = 0; k < COUNT(nights); k++) {
            Cron c;
            Err err;
            int64_t begin = seconds(nights[k]), next;
            assert_ok(cron_parse(lines[i], NULL, &c, &err), err);
            next = cron_next(&c, z, begin);
            for (int64_t s = begin; s < begin + 86400; s++) {
                if (s == next)
                    next = cron_next(&c, z, s);
                assert_int_equal(cron_next(&c, z, s), next);
            }
        }
    zone_free(z);
}

/* ---- turns ------------------------------------------------------------------------------------------ */

static Task task_with(const char *plan)
{
    Task t = {.id = 7, .name = xstrdup("night"), .state = TASK_WAITING};
    Err err;
    assert_ok(json_parse(plan, strlen(plan), &t.plan, &err), err);
    return t;
}

static void turns_that_were_missed(void **state)
{
    (void)state;
    static const struct {
        const char *missed, *planned, *ended, *next;
    } rows[] = {
        {"run-once", "02:00", "02:00", "02:01"}, {"run-once", "02:00", "05:00", "05:01"},
        {"skip", "02:00", "05:00", "05:01"},     {"run-all", "02:00", "05:00", "02:01"},
        {"run-all", "04:59", "05:00", "05:00"},  {"run-all", "05:00", "05:00", "05:01"},
    };
    Zone *z = zone("UTC");
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTOFREE char *plan = xasprintf("{\"cron\": \"* * * * *\", \"missed\": \"%s\"}", rows[i].missed);
        AUTOFREE char *planned = xasprintf("2026-05-01T%s", rows[i].planned),
                      *ended = xasprintf("2026-05-01T%s", rows[i].ended);
        Task t = task_with(plan);
        t.planned_at = seconds(planned) * 1000;
        assert_true(recur_next(&t, z, seconds(ended) * 1000));
        AUTOFREE char *next = minute(t.run_at / 1000);
        if (!str_eq(next + 11, rows[i].next))
            fail_msg("%s from %s, ended %s: %s", rows[i].missed, rows[i].planned, rows[i].ended, next);
        wire_free(task_fields, &t);
    }
    zone_free(z);
}

/* Three hours without a coordinator, five schedules of each minute: 5, 0 and 900 runs. */
static void an_outage_of_three_hours(void **state)
{
    (void)state;
    static const struct {
        const char *missed;
        int runs;
    } rows[] = {{"run-once", 5}, {"skip", 0}, {"run-all", 900}};
    Zone *z = zone("UTC");
    int64_t down = seconds("2026-05-01T02:00") * 1000 - 1, up = seconds("2026-05-01T05:00") * 1000 - 1;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTOFREE char *plan = xasprintf("{\"cron\": \"* * * * *\", \"missed\": \"%s\"}", rows[i].missed);
        int runs = 0;
        for (int k = 0; k < 5; k++) {
            Task t = task_with(plan);
            assert_true(recur_first(&t, z, down + 1));
            if (recur_is_left_out(&t, down, up))
                assert_true(recur_next(&t, z, up));
            for (int64_t last = 0; t.run_at <= up; runs++) {
                assert_true(t.planned_at > last); /* in order */
                last = t.planned_at;
                assert_true(recur_next(&t, z, up)); /* runs of no length */
            }
            wire_free(task_fields, &t);
        }
        assert_int_equal(runs, rows[i].runs);
    }
    zone_free(z);
}

static void only_what_nobody_was_there_for_is_left_out(void **state)
{
    (void)state;
    Task t = task_with("{\"cron\": \"0 * * * *\", \"missed\": \"skip\"}");
    t.planned_at = 3600000;
    assert_true(recur_is_left_out(&t, 3000000, 7000000));
    assert_false(recur_is_left_out(&t, 3700000, 7000000)); /* it was there, and the slots were full */
    assert_false(recur_is_left_out(&t, 3000000, 3630000)); /* a restart */
    t.attempts = 1;
    assert_false(recur_is_left_out(&t, 3000000, 7000000)); /* it was tried, and is tried again */
    wire_free(task_fields, &t);
}

static void a_fixed_time_does_not_drift_by_attempts(void **state)
{
    (void)state;
    Task t = {
        .name = xstrdup("n"), .sleeptime_ms = 1000, .fixed_time = true, .run_at = 5400, .planned_at = 5000};
    assert_true(recur_next(&t, NULL, 5600));
    assert_int_equal(t.run_at, 6000);
    t = (Task){.name = t.name, .sleeptime_ms = 1000, .run_at = 5400};
    assert_true(recur_next(&t, NULL, 5600));
    assert_int_equal(t.run_at, 6600);
    wire_free(task_fields, &t);
}

static void jitter_and_backoff_stay_within_their_bounds(void **state)
{
    (void)state;
    bool early = false, late = false;
    for (int64_t i = 0; i < 1000; i++) {
        int64_t ms = cron_jitter((uint64_t)i, 86400, 60000);
        assert_in_range(ms, 0, 60000);
        assert_int_equal(ms, cron_jitter((uint64_t)i, 86400, 60000));
        early = early || ms < 10000;
        late = late || ms > 50000;
    }
    assert_true(early && late);
    assert_int_equal(cron_jitter(1, 2, 0), 0);
    static const struct {
        const char *plan;
        int64_t attempts, least, most;
    } rows[] = {{"{\"backoff_ms\": 30000}", 1, 15000, 30000},
                {"{\"backoff_ms\": 30000}", 2, 30000, 60000},
                {"{\"backoff_ms\": 30000}", 3, 60000, 120000},
                {"{\"backoff_ms\": 30000}", 8, 1800000, 3600000},
                {"{\"backoff_ms\": 30000}", 98, 1800000, 3600000},
                {"{\"backoff_most_ms\": 40000}", 1, 15000, 30000},
                {"{\"backoff_most_ms\": 40000}", 2, 20000, 40000},
                {"{}", 1, 30000, 30000}, /* without a word of it nothing is left to chance */
                {"{}", 2, 60000, 60000},
                {"{}", 8, 3840000, 3840000},
                {"{}", 98, 3840000, 3840000}};
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int task = 0; task < 50; task++) {
            Task t = task_with(rows[i].plan);
            free(t.name);
            t.name = xasprintf("task %d", task);
            t.attempts = rows[i].attempts;
            assert_in_range(recur_backoff_ms(&t), rows[i].least, rows[i].most);
            wire_free(task_fields, &t);
        }
}

static void a_night_is_forecast(void **state)
{
    (void)state;
    static const struct {
        const char *plan;
        int64_t sleeptime_ms, lasts_ms;
        const char *turns; /* hours:minutes of UTC from 23:00 of 24 October to 03:00 */
    } rows[] = {
        {"{\"cron\": \"30 2 * * *\", \"zone\": \"Europe/Zurich\"}", 0, 60000, "00:30"},
        {"{\"cron\": \"0 * * * *\"}", 0, 60000, "23:00 00:00 01:00 02:00"},
        {"{\"cron\": \"0 * * * *\"}", 0, 5400000, "23:00 01:00"}, /* it still runs at the hours between */
        {"{}", 5400000, 600000, "23:00 00:40 02:20"},
        {"{}", 0, 600000, "23:00"}};
    int64_t now = seconds("2026-10-24T23:00") * 1000, until = seconds("2026-10-25T03:00") * 1000, turns[10];
    Zone *z = zone("Europe/Zurich");
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(str_done) Str got = STR_INIT;
        Task t = task_with(rows[i].plan);
        t.sleeptime_ms = rows[i].sleeptime_ms;
        t.run_at = now;
        if (i == 0)
            assert_true(recur_first(&t, z, now));
        size_t n = recur_forecast(&t, z, now, until, rows[i].lasts_ms, turns, COUNT(turns));
        for (size_t k = 0; k < n; k++) {
            AUTOFREE char *text = minute(turns[k] / 1000);
            str_addf(&got, "%s%s", k ? " " : "", text + 11);
        }
        if (!str_eq(str_z(&got), rows[i].turns))
            fail_msg("%s: %s, not %s", rows[i].plan, str_z(&got), rows[i].turns);
        wire_free(task_fields, &t);
    }
    zone_free(z);
}

static void deadlines_are_told_once(void **state)
{
    (void)state;
    static const struct {
        DeadlineTask t;
        int64_t now;
        DeadlineNews first, second;
    } rows[] = {
        {{.planned_at = 1000, .start_by_ms = 500}, 1500, DEADLINE_NOTHING, DEADLINE_NOTHING},
        {{.planned_at = 1000, .start_by_ms = 500}, 1501, DEADLINE_NOT_STARTED, DEADLINE_NOTHING},
        {{.planned_at = 1000, .start_by_ms = 500, .started_at = 1400},
         1501,
         DEADLINE_NOTHING,
         DEADLINE_NOTHING},
        {{.planned_at = 1000, .start_by_ms = 500, .finish_by_ms = 700},
         1701,
         DEADLINE_NOT_STARTED,
         DEADLINE_NOT_ENDED},
        {{.planned_at = 1000, .finish_by_ms = 700, .started_at = 1100},
         1701,
         DEADLINE_NOT_ENDED,
         DEADLINE_NOTHING},
        {{.started_at = 1000, .usual_ms = 100000}, 301000, DEADLINE_NOTHING, DEADLINE_NOTHING},
        {{.started_at = 1000, .usual_ms = 100000}, 301001, DEADLINE_SLOW, DEADLINE_NOTHING},
        {{.started_at = 1000, .usual_ms = 10},
         61000,
         DEADLINE_NOTHING,
         DEADLINE_NOTHING}, /* too short to matter */
        {{.started_at = 1000}, 999999999, DEADLINE_NOTHING, DEADLINE_NOTHING},
        {{.planned_at = 1000, .start_by_ms = 500, .told = 1u << DEADLINE_NOT_STARTED},
         9999,
         DEADLINE_NOTHING,
         DEADLINE_NOTHING},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        DeadlineTask t = rows[i].t;
        if (deadline_look(&t, rows[i].now) != rows[i].first ||
            deadline_look(&t, rows[i].now) != rows[i].second)
            fail_msg("row %zu", i);
    }
}

static void what_jobs_usually_take(void **state)
{
    (void)state;
    JobRecords r = {0};
    assert_null(job_records_find(&r, "a"));
    job_records_add(&r, "a", 1000, 100, 7);
    job_records_add(&r, "a", 2000, 300, 8);
    job_records_add(&r, "b", 500, 10, 0);
    job_records_add(&r, "a", 1500, 200, 9); /* an older one that is told later */
    const JobRecord *a = job_records_find(&r, "a");
    assert_int_equal(a->mean_ms, 200);
    assert_int_equal(a->ended_at, 2000);
    assert_int_equal(a->lasted_ms, 300);
    assert_int_equal(a->bytes, 8);
    assert_int_equal(job_records_find(&r, "b")->n, 1);
    job_records_done(&r);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_those_of_the_database),
        cmocka_unit_test(what_is_no_zone_is_refused),
        cmocka_unit_test(lines_and_their_next_time),
        cmocka_unit_test(nights_on_which_the_clocks_change),
        cmocka_unit_test(the_next_time_does_not_depend_on_the_step),
        cmocka_unit_test(turns_that_were_missed),
        cmocka_unit_test(an_outage_of_three_hours),
        cmocka_unit_test(only_what_nobody_was_there_for_is_left_out),
        cmocka_unit_test(a_fixed_time_does_not_drift_by_attempts),
        cmocka_unit_test(a_night_is_forecast),
        cmocka_unit_test(deadlines_are_told_once),
        cmocka_unit_test(what_jobs_usually_take),
        cmocka_unit_test(jitter_and_backoff_stay_within_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
