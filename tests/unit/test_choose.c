/* SPDX-License-Identifier: Apache-2.0
 * Which nodes a wish gets, one rule at a time. Stories of whole queues are test_plan_replicas.c's.
 */
#include "orchestrator/core/choose.h"

#include "serving_node.h"
#include "test.h"

enum { NODES = 4, LAG_MOST = 60000 };
static JobInfo jobs[] = {{.name = (char *)"dump", .kind = KIND_DUMP, .on = ROLE_REPLICA}};
static Node nodes[NODES];
static ChooseNode choose[NODES];
static ChooseRules rules;
static QueueBrake brake;

/* db0 is the primary, the others serve. */
static void build(void)
{
    static const char *const names[NODES] = {"db0", "db1", "db2", "db3"};
    rules = (ChooseRules){"db0", 0, LAG_MOST, true};
    for (int i = 0; i < NODES; i++) {
        nodes[i] = serving_node(names[i], i > 0, jobs, COUNT(jobs));
        choose[i] = (ChooseNode){.node = &nodes[i]};
    }
}

/* What is chosen, with commas; or "no: " and why. */
static void expect(const ChooseWish *wish, const char *expected)
{
    Err err;
    AUTO(strlist_done) StrList chosen = STRLIST_INIT;
    bool ok = choose_replicas(choose, NODES, wish, &rules, &chosen, &err);
    AUTOFREE char *all = strlist_join(&chosen, ",");
    AUTOFREE char *said = ok ? xstrdup(all) : xasprintf("no: %s", err.text);
    if (!strstr(said, expected))
        fail_msg("\"%s\" lacks \"%s\"", said, expected);
    build();
}

static void the_best_come_first(void **state)
{
    (void)state;
    const ChooseWish one = {"dump", NULL, 1}, none = {"dump", NULL, 0}, two = {"dump", NULL, 2};
    build();
    expect(&one, "db1");
    expect(&none, "db1"); /* said of no number */
    nodes[2].agent.spool_free_bytes = 2000;
    expect(&one, "db2");
    nodes[3].agent.spool_free_bytes = 2000;
    expect(&two, "db3,db1");
    nodes[1].lag_trx = 1;
    nodes[3].lag_trx = 2;
    expect(&two, "db2,db1");
    nodes[1].lag_ms = nodes[2].lag_ms = LAG_MOST;
    nodes[3].lag_ms = LAG_MOST + 1;
    expect(&two, "db1,db2");
}

/* Stopped at one GTID: one family of versions, one domain. */
static void several_must_fit(void **state)
{
    (void)state;
    const ChooseWish two = {"dump", NULL, 2};
    build();
    nodes[1].agent.server.version = (char *)"10.5.1-MariaDB";
    nodes[2].agent.server.version = (char *)"10.6.1-MariaDB";
    nodes[3].agent.server.version = (char *)"10.5.9-MariaDB";
    expect(&two, "db1,db3");
    nodes[1].agent.server.version = nodes[2].agent.server.version = (char *)"unknown";
    expect(&two, "db1,db2");
    nodes[2].agent.server.applied = (char *)"no position";
    expect(&two, "db1,db3");
    for (int i = 0; i < NODES; i++) {
        nodes[i].agent.server.flavor = (char *)"another";
        nodes[i].agent.server.applied = (char *)"0-1-5,1-1-5";
    }
    expect(&two, "db1,db2");
    nodes[2].agent.server.flavor = NULL;
    expect(&two, "db1,db3");
}

static void all_that_can_be_spared(void **state)
{
    (void)state;
    const ChooseWish all = {"dump", NULL, REPLICAS_ALL};
    build();
    expect(&all, "db1,db2,db3");
    rules.min_serving = 1;
    expect(&all, "db1,db2");
    rules.min_serving = 2;
    choose[2].taken_by = "4.1";
    expect(&all, "no: 2 replicas serve and min_serving = 2");
    rules.min_serving = 1;
    choose[1].kept_for = 7;
    expect(&all, "db2,db3");
}

static void on_one_node_only(void **state)
{
    (void)state;
    Err err;
    const ChooseWish bound = {"dump", "db2", 1}, primary = {"dump", "db0", 1}, any = {"dump", NULL, 1};
    const ChooseWish no_job = {NULL, NULL, 1};
    AUTO(strlist_done) StrList chosen = STRLIST_INIT, taken = STRLIST_INIT;
    build();
    expect(&bound, "db2");
    expect(&primary, "no: no replica is free: db0, to which it is bound, is the primary");
    assert_true(choose_primary(choose, NODES, &primary, &rules, &chosen, &err));
    assert_true(choose_primary(choose, NODES, &any, &rules, &chosen, &err));
    assert_int_equal(chosen.n, 2);
    assert_false(choose_primary(choose, NODES, &bound, &rules, &chosen, &err));
    assert_non_null(strstr(err.text, "it is bound to db2, and the primary is db0"));
    choose[0].jobs = &taken; /* an empty list: all */
    assert_true(choose_primary(choose, NODES, &any, &rules, &chosen, &err));
    strlist_add(&taken, "index");
    assert_false(choose_primary(choose, NODES, &any, &rules, &chosen, &err));
    assert_true(choose_primary(choose, NODES, &no_job, &rules, &chosen, &err));
    strlist_add(&taken, "dump");
    assert_true(choose_primary(choose, NODES, &any, &rules, &chosen, &err));
    rules.primary = NULL;
    assert_int_equal(choose_serving(choose, NODES, &rules), 0);
    rules.primary = "db0";
    assert_int_equal(choose_serving(choose, NODES, &rules), 3);
    assert_int_equal(choose_serving(choose, 2, &rules), 1);
}

static void a_cordon_says_whose_it_is(void **state)
{
    (void)state;
    const ChooseWish bound = {"dump", "db1", 1};
    static const struct {
        const char *by, *reason, *said;
    } rows[] = {{"dba", "disk", "by dba (disk): siding replica uncordon db1"},
                {"dba", NULL, "by dba: siding replica uncordon db1"},
                {"dba", "", "by dba: siding replica uncordon db1"},
                {"", "disk", "by somebody (disk): siding"},
                {NULL, NULL, "by somebody: siding"}};
    build();
    for (size_t i = 0; i < COUNT(rows); i++) {
        brake =
            (QueueBrake){.name = (char *)"db1", .by = (char *)rows[i].by, .reason = (char *)rows[i].reason};
        choose[1].cordon = &brake;
        expect(&bound, rows[i].said);
    }
}

static void what_comes_back_is_waited_for(void **state)
{
    (void)state;
    const ChooseWish two = {"dump", NULL, 2}, bound = {"dump", "db1", 1};
    build();
    nodes[1].agent.lease = (LeaseState){.owner = (char *)"7.1", .phase = PHASE_PAUSING};
    assert_true(choose_comes_back(choose, NODES, 1, &two, &rules));
    nodes[1].agent.lease.owner = (char *)"manual";
    assert_false(choose_comes_back(choose, NODES, 1, &two, &rules));
    nodes[1].agent.lease.owner = NULL;
    assert_false(choose_comes_back(choose, NODES, 1, &two, &rules)); /* free */
    nodes[1].agent.server.up = false;
    choose[1].taken_by = "7.1";
    assert_false(choose_comes_back(choose, NODES, 1, &two, &rules));
    build();
    choose[1].taken_by = "7.1"; /* db2 and db3 are free: one of them, or both, is kept */
    assert_true(choose_keep(choose, NODES, &two, &rules, 9));
    assert_int_equal(choose[1].kept_for, 0);
    assert_int_equal(choose[2].kept_for, 9);
    build();
    choose[1].taken_by = "7.1";
    choose[2].kept_for = 8;
    assert_true(choose_keep(choose, NODES, &two, &rules, 9));
    assert_int_equal(choose[2].kept_for, 8);
    assert_int_equal(choose[3].kept_for, 9);
    build();
    choose[1].taken_by = "7.1";
    assert_true(choose_keep(choose, NODES, &bound, &rules, 9));
    assert_int_equal(choose[2].kept_for, 0);
    build();
    rules.min_serving = 2; /* three fit: one would be left */
    assert_false(choose_keep(choose, NODES, &two, &rules, 9));
    rules.min_serving = 1;
    assert_true(choose_keep(choose, NODES, &two, &rules, 9));
}

static void a_job_that_nobody_knows(void **state)
{
    (void)state;
    Err err;
    const Node *all[] = {&nodes[0], &nodes[1]};
    build();
    assert_false(choose_unknown_job(all, 0, "dump", &err));
    assert_non_null(strstr(err.text, "no agent has reported its jobs yet"));
    assert_false(choose_unknown_job(all, 2, "dmup", &err));
    assert_non_null(strstr(err.text, "did you mean \"dump\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_come_first),       cmocka_unit_test(several_must_fit),
        cmocka_unit_test(all_that_can_be_spared),    cmocka_unit_test(on_one_node_only),
        cmocka_unit_test(a_cordon_says_whose_it_is), cmocka_unit_test(what_comes_back_is_waited_for),
        cmocka_unit_test(a_job_that_nobody_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
