/* SPDX-License-Identifier: Apache-2.0
 * The queue's decider: which tasks start, on which nodes, and the reason of those that do not.
 */
#include "test.h"

#include "orchestrator/core/start_plan.h"
#include "orchestrator/core/window.h"

enum { NOW = 1000000 };

static JobInfo jobs[] = {
    {.name = (char *)"dump", .kind = KIND_DUMP, .on = ROLE_REPLICA, .upload = (char *)"none"},
    {.name = (char *)"count", .kind = KIND_COMMAND, .on = ROLE_REPLICA, .upload = (char *)"none"}};

/* "db1", or with words: "db1 lag=N(ms) paused taken=4.1 stopped down unreachable jobless old other mysql" */
static Node node_from(const char *text, char *name)
{
    sscanf(text, "%15s", name);
    Node n = {.name = name, .lag_ms = 0};
    n.agent = (NodeState){.node = name, .jobs = {jobs, COUNT(jobs)}, .spool_free_bytes = 1000};
    n.agent.server =
        (ServerState){.up = !strstr(text, "down"),
                      .flavor = (char *)(strstr(text, "mysql") ? "mysql" : "mariadb"),
                      .version = (char *)(strstr(text, "old") ? "10.6.1-MariaDB" : "10.11.19-MariaDB"),
                      .is_replica = strcmp(name, "db0") != 0,
                      .sql_running = !strstr(text, "stopped"),
                      .io = RECEIVER_YES,
                      .source_host = (char *)"h",
                      .source_port = strstr(text, "other") ? 2 : 1,
                      .applied = (char *)(strstr(text, "domains") ? "0-1-5,1-1-5" : "0-1-5")};
    if (strstr(text, "lag="))
        n.lag_ms = n.lag_trx = atoi(strstr(text, "lag=") + 4);
    if (strstr(text, "paused"))
        n.agent.lease =
            (LeaseState){.owner = (char *)"manual", .reason = (char *)"by hand", .phase = PHASE_FROZEN};
    if (strstr(text, "catching"))
        n.agent.lease = (LeaseState){.owner = (char *)(strstr(text, "by hand") ? "manual" : "7.1"),
                                     .phase = PHASE_CATCHING_UP};
    if (strstr(text, "unreachable"))
        n.agent_error = (char *)"refused";
    if (strstr(text, "jobless"))
        n.agent.jobs = (WireList){NULL, 0};
    return n;
}

typedef struct Cluster {
    Node nodes[6];
    ChooseNode choose[6];
    char names[6][16], taken[6][16];
    size_t n;
} Cluster;

/* Nodes apart by ';'. */
static void cluster(Cluster *c, const char *text)
{
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    strlist_split(&parts, text, ';');
    memset(c, 0, sizeof *c);
    c->n = parts.n;
    for (size_t i = 0; i < parts.n; i++) {
        c->nodes[i] = node_from(parts.v[i], c->names[i]);
        const char *taken = strstr(parts.v[i], "taken=");
        if (taken)
            sscanf(taken + 6, "%15s", c->taken[i]);
        c->choose[i] = (ChooseNode){&c->nodes[i], taken ? c->taken[i] : NULL};
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

/* ---- replicas ---------------------------------------------------------------------------------------------
 */

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

/* ---- plan
 * --------------------------------------------------------------------------------------------------- */

typedef struct Row {
    PlanTask task;
    const char *starts; /* node; NULL: it waits */
    const char *why;    /* part of the sentence */
} Row;

static PlanTask task(int64_t id, const char *name)
{
    return (PlanTask){.id = id,
                      .kind = KIND_COMMAND,
                      .name = name,
                      .job = "count",
                      .on = ROLE_REPLICA,
                      .replicas = 1,
                      .waiting = true};
}

static PlanTask upload(int64_t id, CoordRunState parent)
{
    return (PlanTask){.id = id,
                      .kind = KIND_UPLOAD,
                      .name = "u",
                      .job = "count",
                      .on = ROLE_PRIMARY,
                      .replicas = 1,
                      .waiting = true,
                      .parent = parent,
                      .parent_run = "1.1"};
}

static PlanTask active(PlanTask t)
{
    t.waiting = false;
    t.active = true;
    return t;
}

#define WITH(t, field, value)                                                                                \
    ({                                                                                                       \
        PlanTask with_##field = (t);                                                                         \
        with_##field.field = (value);                                                                        \
        with_##field;                                                                                        \
    })

static int64_t expect_plan(const char *nodes, const char *hold, const Row *rows, size_t n)
{
    Cluster c;
    cluster(&c, nodes);
    PlanTask tasks[16];
    for (size_t i = 0; i < n; i++)
        tasks[i] = rows[i].task;
    PlanInput in = {tasks, n, c.choose, c.n, {"db0", 0, 60000}, hold, NOW};
    Plan p;
    plan_make(&in, &p);
    for (size_t i = 0; i < n; i++) {
        const PlanAnswer *a = &p.answers[i];
        if (!rows[i].task.waiting)
            continue;
        if (a->start != (rows[i].starts != NULL) ||
            (a->start && strcmp(a->nodes.v[0], rows[i].starts) != 0) ||
            (!a->start && !strstr(a->why, rows[i].why)))
            fail_msg("task %d: %s %s", (int)rows[i].task.id, a->start ? a->nodes.v[0] : "waits",
                     a->why ? a->why : "");
    }
    int64_t next = p.next_ms;
    plan_done(&p);
    return next;
}
#define EXPECT_PLAN(nodes, ...)                                                                              \
    do {                                                                                                     \
        const Row rows_[] = {__VA_ARGS__};                                                                   \
        expect_plan(nodes, NULL, rows_, COUNT(rows_));                                                       \
    } while (0)

static void larger_priority_and_earlier_id_go_first(void **state)
{
    (void)state;
    EXPECT_PLAN("db0;db1", {task(1, "a"), NULL, "no replica is free"},
                {WITH(task(2, "b"), priority, 5), "db1", NULL}, {task(3, "c"), NULL, "no replica is free"});
    EXPECT_PLAN("db0;db1;db2", {task(2, "b"), "db2", NULL}, {task(1, "a"), "db1", NULL});
    EXPECT_PLAN("db0;db1",
                {WITH(task(1, "a"), run_at, NOW - 5), NULL, "db1 has run another task that starts now"},
                {WITH(task(2, "b"), run_at, NOW - 9), "db1", NULL});
    EXPECT_PLAN("db0;db1", {WITH(task(1, "a"), priority, -11), NULL, "starts only by hand"},
                {WITH(task(2, "b"), priority, -10), "db1", NULL});
}

static void tasks_are_due(void **state)
{
    (void)state;
    const Row rows[] = {{WITH(task(1, "a"), run_at, NOW + 5000), NULL, "it is due at 1970-01-01T00:16:45"},
                        {WITH(task(2, "b"), run_at, NOW + 3000), NULL, "it is due at"},
                        {WITH(task(3, "c"), run_at, NOW), "db1", NULL}};
    assert_int_equal(expect_plan("db0;db1", NULL, rows, COUNT(rows)), NOW + 3000);
    assert_int_equal(expect_plan("db0;db1", NULL, rows + 2, 1), 0);
    /* Submitted by a clock that was an hour ahead and has been set back. */
    EXPECT_PLAN("db0;db1",
                {WITH(WITH(task(4, "d"), run_at, NOW + 3600000), submitted_at, NOW + 3600000), "db1", NULL});
}

static void tasks_start_inside_their_window(void **state)
{
    (void)state;
    /* The pass is held on Sunday 00:00. */
    EXPECT_PLAN(
        "db0;db1", {WITH(task(1, "a"), window, "Sun"), "db1", NULL},
        {WITH(task(2, "b"), window, "06:00-08:00"), NULL, "its window \"06:00-08:00\" opens in 6 h 00 min"},
        {WITH(task(3, "c"), window, "nonsense"), NULL, "is no limit window"});
    const Row rows[] = {{WITH(task(1, "a"), window, "00:01-02:00"), NULL, "opens in"}};
    assert_int_equal(expect_plan("db0;db1", NULL, rows, 1), NOW - NOW % 60000 + 60000);
}

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
        {"08:00-08:00", 3 * D, true, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Window w;
        Err err;
        assert_ok(window_parse(rows[i].text, &w, &err), err);
        if (window_is_open(&w, rows[i].minute) != rows[i].open ||
            window_opens_in(&w, rows[i].minute) != rows[i].opens_in)
            fail_msg("%s at %d: opens in %d", rows[i].text, rows[i].minute,
                     window_opens_in(&w, rows[i].minute));
    }
    static const char *const wrong[] = {
        "",      " ",        "Su",      "Someday", "25:00-26:00", "22:60", "1-", "Fri-", "Mon 22:00-03:00 x",
        "24:00", "24:30-25", "Mon,Tue", "123-4",   "-3"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        Window w;
        Err err = {0};
        if (window_parse(wrong[i], &w, &err))
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_int_equal(err.kind, ERR_USAGE);
    }
}

static void one_name_runs_once(void **state)
{
    (void)state;
    EXPECT_PLAN("db0;db1;db2", {active(task(1, "a")), NULL, NULL},
                {task(2, "a"), NULL, "task 1 of the same name \"a\" is under way"},
                {task(3, "b"), "db1", NULL},
                {task(4, "b"), NULL, "task 3 of the same name \"b\" is under way"});
}

static void sequences_keep_their_order(void **state)
{
    (void)state;
    EXPECT_PLAN("db0;db1;db2", {WITH(task(1, "a"), sequence_id, 7), "db1", NULL},
                {WITH(task(2, "b"), sequence_id, 7), NULL, "task 1, earlier in sequence 7, is not ended"},
                {WITH(task(3, "c"), sequence_id, 8), "db2", NULL});
    PlanTask failed = WITH(WITH(WITH(task(1, "a"), sequence_id, 7), waiting, false), failed, true);
    EXPECT_PLAN("db0;db1", {failed, NULL, NULL},
                {WITH(task(2, "b"), sequence_id, 7), NULL, "failed: retry, acknowledge or delete it"});
    EXPECT_PLAN("db0;db1;db2",
                {WITH(WITH(task(1, "a"), sequence_id, 7), run_at, NOW + 100), NULL, "it is due"},
                {WITH(WITH(task(2, "b"), sequence_id, 7), priority, 100), NULL, "is not ended"});
}

static void uploads_run_in_order_one_at_a_time(void **state)
{
    (void)state;
    EXPECT_PLAN("db0;db1", {upload(4, CRUN_UPLOADING), NULL, "upload 3 is under way"},
                {WITH(upload(3, CRUN_CAUGHT_UP), priority, -50), "db0", NULL});
    EXPECT_PLAN("db0;db1",
                {upload(3, CRUN_RESUMING), NULL, "run 1.1 is resuming: its replica first catches up"},
                {upload(4, CRUN_UPLOADING), NULL, "upload 3 is before it"});
    EXPECT_PLAN("db0;db1", {WITH(upload(3, CRUN_CAUGHT_UP), scattered, true), NULL,
                            "the results of run 1.1 on its replicas are brought together first"});
    EXPECT_PLAN("db0;db1", {active(upload(3, CRUN_UPLOADING)), NULL, NULL},
                {upload(4, CRUN_UPLOADING), NULL, "upload 3 is under way"}, {task(5, "u"), "db1", NULL});
    EXPECT_PLAN("db0 down;db1", {upload(3, CRUN_UPLOADING), NULL, "the primary db0 is down"});
}

static void the_primary_takes_one_command(void **state)
{
    (void)state;
    EXPECT_PLAN("db0;db1", {WITH(task(1, "a"), on, ROLE_PRIMARY), "db0", NULL},
                {WITH(task(2, "b"), on, ROLE_PRIMARY), NULL, "task 1 is under way on the primary"},
                {upload(3, CRUN_UPLOADING), "db0", NULL}, {task(4, "c"), "db1", NULL});
}

static void nothing_starts_on_hold(void **state)
{
    (void)state;
    const Row rows[] = {{task(1, "a"), NULL, "maintenance"},
                        {upload(2, CRUN_UPLOADING), NULL, "maintenance"}};
    expect_plan("db0;db1", "maintenance", rows, COUNT(rows));
    EXPECT_PLAN("db0;db1", {WITH(task(1, "a"), busy, true), NULL, "being written down"});
}

static void several_replicas_start_together_or_not(void **state)
{
    (void)state;
    EXPECT_PLAN("db0;db1;db2", {WITH(task(1, "a"), replicas, 2), "db1", NULL},
                {task(2, "b"), NULL, "no replica"});
    EXPECT_PLAN("db0;db1;db2 paused",
                {WITH(task(1, "a"), replicas, 2), NULL, "1 of 2 replicas are free: db2 is paused"},
                {task(2, "b"), "db1", NULL});
}

static void a_long_queue_is_planned_quickly(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    Cluster c;
    cluster(&c, "db0;db1;db2");
    PlanTask *tasks = xcalloc(MANY, sizeof *tasks);
    for (int i = 0; i < MANY; i++)
        tasks[i] = task(i + 1, i % 2 ? "even" : "odd");
    PlanInput in = {tasks, MANY, c.choose, c.n, {"db0", 0, 60000}, NULL, NOW};
    Plan p;
    plan_make(&in, &p);
    assert_true(p.answers[0].start && p.answers[1].start);
    for (int i = 2; i < MANY; i++)
        assert_non_null(p.answers[i].why);
    plan_done(&p);
    free(tasks);
}

static void recurrences_come_again(void **state)
{
    (void)state;
    assert_int_equal(plan_next_run_at(1000, 5000, 600, false), 5600);
    assert_int_equal(plan_next_run_at(1000, 5000, 600, true), 5200);
    assert_int_equal(plan_next_run_at(1000, 5200, 600, true), 5800);
    assert_int_equal(plan_next_run_at(9000, 5000, 600, true), 9000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_are_chosen),
        cmocka_unit_test(one_that_catches_up_is_free_for_the_next_if_told_so),
        cmocka_unit_test(unknown_jobs_are_told_with_the_nearest),
        cmocka_unit_test(larger_priority_and_earlier_id_go_first),
        cmocka_unit_test(tasks_are_due),
        cmocka_unit_test(tasks_start_inside_their_window),
        cmocka_unit_test(windows_open_and_close),
        cmocka_unit_test(one_name_runs_once),
        cmocka_unit_test(sequences_keep_their_order),
        cmocka_unit_test(uploads_run_in_order_one_at_a_time),
        cmocka_unit_test(the_primary_takes_one_command),
        cmocka_unit_test(nothing_starts_on_hold),
        cmocka_unit_test(several_replicas_start_together_or_not),
        cmocka_unit_test(a_long_queue_is_planned_quickly),
        cmocka_unit_test(recurrences_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
