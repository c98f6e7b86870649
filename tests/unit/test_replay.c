/* SPDX-License-Identifier: Apache-2.0
 * Catching up: when it is done, how fast it goes and how long it takes, and the search for the fastest way to
 * apply, which is played on model servers.
 */
#include "test.h"

#include "replica-agent/core/boost.h"
#include "replica-agent/core/catchup.h"

/* ---- done ----------------------------------------------------------------------------------------- */

typedef struct Step {
    int64_t at_ms, applied, received, primary; /* primary 0: not told */
    bool done;
} Step;

static bool sample(Catchup *c, const Step *s, bool connected)
{
    char applied[40], received[40], primary[40];
    snprintf(applied, sizeof applied, "0-1-%lld", (long long)s->applied);
    snprintf(received, sizeof received, "0-1-%lld", (long long)s->received);
    snprintf(primary, sizeof primary, "0-1-%lld", (long long)s->primary);
    return catchup_sample(c, &(CatchupReading){.now_ms = s->at_ms,
                                               .applied = applied,
                                               .received = received,
                                               .primary = s->primary ? primary : NULL,
                                               .primary_ms = s->at_ms,
                                               .connected = connected,
                                               .exec_file = "b.1",
                                               .backlog_bytes = -1});
}

static void play(const Step *steps, size_t n, bool connected)
{
    Catchup c = {0};
    catchup_start(&c, DB_MARIADB, "0-1-100", 0);
    for (size_t i = 0; i < n; i++)
        if (sample(&c, &steps[i], connected) != steps[i].done)
            fail_msg("step %zu, at %lld ms", i, (long long)steps[i].at_ms);
    catchup_done(&c);
}

static void alone_what_was_received_decides(void **state)
{
    (void)state;
    static const Step steps[] = {
        {100, 100, 1100, 0, false},   {1000, 300, 1100, 0, false},
        {5000, 1100, 1150, 0, false}, /* reached long after it was set: another is set */
        {5100, 1149, 1200, 0, false}, {5200, 1160, 1220, 0, false}, /* reached in time */
        {5400, 1230, 1240, 0, false},                               /* and again, but not for long enough */
        {5600, 1260, 1270, 0, true},
    };
    play(steps, COUNT(steps), true);
}

static void the_primarys_position_decides_where_it_is_told(void **state)
{
    (void)state;
    static const Step behind[] = {
        {100, 100, 100, 900, false}, /* all that was received is applied, and it was not all */
        {600, 200, 200, 900, false},
        {1000, 900, 900, 900, false},
        {1400, 900, 900, 900, true},
    };
    play(behind, COUNT(behind), true);
    static const Step cut_off[] = {
        {100, 100, 100, 900, false}, /* no connection: what it has is all that it will get */
        {500, 100, 100, 900, true},
    };
    play(cut_off, COUNT(cut_off), false);
}

/* The primary died with transactions that never left it. */
static void a_position_that_is_told_no_more_is_not_waited_for(void **state)
{
    (void)state;
    Catchup c = {0};
    CatchupReading r = {.applied = "0-1-100",
                        .received = "0-1-100",
                        .primary = "0-1-900",
                        .connected = true,
                        .exec_file = "b.1",
                        .backlog_bytes = -1};
    catchup_start(&c, DB_MARIADB, "0-1-100", 0);
    for (r.now_ms = 0; r.now_ms <= CATCHUP_FRESH_MS; r.now_ms += 200)
        assert_false(catchup_sample(&c, &r));
    bool done = false;
    for (; r.now_ms < 2 * CATCHUP_FRESH_MS && !done; r.now_ms += 200)
        done = catchup_sample(&c, &r);
    assert_true(done);
    catchup_done(&c);
    catchup_start(&c, DB_MARIADB, "0-1-100", 0);
    r.primary_ms = r.now_ms = 50;
    assert_false(catchup_sample(&c, &r));
    r.connected = false; /* the connection broke */
    r.now_ms = 100;
    assert_false(catchup_sample(&c, &r));
    r.now_ms = 500;
    assert_true(catchup_sample(&c, &r));
    catchup_done(&c);
}

static void lag_that_comes_back_begins_anew(void **state)
{
    (void)state;
    static const Step steps[] = {
        {100, 100, 100, 100, false},  {200, 100, 500, 500, false},  {1600, 400, 500, 500, false},
        {1700, 500, 500, 500, false}, {1800, 500, 500, 500, false}, {2000, 500, 500, 500, false},
        {2200, 500, 500, 500, true},
    };
    play(steps, COUNT(steps), true);
}

static void without_received_gtids_the_coordinates_decide(void **state)
{
    (void)state;
    Catchup c = {0};
    CatchupReading r = {
        .now_ms = 10, .applied = "0-1-100", .received = "", .exec_file = "b.1", .backlog_bytes = -1};
    catchup_start(&c, DB_MARIADB, "0-1-100", 0);
    assert_false(catchup_sample(&c, &r));
    r.coordinates_equal = true;
    assert_true(catchup_sample(&c, &r));
    catchup_done(&c);
}

/* ---- rate and time left --------------------------------------------------------------------------- */

static void assert_near(double value, double wanted, double share)
{
    if (value < wanted * (1 - share) || value > wanted * (1 + share))
        fail_msg("%g, not about %g", value, wanted);
}

static void eta_counts_what_arrives_meanwhile(void **state)
{
    (void)state;
    Catchup c = {0};
    catchup_start(&c, DB_MARIADB, "0-1-0", 0);
    (void)!sample(&c, &(Step){.applied = 0, .received = 1000}, true);
    (void)!sample(&c, &(Step){1000, 200, 1100, 0, false}, true); /* 200/s applied, 100/s arrive */
    assert_near(c.eta_s, 9, 0.02);
    assert_near(c.rate, 200, 0.01);
    assert_int_equal(c.backlog, 900);
    assert_int_equal(c.applied, 200);
    (void)!sample(&c, &(Step){2000, 250, 1400, 0, false}, true); /* it falls behind: no end in sight */
    assert_true(c.eta_s < 0);
    catchup_done(&c);
}

/* A backlog of transactions of one size, applied at a steady pace; from the first tenth on the time left must
 * be right. */
static void eta_of_a_steady_replay(void **state)
{
    (void)state;
    static const struct {
        int64_t trx, bytes, total_ms; /* bytes a transaction */
    } cases[] = {{50000, 600, 10000}, {16, 12000000, 40000}, {40, 5000000, 9000}, {3000000, 300, 3600000}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        Catchup c = {0};
        catchup_start(&c, DB_MARIADB, "0-1-0", 0);
        for (int64_t t = 0; t < cases[i].total_ms; t += 200) {
            int64_t done = cases[i].trx * t / cases[i].total_ms;
            char applied[40], received[40];
            snprintf(applied, sizeof applied, "0-1-%lld", (long long)done);
            snprintf(received, sizeof received, "0-1-%lld", (long long)cases[i].trx);
            (void)!catchup_sample(&c,
                                  &(CatchupReading){.now_ms = t,
                                                    .applied = applied,
                                                    .received = received,
                                                    .connected = true,
                                                    .exec_file = "b.1",
                                                    .exec_pos = done * cases[i].bytes,
                                                    .backlog_bytes = (cases[i].trx - done) * cases[i].bytes});
            int64_t left = cases[i].total_ms - t;
            bool fine = done >= 2 && t >= cases[i].total_ms / 10 && left > cases[i].total_ms / 10;
            if (fine)
                assert_near(c.eta_s * 1000, (double)left, 0.2);
        }
        catchup_done(&c);
    }
}

static void eta_forgets_a_cold_start(void **state)
{
    (void)state;
    Catchup c = {0};
    catchup_start(&c, DB_MARIADB, "0-1-0", 0);
    double done = 0;
    for (int64_t t = 0; t <= 6000; t += 200) { /* three seconds at half of the rate; 60 s in all */
        char applied[40];
        snprintf(applied, sizeof applied, "0-1-%lld", (long long)done);
        (void)!catchup_sample(&c, &(CatchupReading){.now_ms = t,
                                                    .applied = applied,
                                                    .received = "0-1-58500",
                                                    .connected = true,
                                                    .exec_file = "b.1",
                                                    .exec_pos = (int64_t)done * 600,
                                                    .backlog_bytes = (58500 - (int64_t)done) * 600});
        done += t < 3000 ? 100 : 200;
    }
    assert_near(c.eta_s, 54, 0.05);
    catchup_done(&c);
}

static void backlog_in_bytes(void **state)
{
    (void)state;
    static const struct {
        ReplStatus s;
        int64_t want;
    } cases[] = {
        {{.exec_file = (char *)"b.1", .read_file = (char *)"b.1", .exec_pos = 100, .read_pos = 400}, 300},
        {{.exec_file = (char *)"b.1", .read_file = (char *)"b.3", .relay_bytes = 9000, .relay_pos = 1000},
         8000},
        {{.exec_file = (char *)"b.1", .read_file = (char *)"b.2", .relay_bytes = 300, .relay_pos = 1000}, 0},
        {{.exec_file = (char *)""}, -1},
        {{0}, -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(catchup_backlog_bytes(&cases[i].s), cases[i].want);
}

static void lag(void **state)
{
    (void)state;
    Lag l = {.lag_ms = -1};
    lag_sample(&l, DB_MARIADB, "0-1-5", "0-1-5", 0, 0);
    assert_int_equal(l.lag_ms, 0);
    lag_sample(&l, DB_MARIADB, "0-1-5", "0-1-9", 200, 200);
    lag_sample(&l, DB_MARIADB, "0-1-6", "0-1-12", 400, 400);
    lag_sample(&l, DB_MARIADB, "0-1-6", "0-1-20", 3400, 3400);
    assert_int_equal(l.lag_ms, 3200);
    lag_sample(&l, DB_MARIADB, "0-1-20", "0-1-20", 3600, 3600);
    assert_int_equal(l.lag_ms, 0);
    lag_sample(&l, DB_MARIADB, "0-1-20", "", 3800, 3800);
    assert_int_equal(l.lag_ms, -1);
    lag_done(&l);
}

/* ---- settings ------------------------------------------------------------------------------------- */

static void settings_of_a_way(void **state)
{
    (void)state;
    static const struct {
        DbFlavor flavor;
        const char *own[5]; /* sync_binlog, flush_log, workers, parallel_mode, queue_bytes */
        size_t way;
        bool durable;
        const char *want[5];
    } cases[] = {
        {DB_MARIADB,
         {"1", "1", "0", "conservative", "131072"},
         3,
         false,
         {"0", "2", "4", "optimistic", "1048576"}},
        {DB_MARIADB,
         {"1", "1", "0", "optimistic", "131072"},
         1,
         false,
         {"0", "2", "0", "optimistic", "1048576"}},
        /* never less than its own */
        {DB_MARIADB,
         {"1", "1", "16", "minimal", "4194304"},
         0,
         false,
         {"0", "2", "16", "aggressive", "4194304"}},
        /* 0 is never set by us */
        {DB_MARIADB,
         {"0", "0", "0", "optimistic", "131072"},
         3,
         false,
         {"0", "0", "4", "optimistic", "1048576"}},
        {DB_MARIADB,
         {"1000", "2", "0", "optimistic", "131072"},
         2,
         false,
         {"0", "2", "4", "conservative", "1048576"}},
        {DB_MARIADB,
         {"1", "1", "0", "optimistic", "131072"},
         3,
         true,
         {"1", "1", "4", "optimistic", "1048576"}},
        {DB_MARIADB,
         {"100", "2", "0", "optimistic", "131072"},
         0,
         true,
         {"100", "2", "4", "aggressive", "1048576"}},
        {DB_MYSQL, {"1", "1", "2", "", "134217728"}, 0, false, {"0", "2", "4", "", "134217728"}},
        {DB_MYSQL, {"1", "1", "4", "", "134217728"}, 1, false, {"0", "2", "1", "", "134217728"}},
        {DB_MYSQL, {"1", "1", "4", "", "134217728"}, 0, true, {"1", "1", "4", "", "134217728"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *const *o = cases[i].own, *const *w = cases[i].want;
        const Flavor *f = flavor_of(cases[i].flavor);
        BoostWish wish = {4, 1 << 20, cases[i].durable};
        LeaseSettings own = {.sync_binlog = (char *)o[0],
                             .flush_log = (char *)o[1],
                             .workers = (char *)o[2],
                             .parallel_mode = (char *)o[3],
                             .queue_bytes = (char *)o[4]},
                      got = {0};
        boost_settings(f, &own, &wish, &f->ways[cases[i].way], &got);
        assert_string_equal(got.sync_binlog, w[0]);
        assert_string_equal(got.flush_log, w[1]);
        assert_string_equal(got.workers, w[2]);
        assert_string_equal(got.parallel_mode, w[3]);
        assert_string_equal(got.queue_bytes, w[4]);
        wire_free(lease_settings_fields, &got);
    }
}

enum { WORTH_MS = 10000 }; /* the agent's own */

/* ---- the search ----------------------------------------------------------------------------------- */

typedef struct Model {
    size_t ways, first;
    double rate[BOOST_WAYS]; /* transactions a second */
    double trx;              /* of the backlog */
} Model;

typedef struct Played {
    double seconds, best_s;
    size_t changes, last;
} Played;

/* Each change costs the applier a standstill, and what a transaction in progress has done. */
static Played replay(const Model *m)
{
    enum { LOOK_MS = 60, RESTART_MS = 80 };
    Boost b;
    Played p = {0};
    double done = 0, fastest = 0;
    int64_t now = 0, standstill = 0;
    boost_start(&b, m->ways, m->first, WORTH_MS, now);
    for (; done < m->trx && now < 100000000; now += LOOK_MS) {
        if (now >= standstill)
            done += m->rate[b.now] * LOOK_MS / 1000;
        double whole = (double)(int64_t)done;
        size_t before = b.now;
        if (boost_sample(&b, &(BoostReading){now, whole, m->trx - whole, (int64_t)whole}) != before) {
            p.changes++;
            done = whole;
            standstill = now + RESTART_MS;
            boost_changed(&b, standstill);
        }
    }
    for (size_t i = 0; i < m->ways; i++)
        fastest = m->rate[i] > fastest ? m->rate[i] : fastest;
    p.seconds = (double)now / 1000;
    p.best_s = m->trx / fastest;
    p.last = b.now;
    return p;
}

static void the_search_costs_less_than_a_fifth(void **state)
{
    (void)state;
    static const Model models[] = {
        {4, 0, {5500, 3100, 5200, 4000}, 50000}, /* parallel pays */
        {4, 0, {2000, 3100, 900, 2500}, 50000},  /* a hot row: one after the other is best */
        {4, 1, {5500, 3100, 5200, 4000}, 50000}, /* begun with the wrong one */
        {4, 0, {5900, 3400, 4300, 3400}, 50000}, /* nothing that could be found out pays for its trial */
        {4, 0, {1000, 1000, 1000, 1000}, 50000}, /* all alike */
        {4, 0, {1000, 6000, 1000, 1000}, 50000}, {2, 0, {900, 2500}, 50000},
        {4, 0, {500, 300, 800, 600}, 5000000},   {4, 0, {0.5, 0.5, 0.5, 0.5}, 16}, /* large transactions */
        {4, 3, {5000, 6000, 1000, 2000}, 4000}, /* hardly begun before it is over */
    };
    for (size_t i = 0; i < COUNT(models); i++) {
        Played p = replay(&models[i]);
        bool tiny = p.best_s < 2;
        if (p.seconds > p.best_s * (tiny ? 3.1 : 1.2))
            fail_msg("model %zu: %.1f s, the best way takes %.1f s (%zu changes)", i, p.seconds, p.best_s,
                     p.changes);
    }
}

static void large_transactions_are_never_stopped(void **state)
{
    (void)state;
    Played p = replay(&(Model){4, 2, {0.4, 4, 0.8, 2}, 40});
    assert_int_equal(p.changes, 0);
    assert_int_equal(p.last, 2);
}

static void nothing_is_tried_when_there_is_one_way_or_little_left(void **state)
{
    (void)state;
    assert_int_equal(replay(&(Model){1, 0, {1000}, 50000}).changes, 0);
    assert_int_equal(replay(&(Model){4, 0, {5000, 9000, 1, 1}, 40000}).changes, 0);
}

static void a_long_replay_is_compared_again(void **state)
{
    (void)state;
    Boost b;
    boost_start(&b, 2, 0, WORTH_MS, 0);
    b.state = BOOST_KEPT;
    b.rate[0] = 1000;
    double work = 0;
    size_t way = 0;
    int64_t now = 0;
    for (; now < 400000 && way == 0; now += 200, work += 200)
        way = boost_sample(&b, &(BoostReading){now, work, 10000000 - work, (int64_t)work});
    assert_int_equal(way, 1);
    assert_true(now > 290000 && now < 310000);
    assert_int_equal(b.state, BOOST_TRYING);
}

static void what_was_found_earlier_is_trusted_as_long_as_it_holds(void **state)
{
    (void)state;
    static const struct {
        double rate;
        bool tries;
    } cases[] = {{1000, false}, {600, false}, {400, true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        Boost b;
        boost_start(&b, 4, 2, WORTH_MS, 0);
        boost_trust(&b, 1000);
        double work = 0;
        size_t way = 2;
        for (int64_t now = 0; now < 20000 && way == 2; now += 200, work += cases[i].rate / 5)
            way = boost_sample(&b, &(BoostReading){now, work, 50000 - work, (int64_t)work});
        assert_int_equal(way != 2, cases[i].tries);
    }
}

static void what_was_found_is_remembered_by_size(void **state)
{
    (void)state;
    const Flavor *f = flavor_of(DB_MARIADB);
    BoostMemory m = {0};
    assert_int_equal(boost_first(&m, 5, f), 0);
    int64_t small = boost_class(600000, 1000), large = boost_class(1e9, 100);
    assert_true(large > small);
    boost_remember(&m, small, "aggressive", 1e6, 1);
    boost_remember(&m, large, "serial", 1e7, 2);
    boost_remember(&m, small, "conservative", 2e6, 3); /* replaces */
    assert_int_equal(m.found.n, 2);
    assert_string_equal(f->ways[boost_first(&m, small, f)].name, "conservative");
    assert_string_equal(f->ways[boost_first(&m, large + 3, f)].name, "serial");
    assert_true(boost_known_rate(&m, small, "conservative", 3) > 1.9e6);
    assert_true(boost_known_rate(&m, small, "conservative", 4) <= 0); /* too old */
    assert_true(boost_known_rate(&m, small, "serial", 0) <= 0);
    boost_remember(&m, small, "a way of another version", 2e6, 3);
    assert_int_equal(boost_first(&m, small, f), 0);
    wire_free(boost_memory_fields, &m);
}

static void the_time_left_is_that_of_the_fastest_way(void **state)
{
    (void)state;
    Boost b = {.n = 3, .state = BOOST_TRYING, .rate = {1000, 90}, .now = 1, .changed_ms = 1000};
    BoostReading r = {.now_ms = 1500, .work = 500, .left = 40000};
    assert_int_equal(boost_eta(&b, &r, 440), 40); /* not at the pace of a slower trial */
    assert_int_equal(boost_eta(&b, &r, 30), 30);
    b.state = BOOST_KEPT;
    b.now = 0;
    b.marked = true;
    b.mark.now_ms = 1400;
    assert_int_equal(boost_eta(&b, &r, 3), 40);
    r.now_ms = 5000;
    assert_int_equal(boost_eta(&b, &r, 35), 35); /* progress tells */
    Boost trusted = {.n = 3, .state = BOOST_KEPT, .expected = 2000};
    assert_int_equal(boost_eta(&trusted, &r, -1), 20);
    Boost none = {.n = 1, .state = BOOST_KEPT};
    assert_int_equal(boost_eta(&none, &r, 7), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_what_was_received_decides),
        cmocka_unit_test(the_primarys_position_decides_where_it_is_told),
        cmocka_unit_test(a_position_that_is_told_no_more_is_not_waited_for),
        cmocka_unit_test(lag_that_comes_back_begins_anew),
        cmocka_unit_test(without_received_gtids_the_coordinates_decide),
        cmocka_unit_test(eta_counts_what_arrives_meanwhile),
        cmocka_unit_test(eta_of_a_steady_replay),
        cmocka_unit_test(eta_forgets_a_cold_start),
        cmocka_unit_test(backlog_in_bytes),
        cmocka_unit_test(lag),
        cmocka_unit_test(settings_of_a_way),
        cmocka_unit_test(the_search_costs_less_than_a_fifth),
        cmocka_unit_test(large_transactions_are_never_stopped),
        cmocka_unit_test(nothing_is_tried_when_there_is_one_way_or_little_left),
        cmocka_unit_test(a_long_replay_is_compared_again),
        cmocka_unit_test(what_was_found_earlier_is_trusted_as_long_as_it_holds),
        cmocka_unit_test(what_was_found_is_remembered_by_size),
        cmocka_unit_test(the_time_left_is_that_of_the_fastest_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
