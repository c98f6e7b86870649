/* SPDX-License-Identifier: Apache-2.0
 * The queue's decider: who sleeps, stops or wakes, for a higher priority, at the end of a window, for a
 * group.
 */
#include "plan_turn.h"

/* "9=sleep 4=start 2=wake", in the order of the decisions. */
static void expect_decisions(Slots *q, Cluster *c, int64_t slots, const char *expected)
{
    static const char *const words[] = {"start", "stop", "sleep", "wake", "requeue"};
    AUTO(str_done) Str got = STR_INIT;
    QueueDecisions d = {0};
    DecideInput in = {c->choose, c->n, {"db0", 0, 60000, true}, slots, NULL, now, 100};
    slots_job(q, "count", true, ROLE_REPLICA);
    assert_false(slots_advance(q, &now, 10000));
    decide(q, &in, &d);
    for (size_t i = 0; i < d.n; i++)
        str_addf(&got, "%s%d=%s", i ? " " : "", (int)d.v[i].id, words[d.v[i].kind]);
    decisions_done(&d);
    assert_string_equal(str_z(&got), expected);
}

static void expect_why(const Slots *q, int64_t id, const char *part)
{
    AUTOFREE char *why = slots_why(q, id, &now);
    if (!why || !strstr(why, part))
        fail_msg("task %d: %s, not %s", (int)id, why ? why : "waits for nothing", part);
}

static Wait on_primary(int64_t id, const char *name, int64_t priority)
{
    return WITH(WITH(task(id, name), on, ROLE_PRIMARY), priority, priority);
}

static void works(Slots *q, Wait w)
{
    w.active = true;
    put(q, &w);
    slots_phase(q, w.t.id, SLOT_WORKS, false);
}

static void a_lower_priority_sleeps_for_a_higher_and_is_woken(void **state)
{
    (void)state;
    Cluster c;
    Slots *q = slots_new();
    cluster(&c, "db0;db1");
    works(q, on_primary(1, "a", 0));
    works(q, on_primary(2, "b", 3));
    Wait high = on_primary(3, "c", 5), equal = on_primary(4, "d", 0), same = on_primary(5, "a", 9);
    put(q, &high);
    put(q, &equal);
    put(q, &same);
    expect_decisions(q, &c, 2, "1=sleep"); /* the lowest, once */
    expect_why(q, 3, "task 1 (priority 0) is put to sleep for it");
    expect_why(q, 4, "1 task that needs the same is before it, the first is task 3");
    expect_decisions(q, &c, 2, "");
    expect_why(q, 3, "makes room for it on the primary");
    slots_phase(q, 1, SLOT_SLEEPS, true);
    expect_decisions(q, &c, 2, "3=start");
    expect_why(q, 5, "task 1 of the same name \"a\" is under way"); /* asleep counts */
    expect_why(q, 1, "it sleeps for tasks of a higher priority");
    slots_end(q, 3);
    expect_decisions(q, &c, 2, "1=wake"); /* before one of its own priority starts */
    slots_phase(q, 1, SLOT_WORKS, false);
    slots_end(q, 2);
    expect_decisions(q, &c, 2, "4=start");
    slots_free(q);
}

static void who_may_not_sleep_is_left_alone(void **state)
{
    (void)state;
    static const struct {
        Preempt preempt;
        SlotPhase phase;
        int64_t priority; /* of the one that waits; the other has 1 */
        const char *decision;
    } rows[] = {
        {PREEMPT_NONE, SLOT_WORKS, 2, "1=sleep"}, {PREEMPT_NONE, SLOT_WORKS, 1, ""},
        {PREEMPT_NEVER, SLOT_WORKS, 200, ""},     {PREEMPT_REQUEUE, SLOT_WORKS, 2, "1=requeue"},
        {PREEMPT_NONE, SLOT_BUSY, 2, ""},         {PREEMPT_NONE, SLOT_DOZES, 2, ""},
        {PREEMPT_NONE, SLOT_STOPS, 2, ""},        {PREEMPT_NONE, SLOT_SLEEPS, 2, "2=start"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Cluster c;
        Slots *q = slots_new();
        cluster(&c, "db0;db1");
        works(q, WITH(on_primary(1, "a", 1), preempt, rows[i].preempt));
        slots_phase(q, 1, rows[i].phase, false);
        Wait w = on_primary(2, "b", rows[i].priority);
        put(q, &w);
        expect_decisions(q, &c, 1, rows[i].decision);
        slots_free(q);
    }
}

/* Who was put to sleep by a person is woken by one. */
static void a_persons_sleeper_is_not_woken(void **state)
{
    (void)state;
    Cluster c;
    Slots *q = slots_new();
    cluster(&c, "db0;db1");
    works(q, on_primary(1, "a", 0));
    slots_phase(q, 1, SLOT_SLEEPS, false);
    expect_decisions(q, &c, 1, "");
    slots_phase(q, 1, SLOT_SLEEPS, true);
    expect_decisions(q, &c, 1, "1=wake");
    slots_free(q);
}

static void a_replica_job_is_requeued_where_it_may_be(void **state)
{
    (void)state;
    static const struct {
        const char *nodes;
        Preempt preempt;
        int64_t priority;
        const char *host, *decision, *why;
    } rows[] = {
        {"db0;db1 taken=1.1", PREEMPT_REQUEUE, 5, NULL, "1=requeue", "task 1 (priority 0) is stopped for it"},
        {"db0;db1 taken=1.1", PREEMPT_NONE, 200, NULL, "", "db1 has run 1.1"},
        {"db0;db1 taken=1.1", PREEMPT_REQUEUE, 0, NULL, "", "db1 has run 1.1"},
        {"db0;db1 taken=1.1;db2", PREEMPT_REQUEUE, 5, NULL, "2=start", NULL},
        {"db0;db1 taken=1.1;db2", PREEMPT_REQUEUE, 5, "db1", "1=requeue", "is stopped for it"},
        {"db0;db1 taken=1.1;db2 down", PREEMPT_REQUEUE, 5, "db2", "", "db2 is down"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Cluster c;
        Slots *q = slots_new();
        cluster(&c, rows[i].nodes);
        works(q, WITH(task(1, "a"), preempt, rows[i].preempt));
        Wait w = WITH(WITH(task(2, "b"), priority, rows[i].priority), host, rows[i].host);
        put(q, &w);
        expect_decisions(q, &c, 1, rows[i].decision);
        if (rows[i].why)
            expect_why(q, 2, rows[i].why);
        slots_free(q);
    }
    Cluster c;
    Slots *q = slots_new();
    cluster(&c, "db0;db1 taken=1.1");
    works(q, WITH(task(1, "a"), preempt, PREEMPT_REQUEUE));
    slots_phase(q, 1, SLOT_STOPS, false); /* asked once */
    Wait w = WITH(task(2, "b"), priority, 5), next = WITH(WITH(task(3, "c"), priority, 4), host, "db1");
    put(q, &w);
    put(q, &next);
    expect_decisions(q, &c, 1, "");
    expect_why(q, 2, "task 1 is being stopped for it");
    expect_why(q, 3, "db1 has run 1.1");
    slots_free(q);
}

static void above_100_what_bears_the_name_is_stopped(void **state)
{
    (void)state;
    static const struct {
        Preempt preempt;
        SlotPhase phase;
        int64_t priority, waits; /* of the one that runs, and of the other */
        const char *decision;
    } rows[] = {
        {PREEMPT_NONE, SLOT_WORKS, 0, 101, "1=requeue"},  {PREEMPT_NONE, SLOT_WORKS, 0, 100, ""},
        {PREEMPT_NONE, SLOT_SLEEPS, 0, 101, "1=requeue"}, {PREEMPT_NEVER, SLOT_WORKS, 0, 200, ""},
        {PREEMPT_NONE, SLOT_WORKS, 200, 150, ""},         {PREEMPT_NONE, SLOT_STOPS, 0, 150, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Cluster c;
        Slots *q = slots_new();
        cluster(&c, "db0;db1 taken=1.1;db2");
        works(q, WITH(WITH(task(1, "a"), preempt, rows[i].preempt), priority, rows[i].priority));
        slots_phase(q, 1, rows[i].phase, false);
        Wait w = WITH(task(2, "a"), priority, rows[i].waits), up = active(upload(3, CRUN_UPLOADING));
        put(q, &up);
        put(q, &w);
        expect_decisions(q, &c, 1, rows[i].decision);
        expect_why(q, 2, "task 1 of the same name");
        slots_free(q);
    }
}

static void what_runs_at_the_end_of_its_window(void **state)
{
    (void)state;
    static const struct {
        const char *window; /* the turn is held on a Thursday */
        WindowEnd end;
        NodeRole on;
        SlotPhase phase;
        const char *decision;
    } rows[] = {
        {"Wed", WINDOW_END_SLEEP, ROLE_PRIMARY, SLOT_WORKS, "1=sleep"},
        {"Wed", WINDOW_END_STOP, ROLE_PRIMARY, SLOT_WORKS, "1=requeue"},
        {"Wed", WINDOW_END_STOP, ROLE_REPLICA, SLOT_WORKS, "1=requeue"},
        {"Wed", WINDOW_END_SLEEP, ROLE_REPLICA, SLOT_WORKS, ""},
        {"Wed", WINDOW_END_FINISH, ROLE_PRIMARY, SLOT_WORKS, ""},
        {"Wed", WINDOW_END_NONE, ROLE_PRIMARY, SLOT_WORKS, ""},
        {"Thu", WINDOW_END_STOP, ROLE_PRIMARY, SLOT_WORKS, ""},
        {"Wed", WINDOW_END_STOP, ROLE_PRIMARY, SLOT_BUSY, ""},
        {"Wed", WINDOW_END_SLEEP, ROLE_PRIMARY, SLOT_SLEEPS, ""},
        {"Thu", WINDOW_END_SLEEP, ROLE_PRIMARY, SLOT_SLEEPS, "1=wake"},
        {"Wed", WINDOW_END_NONE, ROLE_PRIMARY, SLOT_SLEEPS, "1=wake"}, /* slept for another */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Cluster c;
        Slots *q = slots_new();
        cluster(&c, "db0;db1 taken=1.1");
        works(q, WITH(WITH(WITH(task(1, "a"), on, rows[i].on), window, rows[i].window), window_end,
                      rows[i].end));
        slots_phase(q, 1, rows[i].phase, true);
        expect_decisions(q, &c, 1, rows[i].decision);
        if (rows[i].phase == SLOT_SLEEPS && !*rows[i].decision)
            expect_why(q, 1, "its window \"Wed\" opens in");
        slots_free(q);
    }
}

static void groups_keep_out_of_each_others_way(void **state)
{
    (void)state;
    static const struct {
        int runs, waits; /* what the two have: 0 nothing, 1 apart, 2 awake, 3 alone */
        SlotPhase phase;
        int64_t priority; /* of the one that waits; the other has 0 */
        const char *decision, *why;
    } rows[] = {
        {1, 1, SLOT_WORKS, 0, "", "task 1 (\"a\") of the same group is under way"},
        {1, 1, SLOT_SLEEPS, 50, "", "of the same group is under way"},
        {1, 2, SLOT_WORKS, 0, "2=start", NULL},
        {1, 0, SLOT_WORKS, 0, "2=start", NULL},
        {1, 1, SLOT_WORKS, 101, "1=requeue", "of the same group is under way"},
        {2, 2, SLOT_WORKS, 0, "", "task 1 (\"a\") of the same group is awake"},
        {2, 2, SLOT_WORKS, 5, "1=sleep", "task 1 (priority 0) is put to sleep for it"},
        {2, 2, SLOT_SLEEPS, 0, "2=start", NULL},
        {3, 0, SLOT_WORKS, 5, "", "task 1 (\"a\"), which runs alone, is under way"},
        {0, 3, SLOT_WORKS, 5, "", "it runs alone, and task 1 (\"a\") is under way"},
        {0, 3, SLOT_WORKS, 101, "1=requeue", "it runs alone"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Cluster c;
        Slots *q = slots_new();
        cluster(&c, "db0;db1");
        Wait pair[2] = {on_primary(1, "a", 0), WITH(task(2, "b"), priority, rows[i].priority)};
        for (int k = 0; k < 2; k++) {
            int has = k ? rows[i].waits : rows[i].runs;
            pair[k].t.apart = has == 1;
            pair[k].t.awake = has == 2;
            pair[k].t.alone = has == 3;
        }
        works(q, pair[0]);
        slots_phase(q, 1, rows[i].phase, false);
        put(q, &pair[1]);
        expect_decisions(q, &c, 1, rows[i].decision);
        if (rows[i].why)
            expect_why(q, 2, rows[i].why);
        slots_free(q);
    }
}

static void nothing_starts_before_one_that_runs_alone(void **state)
{
    (void)state;
    Cluster c;
    Slots *q = slots_new();
    cluster(&c, "db0;db1;db2");
    works(q, on_primary(1, "a", 0));
    Wait alone = WITH(WITH(task(2, "b"), alone, true), priority, 5), low = task(3, "c"),
         high = WITH(task(4, "d"), priority, 9), up = upload(5, CRUN_UPLOADING);
    put(q, &alone);
    put(q, &low);
    put(q, &high);
    put(q, &up);
    expect_decisions(q, &c, 1, "5=start 4=start"); /* what is before it may */
    expect_why(q, 3, "task 2, which runs alone, waits for the end of what runs");
    slots_end(q, 1);
    slots_end(q, 4);
    expect_decisions(q, &c, 1, "");
    expect_why(q, 2, "it runs alone, and upload 5");
    slots_end(q, 5);
    expect_decisions(q, &c, 1, "2=start");
    slots_end(q, 2);
    expect_decisions(q, &c, 1, "3=start");
    slots_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lower_priority_sleeps_for_a_higher_and_is_woken),
        cmocka_unit_test(who_may_not_sleep_is_left_alone),
        cmocka_unit_test(a_persons_sleeper_is_not_woken),
        cmocka_unit_test(a_replica_job_is_requeued_where_it_may_be),
        cmocka_unit_test(above_100_what_bears_the_name_is_stopped),
        cmocka_unit_test(what_runs_at_the_end_of_its_window),
        cmocka_unit_test(groups_keep_out_of_each_others_way),
        cmocka_unit_test(nothing_starts_before_one_that_runs_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
