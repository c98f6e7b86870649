/* SPDX-License-Identifier: Apache-2.0
 * The queue's decider: which replicas a task gets, one or several, and why it gets none.
 */
#include "plan_turn.h"

static void replicas_are_chosen(void **state)
{
    (void)state;
    static const struct {
        const char *nodes;
        int64_t wanted, min_serving;
        const char *job, *chosen; /* chosen NULL: refused with `reason` in it */
        const char *reason;
    } rows[] = {
        {"db0;db1;db2", 1, 0, "dump", "db1", NULL},
        {"db0;db1 lag=5;db2", 1, 0, "dump", "db2", NULL},
        {"db0;db1 lag=70000;db2 paused", 1, 0, "dump", NULL,
         "no replica is free: db1 lags 70.0 s (limit 60.0 s); db2 is paused (by hand)"},
        {"db0;db1 taken=4.1;db2", 1, 0, "dump", "db2", NULL},
        {"db0;db1 taken=4.1", 1, 0, "dump", NULL, "db1 has run 4.1"},
        {"db0;db1 stopped;db2 down;db3 unreachable", 1, 0, "dump", NULL,
         "db1 is stopped; db2 is down; db3 is unreachable"},
        {"db0;db1 jobless;db2", 1, 0, "count", "db2", NULL},
        {"db0;db1 jobless", 1, 0, "count", NULL, "db1 has no job \"count\""},
        {"db0;db1;db2", 1, 1, "dump", "db1", NULL},
        {"db0;db1;db2 paused", 1, 1, "dump", NULL, "min_serving = 1"},
        {"db0;db1;db2", 2, 1, "dump", NULL, "min_serving = 1"},
        {"db0;db1;db2", 2, 0, "dump", "db1,db2", NULL},
        {"db0;db1;db2", 3, 0, "dump", NULL, "2 of 3 replicas are free"},
        {"db0;db1;db2 other;db3", 2, 0, "dump", "db1,db3", NULL},
        {"db0;db1;db2 other", 2, 0, "dump", NULL, "db2 replicates from another server than db1"},
        {"db0;db1;db2 old", 2, 0, "dump", NULL, "db2 runs 10.6.1-MariaDB, db1 runs 10.11.19-MariaDB"},
        {"db0;db1;db2 domains", 2, 0, "dump", NULL, "several GTID domains"},
        {"db0;db2 domains", 1, 0, "dump", "db2", NULL},
        {"db0;db1 mysql;db2", 1, 0, "dump", "db2", NULL},
        {"db0;db1 mysql", 1, 0, "dump", NULL,
         "db1 runs mysql 10.11.19-MariaDB and the primary db0 mariadb 10.11.19-MariaDB: their GTIDs mean "
         "nothing to each other"},
        {"db0", 1, 0, "dump", NULL, "no replica is free: there is none"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Cluster c;
        cluster(&c, rows[i].nodes);
        ChooseWish wish = {rows[i].job, NULL, rows[i].wanted};
        ChooseRules rules = {"db0", rows[i].min_serving, 60000, true};
        AUTO(strlist_done) StrList chosen = STRLIST_INIT;
        AUTO(str_done) Str text = STR_INIT;
        Err err = {0};
        bool ok = choose_replicas(c.choose, c.n, &wish, &rules, &chosen, &err);
        for (size_t k = 0; k < chosen.n; k++)
            str_addf(&text, "%s%s", k ? "," : "", chosen.v[k]);
        if (ok != (rows[i].chosen != NULL) || (ok && strcmp(str_z(&text), rows[i].chosen) != 0) ||
            (!ok && !strstr(err.text, rows[i].reason)))
            fail_msg("row %zu: %s: %s%s", i, rows[i].nodes, str_z(&text), err.text);
    }
}

static void one_that_catches_up_is_free_for_the_next_if_told_so(void **state)
{
    (void)state;
    static const struct {
        const char *nodes;
        int64_t wanted, min_serving;
        const char *chosen; /* NULL: refused */
    } rows[] = {
        {"db0;db1 catching lag=90000", 1, 0, "db1"},
        {"db0;db1 catching;db2", 1, 0, "db2"}, /* one that serves comes first */
        {"db0;db1 catching by hand", 1, 0, NULL},
        {"db0;db1 catching down", 1, 0, NULL},
        {"db0;db1 catching unreachable", 1, 0, NULL},
        {"db0;db1 catching taken=9.1", 1, 0, NULL},
        {"db0;db1 catching;db2", 2, 0, NULL},
        {"db0;db1 catching;db2 paused", 1, 1, "db1"}, /* it did not serve anyway */
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int between = 0; between < 2; between++) {
            Cluster c;
            Err err;
            cluster(&c, rows[i].nodes);
            ChooseWish wish = {"dump", NULL, rows[i].wanted};
            ChooseRules rules = {"db0", rows[i].min_serving, 60000, between};
            AUTO(strlist_done) StrList chosen = STRLIST_INIT;
            bool ok = choose_replicas(c.choose, c.n, &wish, &rules, &chosen, &err);
            bool db2 = rows[i].chosen && strcmp(rows[i].chosen, "db2") == 0;
            assert_int_equal(ok, rows[i].chosen != NULL && (!between || db2));
            if (ok)
                assert_string_equal(chosen.v[0], rows[i].chosen);
        }
}

static void unknown_jobs_are_told_with_the_nearest(void **state)
{
    (void)state;
    Cluster c;
    cluster(&c, "db0;db1");
    const Node *nodes[] = {&c.nodes[0], &c.nodes[1]};
    Err err;
    assert_false(choose_unknown_job(nodes, 2, "dumb", &err));
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_string_equal(err.text,
                        "no agent knows a job \"dumb\" (did you mean \"dump\"?); known: dump, count");
    assert_int_equal(choose_job(nodes, 2, "count")->kind, KIND_COMMAND);
    assert_null(choose_job(nodes, 2, "dumb"));
}

static void nothing_starts_on_a_cordoned_node(void **state)
{
    (void)state;
    QueueBrake cordon = {
        .kind = BRAKE_NODE, .name = (char *)"db1", .by = (char *)"ann", .reason = (char *)"disks"};
    for (int which = 0; which < 2; which++) {
        Cluster c;
        QueueDecisions d = {0};
        Slots *q = slots_new();
        cluster(&c, "db0;db1");
        c.choose[which].cordon = &cordon;
        Wait w = WITH(task(1, "a"), on, which ? ROLE_REPLICA : ROLE_PRIMARY);
        put(q, &w);
        turn(q, &c, NULL, &d);
        assert_int_equal(d.n, 0);
        AUTOFREE char *why = slots_why(q, 1, &now);
        assert_non_null(strstr(why, "is cordoned since 1970-01-01T00:00:00.000Z by ann (disks)"));
        decisions_done(&d);
        slots_free(q);
    }
}

static void several_replicas_start_together_or_not(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1;db2", {WITH(task(1, "a"), replicas, 2), "db1", NULL},
                {task(2, "b"), NULL, "no replica"});
    EXPECT_TURN("db0;db1;db2 paused",
                {WITH(task(1, "a"), replicas, 2), NULL, "1 of 2 replicas are free: db2 is paused"},
                {task(2, "b"), "db1", NULL});
}

static void a_wide_task_keeps_what_it_waits_for(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1;db2 taken=9.1", {WITH(task(1, "a"), replicas, 2), NULL, "db2 has run 9.1"},
                {task(2, "b"), NULL, "db1 is kept for task 1, which waits for more replicas"});
    /* One that is down does not come back by itself. */
    EXPECT_TURN("db0;db1;db2 down", {WITH(task(1, "a"), replicas, 2), NULL, "db2 is down"},
                {task(2, "b"), "db1", NULL});
}

static void an_unknown_job_waits_for_an_agent_that_knows_it(void **state)
{
    (void)state;
    Slots *q = slots_new();
    Wait w = WITH(WITH(task(1, "a"), job, "other"), on, ROLE_NONE);
    put(q, &w);
    slots_advance(q, &now, 100);
    AUTOFREE char *why = slots_why(q, 1, &now);
    assert_string_equal(why, "no agent that is reached now knows a job \"other\"");
    slots_job(q, "other", true, ROLE_PRIMARY);
    Cluster c;
    QueueDecisions d = {0};
    cluster(&c, "db0;db1");
    turn(q, &c, NULL, &d);
    AUTOFREE char *then = slots_why(q, 1, &now);
    assert_string_equal(then, "the primary db0 has no job \"other\"");
    decisions_done(&d);
    slots_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_are_chosen),
        cmocka_unit_test(one_that_catches_up_is_free_for_the_next_if_told_so),
        cmocka_unit_test(unknown_jobs_are_told_with_the_nearest),
        cmocka_unit_test(nothing_starts_on_a_cordoned_node),
        cmocka_unit_test(several_replicas_start_together_or_not),
        cmocka_unit_test(a_wide_task_keeps_what_it_waits_for),
        cmocka_unit_test(an_unknown_job_waits_for_an_agent_that_knows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
