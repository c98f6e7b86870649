/* SPDX-License-Identifier: Apache-2.0
 * Rules of the queue that need a course of turns: concurrency keys, rates, the priorities of a sequence, node
 * lists, and windows by the clocks of a zone over both nights on which these are set.
 */
#include "test.h"

#include <time.h>

#include "common/file/fs.h"
#include "orchestrator/core/decide.h"
#include "orchestrator/core/queue_groups.h"
#include "orchestrator/core/rate.h"
#include "orchestrator/core/window.h"

enum { MOST_NODES = 3, MINUTE = 60000, HOUR = 60 * MINUTE };

static JobInfo job = {
    .name = (char *)"work", .kind = KIND_COMMAND, .on = ROLE_PRIMARY, .upload = (char *)"none"};

/* A queue on a primary with many slots, and a clock. */
typedef struct World {
    Slots *q;
    Node nodes[MOST_NODES];
    ChooseNode choose[MOST_NODES];
    size_t n;
    SlotTime now;
    QueueDecisions d;
} World;

static void open_world(World *w)
{
    static const char *const names[] = {"db0", "db1", "db2"};
    *w = (World){
        .q = slots_new(), .n = MOST_NODES, .now = {.wall_ms = INT64_C(1790000000000), .mono_ms = 1000}};
    for (size_t i = 0; i < w->n; i++) {
        Node *n = &w->nodes[i];
        *n = (Node){.name = (char *)names[i], .agent = {.node = (char *)names[i], .jobs = {&job, 1}}};
        n->agent.server = (ServerState){.up = true,
                                        .flavor = (char *)"mariadb",
                                        .version = (char *)"10.11.19-MariaDB",
                                        .is_replica = i > 0,
                                        .sql_running = i > 0,
                                        .io = RECEIVER_YES,
                                        .source_host = (char *)"h",
                                        .applied = (char *)"0-1-5"};
        w->choose[i] = (ChooseNode){.node = n};
    }
    slots_job(w->q, "work", true, ROLE_PRIMARY);
}

static void close_world(World *w)
{
    decisions_done(&w->d);
    slots_free(w->q);
}

static SlotTask task(const World *w, int64_t id, const char *name)
{
    return (SlotTask){.id = id,
                      .kind = KIND_COMMAND,
                      .name = name,
                      .job = "work",
                      .on = ROLE_PRIMARY,
                      .replicas = 1,
                      .run_at = w->now.wall_ms,
                      .submitted_at = w->now.wall_ms};
}

static void put(World *w, SlotTask t)
{
    slots_put(w->q, &t, &w->now);
}

/* The ids that start now, in their order, as a text. */
static const char *turn(World *w)
{
    static char text[256];
    *text = 0;
    do {
        DecideInput in = {w->choose, w->n, {"db0", 0, 60000, true}, 100, NULL, w->now, 100, 0};
        decisions_done(&w->d);
        assert_false(slots_advance(w->q, &w->now, 100000));
        decide(w->q, &in, &w->d);
        for (size_t i = 0; i < w->d.n; i++)
            if (w->d.v[i].kind == DECIDE_START)
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", *text ? " " : "",
                         (int)w->d.v[i].id);
    } while (w->d.more);
    return text;
}

static void pass(World *w, int64_t ms)
{
    w->now.wall_ms += ms;
    w->now.mono_ms += ms;
}

static void expect_why(const World *w, int64_t id, const char *part)
{
    AUTOFREE char *why = slots_why(w->q, id, &w->now);
    if (!why || !strstr(why, part))
        fail_msg("task %d: %s", (int)id, why ? why : "waits for nothing");
}

/* ---- concurrency keys ------------------------------------------------------------------------------- */

static SlotTask keyed(const World *w, int64_t id, const char *name, const char *key, SlotLimit limit)
{
    SlotTask t = task(w, id, name);
    t.key = key;
    t.limit = limit;
    return t;
}

static void a_key_stands_in_for_the_name(void **state)
{
    (void)state;
    World w;
    const SlotLimit two = {.at_once = 2}, one = {.at_once = 1};
    open_world(&w);
    put(&w, keyed(&w, 1, "sync", "api", two));
    put(&w, keyed(&w, 2, "sync", "api", two));
    put(&w, keyed(&w, 3, "other", "api", two));
    put(&w, keyed(&w, 4, "sync", "mail", one));
    put(&w, keyed(&w, 5, "sync", "mail", one));
    put(&w, task(&w, 6, "sync"));
    put(&w, task(&w, 7, "sync"));
    assert_string_equal(turn(&w), "1 4 6 2");
    expect_why(&w, 3, "2 tasks of its concurrency key \"api\" are under way, as many as may be (queue.keys)");
    expect_why(&w, 5, "task 4 of the same concurrency key \"mail\" is under way");
    expect_why(&w, 7, "task 6 of the same name \"sync\" is under way");
    slots_end(w.q, 4);
    slots_end(w.q, 2);
    assert_string_equal(turn(&w), "3 5");
    close_world(&w);
}

/* Ten that wait for one key, submitted in any order, behind one that has it. */
static void a_key_goes_to_its_waiters_in_order(void **state)
{
    (void)state;
    static const int64_t priorities[] = {4, 9, 1, 7, 10, 2, 8, 3, 6, 5};
    const SlotLimit one = {.at_once = 1};
    World w;
    open_world(&w);
    put(&w, keyed(&w, 100, "holder", "A", one));
    assert_string_equal(turn(&w), "100");
    for (size_t i = 0; i < COUNT(priorities); i++) {
        SlotTask t = keyed(&w, priorities[i], i % 2 ? "x" : "y", "A", one);
        t.priority = priorities[i];
        put(&w, t);
    }
    assert_string_equal(turn(&w), "");
    for (int64_t before = 100, next = 10; next >= 1; before = next--) {
        char expected[8];
        snprintf(expected, sizeof expected, "%d", (int)next);
        slots_end(w.q, before);
        assert_string_equal(turn(&w), expected);
    }
    close_world(&w);
}

static void a_key_starts_so_often_within_a_time(void **state)
{
    (void)state;
    const SlotLimit limit = {.at_once = 0, .starts = 3, .per_ms = MINUTE};
    World w;
    open_world(&w);
    for (int64_t id = 1; id <= 5; id++)
        put(&w, keyed(&w, id, "call", "api", limit));
    assert_string_equal(turn(&w), "1 2 3");
    expect_why(&w, 4,
               "its concurrency key \"api\" has had its starts (queue.keys), the next may be in 60.0 s");
    assert_int_equal(slots_next_ms(w.q), w.now.mono_ms + MINUTE);
    slots_end(w.q, 1);
    pass(&w, MINUTE - 1);
    assert_string_equal(turn(&w), "");
    pass(&w, 1);
    assert_string_equal(turn(&w), "4 5");
    for (int64_t id = 2; id <= 5; id++)
        slots_end(w.q, id);
    /* Nobody bears the key: its starts count all the same. */
    slots_round(w.q);
    put(&w, keyed(&w, 6, "call", "api", limit));
    put(&w, keyed(&w, 7, "call", "api", limit));
    assert_string_equal(turn(&w), "6");
    close_world(&w);
}

static void starts_before_a_restart_count(void **state)
{
    (void)state;
    const SlotLimit limit = {.at_once = 0, .starts = 2, .per_ms = HOUR};
    World w;
    open_world(&w);
    slots_started(w.q, "api", &limit, w.now.mono_ms - 10 * MINUTE);
    slots_started(w.q, "api", &limit, w.now.mono_ms - 50 * MINUTE);
    slots_started(w.q, "api", &limit, w.now.mono_ms - 3 * HOUR);
    put(&w, keyed(&w, 1, "call", "api", limit));
    assert_string_equal(turn(&w), "");
    assert_int_equal(slots_next_ms(w.q), w.now.mono_ms + 10 * MINUTE);
    pass(&w, 10 * MINUTE);
    assert_string_equal(turn(&w), "1");
    close_world(&w);
}

static void a_rate_counts_any_span_of_its_time(void **state)
{
    (void)state;
    Rate *r = rate_new(2, 100);
    assert_int_equal(rate_wait_ms(r, 0), 0);
    rate_note(r, 10);
    assert_int_equal(rate_wait_ms(r, 10), 0);
    rate_note(r, 5); /* told late */
    assert_int_equal(rate_wait_ms(r, 20), 85);
    assert_int_equal(rate_wait_ms(r, 105), 0);
    rate_note(r, 1); /* older than what is kept */
    assert_int_equal(rate_wait_ms(r, 20), 85);
    rate_note(r, 105);
    assert_int_equal(rate_wait_ms(r, 105), 5);
    assert_false(rate_is_idle(r, 204));
    assert_true(rate_is_idle(r, 205));
    rate_free(r);
}

static void a_key_has_the_line_that_fits_first(void **state)
{
    (void)state;
    QueueKey lines[2] = {{.at_once = 3, .starts = 10, .per_ms = MINUTE}, {.at_once = 5}};
    strlist_add(&lines[0].names, "api");
    strlist_add(&lines[1].names, "a*");
    ConfList keys = {lines, COUNT(lines)};
    assert_int_equal(queue_key_of(&keys, "api:users").at_once, 3);
    assert_int_equal(queue_key_of(&keys, "apis").at_once, 5);
    assert_int_equal(queue_key_of(&keys, "mail").at_once, 1);
    assert_int_equal(queue_key_of(&keys, "mail").starts, 0);
    for (size_t i = 0; i < COUNT(lines); i++)
        strlist_done(&lines[i].names);
}

/* ---- sequences -------------------------------------------------------------------------------------- */

static SlotTask member(const World *w, int64_t id, const char *name, int64_t sequence, int64_t priority)
{
    SlotTask t = task(w, id, name);
    t.sequence_id = sequence;
    t.priority = priority;
    return t;
}

static void a_sequence_has_its_greatest_priority(void **state)
{
    (void)state;
    World w;
    open_world(&w);
    put(&w, member(&w, 1, "holder", 0, 0));
    assert_string_equal(turn(&w), "1");
    put(&w, member(&w, 2, "holder", 0, 5));
    put(&w, member(&w, 3, "holder", 7, 1));
    assert_string_equal(turn(&w), "");
    put(&w, member(&w, 4, "last", 7, 9)); /* waits for 3, which so goes before 2 */
    slots_end(w.q, 1);
    assert_string_equal(turn(&w), "3");
    put(&w, member(&w, 5, "holder", 7, 0));
    slots_end(w.q, 3);
    assert_string_equal(turn(&w), "4 2");
    slots_end(w.q, 4); /* the greatest is gone: 5 has its own again */
    put(&w, member(&w, 6, "holder", 0, 1));
    assert_string_equal(turn(&w), "");
    slots_end(w.q, 2);
    assert_string_equal(turn(&w), "6");
    close_world(&w);
}

static void one_for_a_person_is_not_raised(void **state)
{
    (void)state;
    World w;
    open_world(&w);
    put(&w, member(&w, 1, "a", 7, -20));
    put(&w, member(&w, 2, "b", 7, 5));
    put(&w, member(&w, 3, "c", 8, 0));
    assert_string_equal(turn(&w), "3");
    expect_why(&w, 1, "its priority -20 is below -10: it starts only by hand");
    close_world(&w);
}

/* ---- node lists ------------------------------------------------------------------------------------- */

static void a_node_takes_what_its_list_says(void **state)
{
    (void)state;
    World w;
    AUTO(strlist_done) StrList dumps = STRLIST_INIT, works = STRLIST_INIT;
    strlist_add(&dumps, "dump");
    strlist_add(&works, "wor*");
    open_world(&w);
    w.choose[0].jobs = &dumps;
    w.choose[1].jobs = &dumps;
    w.choose[2].jobs = &works;
    put(&w, task(&w, 1, "a"));
    SlotTask t = task(&w, 2, "b");
    t.on = ROLE_REPLICA;
    put(&w, t);
    t.id = 3;
    t.name = "c";
    t.host = "db1";
    put(&w, t);
    assert_string_equal(turn(&w), "2");
    assert_string_equal(w.d.v[0].nodes.v[0], "db2");
    expect_why(&w, 1, "the primary db0 does not take job \"work\" (agents.jobs)");
    expect_why(&w, 3, "db1 does not take job \"work\" (agents.jobs)");
    close_world(&w);
}

/* ---- windows by the clocks of a zone ---------------------------------------------------------------- */

static Zone *read_zone(const char *name)
{
    Err err;
    Zone *z;
    AUTO(str_done) Str bytes = STR_INIT;
    AUTOFREE char *path = xasprintf("/usr/share/zoneinfo/%s", name);
    assert_ok(fs_read(path, 1 << 17, &bytes, &err), err);
    assert_ok(zone_parse(str_z(&bytes), bytes.len, &z, &err), err);
    return z;
}

/* "2026-03-29 00:30", UTC. */
static int64_t at(const char *text)
{
    struct tm tm = {0};
    assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &tm));
    return (int64_t)timegm(&tm) * 1000;
}

static void windows_follow_the_clocks_of_a_zone(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *window, *now, *opens; /* UTC */
    } rows[] = {
        {"Europe/Zurich", "22:00-03:00", "2026-07-01 19:59", "2026-07-01 20:00"},
        {"Europe/Zurich", "22:00-03:00", "2026-12-01 20:59", "2026-12-01 21:00"},
        {"America/New_York", "22:00-03:00", "2026-07-01 12:00", "2026-07-02 02:00"},
        {"Asia/Kolkata", "06:00-07:00", "2026-07-01 00:00", "2026-07-01 00:30"},
        {"Pacific/Auckland", "Sunday 01:00-05:00", "2026-07-04 12:59", "2026-07-04 13:00"},
        /* 29 March: 02:00 is 03:00. Seen from the day before, the window opens an hour sooner. */
        {"Europe/Zurich", "Sunday 04:00-05:00", "2026-03-28 12:00", "2026-03-29 02:00"},
        {"Europe/Zurich", "01:30-02:30", "2026-03-29 00:59", "2026-03-29 00:59"},
        {"Europe/Zurich", "01:30-02:30", "2026-03-29 01:00", "2026-03-29 23:30"},
        {"Europe/Zurich", "02:15-02:45", "2026-03-28 12:00", "2026-03-30 00:15"}, /* not on that day */
        {"Europe/Zurich", "02:30-03:30", "2026-03-28 12:00", "2026-03-29 01:00"},
        /* 25 October: 03:00 is 02:00 again. */
        {"Europe/Zurich", "Sunday 04:00-05:00", "2026-10-24 12:00", "2026-10-25 03:00"},
        {"Europe/Zurich", "02:15-02:45", "2026-10-25 00:20", "2026-10-25 00:20"},
        {"Europe/Zurich", "02:15-02:45", "2026-10-25 00:45", "2026-10-25 01:15"},
        {"Europe/Zurich", "02:15-02:45", "2026-10-25 01:45", "2026-10-26 01:15"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        WindowSet w;
        Err err;
        Zone *z = read_zone(rows[i].zone);
        assert_ok(window_parse(rows[i].window, &w, &err), err);
        int64_t now = at(rows[i].now), wait = window_wait_ms(&w, z, now);
        if (now + wait != at(rows[i].opens))
            fail_msg("%s in %s at %s: opens in %lld min", rows[i].window, rows[i].zone, rows[i].now,
                     (long long)wait / MINUTE);
        assert_int_equal(window_wait_ms(&w, z, now + 30000), wait > 30000 ? wait - 30000 : 0);
        zone_free(z);
    }
}

/* A night, minute by minute: the local times at which the one task with that window starts, which ends at
 * once and is there again. */
static char *starts_of_a_night(const char *window, const char *from, int hours)
{
    World w;
    AUTO(str_done) Str text = STR_INIT;
    Zone *z = read_zone("Europe/Zurich");
    open_world(&w);
    w.now = (SlotTime){at(from), 1000};
    bool was_in = false;
    for (int minute = 0; minute < hours * 60; minute++, pass(&w, MINUTE)) {
        SlotTask t = task(&w, 1, "a");
        t.window = window;
        t.zone = z;
        put(&w, t);
        bool is_in = *turn(&w);
        if (is_in != was_in) {
            int64_t local = w.now.wall_ms / 1000 + zone_span(z, w.now.wall_ms / 1000).offset;
            str_addf(&text, "%s%s%02d:%02d", text.len ? " " : "", is_in ? "" : "-", (int)(local / 3600 % 24),
                     (int)(local / 60 % 60));
        }
        was_in = is_in;
        slots_end(w.q, 1);
    }
    close_world(&w);
    zone_free(z);
    return str_take(&text);
}

static void a_day_over_each_night_on_which_clocks_are_set(void **state)
{
    (void)state;
    static const struct {
        const char *window, *spring, *autumn;
    } rows[] = {
        {"22:00-03:00", "22:00 -03:00", "22:00 -03:00"},
        {"01:00-02:30", "01:00 -03:00", "01:00 -02:30 02:00 -02:30"},
        {"02:15-02:45", "", "02:15 -02:45 02:15 -02:45"},
        {"03:00-04:00", "03:00 -04:00", "03:00 -04:00"},
        {"Sun", "00:00", "00:00"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTOFREE char *spring = starts_of_a_night(rows[i].window, "2026-03-28 20:00", 20);
        AUTOFREE char *autumn = starts_of_a_night(rows[i].window, "2026-10-24 19:00", 20);
        if (strcmp(spring, rows[i].spring) != 0 || strcmp(autumn, rows[i].autumn) != 0)
            fail_msg("%s: \"%s\" and \"%s\"", rows[i].window, spring, autumn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_stands_in_for_the_name),
        cmocka_unit_test(a_key_goes_to_its_waiters_in_order),
        cmocka_unit_test(a_key_starts_so_often_within_a_time),
        cmocka_unit_test(starts_before_a_restart_count),
        cmocka_unit_test(a_rate_counts_any_span_of_its_time),
        cmocka_unit_test(a_key_has_the_line_that_fits_first),
        cmocka_unit_test(a_sequence_has_its_greatest_priority),
        cmocka_unit_test(one_for_a_person_is_not_raised),
        cmocka_unit_test(a_node_takes_what_its_list_says),
        cmocka_unit_test(windows_follow_the_clocks_of_a_zone),
        cmocka_unit_test(a_day_over_each_night_on_which_clocks_are_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
