/* SPDX-License-Identifier: Apache-2.0
 * The queue's decider: which tasks start, on which nodes, and the reason of those that do not.
 */
#include "test.h"

#include "orchestrator/core/decide.h"
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
        c->choose[i] = (ChooseNode){&c->nodes[i], taken ? c->taken[i] : NULL, 0};
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

/* ---- the queue -------------------------------------------------------------------------------------- */

/* A task as the test means it: what the queue knows of it, and what has happened to it. */
typedef struct Wait {
    SlotTask t;
    bool active, failed;
    CoordRunState parent;
    bool scattered;
} Wait;

typedef struct Row {
    Wait task;
    const char *starts; /* node; NULL: it waits */
    const char *why;    /* part of the sentence */
} Row;

static Wait task(int64_t id, const char *name)
{
    return (Wait){.t = {.id = id,
                        .kind = KIND_COMMAND,
                        .name = name,
                        .job = "count",
                        .on = ROLE_REPLICA,
                        .submitted_at = -1,
                        .replicas = 1}};
}

static Wait upload(int64_t id, CoordRunState parent)
{
    return (Wait){.t = {.id = id,
                        .kind = KIND_UPLOAD,
                        .name = "u",
                        .job = "count",
                        .on = ROLE_PRIMARY,
                        .lane = "shop.words",
                        .replicas = 1,
                        .parent_task = id * 100,
                        .parent_no = 1},
                  .parent = parent};
}

#define WITH(w, field, value)                                                                                \
    ({                                                                                                       \
        Wait with_##field = (w);                                                                             \
        with_##field.t.field = (value);                                                                      \
        with_##field;                                                                                        \
    })

static Wait active(Wait w)
{
    w.active = true;
    return w;
}

static Wait failed(Wait w)
{
    w.failed = true;
    w.t.failed_at = NOW - 60000;
    w.t.holds = w.t.sequence_id ? SLOT_HOLDS_SEQUENCE : SLOT_HOLDS_LANE;
    return w;
}

static const SlotTime now = {NOW, 500};

static void put(Slots *q, const Wait *w)
{
    if (w->active)
        slots_start(q, &w->t, &now);
    else if (w->failed)
        slots_fail(q, &w->t, &now);
    else
        slots_put(q, &w->t, &now);
    if (w->t.parent_task)
        slots_parent(q, w->t.parent_task, w->t.parent_no, w->parent, w->scattered);
}

static const QueueDecision *decision_of(const QueueDecisions *d, int64_t id)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].id == id)
            return &d->v[i];
    return NULL;
}

static void expect_row(const Slots *q, const QueueDecisions *d, const Row *row)
{
    const QueueDecision *got = decision_of(d, row->task.t.id);
    AUTOFREE char *why = slots_why(q, row->task.t.id, &now);
    bool started = got && got->kind == DECIDE_START;
    if (row->task.active || row->task.failed)
        return;
    if (started != (row->starts != NULL) || (started && strcmp(got->nodes.v[0], row->starts) != 0) ||
        (!started && row->why && (!why || !strstr(why, row->why))))
        fail_msg("task %d: %s %s", (int)row->task.t.id, started ? got->nodes.v[0] : "waits", why ? why : "");
}

static const char *manual; /* of the turns that follow */

static void turn(Slots *q, Cluster *c, const char *hold, QueueDecisions *d)
{
    slots_manual(q, manual);
    DecideInput in = {c->choose, c->n, {"db0", 0, 60000, true}, 1, hold, now, 100};
    slots_job(q, "count", true, ROLE_REPLICA);
    slots_job(q, "dump", true, ROLE_REPLICA);
    assert_false(slots_advance(q, &now, 10000));
    decide(q, &in, d);
}

static int64_t expect_turn(const char *nodes, const char *hold, const Row *rows, size_t n)
{
    Cluster c;
    QueueDecisions d = {0};
    Slots *q = slots_new();
    cluster(&c, nodes);
    for (size_t i = 0; i < n; i++)
        put(q, &rows[i].task);
    turn(q, &c, hold, &d);
    for (size_t i = 0; i < n; i++)
        expect_row(q, &d, &rows[i]);
    int64_t next = slots_next_ms(q);
    decisions_done(&d);
    slots_free(q);
    return next;
}
#define EXPECT_TURN(nodes, ...)                                                                              \
    do {                                                                                                     \
        const Row rows_[] = {__VA_ARGS__};                                                                   \
        expect_turn(nodes, NULL, rows_, COUNT(rows_));                                                       \
    } while (0)

static void larger_priority_and_earlier_id_go_first(void **state)
{
    (void)state;
    EXPECT_TURN(
        "db0;db1", {task(1, "a"), NULL, "no replica is free"}, {WITH(task(2, "b"), priority, 5), "db1", NULL},
        {task(3, "c"), NULL, "1 tasks that need the same are before it, the first is task 1: no replica"});
    EXPECT_TURN("db0;db1;db2", {task(2, "b"), "db2", NULL}, {task(1, "a"), "db1", NULL});
    EXPECT_TURN("db0;db1",
                {WITH(task(1, "a"), run_at, NOW - 5), NULL, "db1 has run another task that starts now"},
                {WITH(task(2, "b"), run_at, NOW - 9), "db1", NULL});
    EXPECT_TURN("db0;db1", {WITH(task(1, "a"), priority, -11), NULL, "starts only by hand"},
                {WITH(task(2, "b"), priority, -10), "db1", NULL});
}

static void tasks_are_due(void **state)
{
    (void)state;
    const Row rows[] = {{WITH(task(1, "a"), run_at, NOW + 5000), NULL, "it is due at 1970-01-01T00:16:45"},
                        {WITH(task(2, "b"), run_at, NOW + 3000), NULL, "it is due at"},
                        {WITH(task(3, "c"), run_at, NOW), "db1", NULL}};
    assert_int_equal(expect_turn("db0;db1", NULL, rows, COUNT(rows)), 500 + 3000);
    assert_int_equal(expect_turn("db0;db1", NULL, rows + 2, 1), 0);
    /* Submitted by a clock that was an hour ahead and has been set back. */
    EXPECT_TURN("db0;db1",
                {WITH(WITH(task(4, "d"), run_at, NOW + 3600000), submitted_at, NOW + 3600000), "db1", NULL});
}

static void a_clock_that_is_set_leaves_short_waits(void **state)
{
    (void)state;
    enum { HOUR = 3600000 };
    Slots *q = slots_new();
    Wait soon = WITH(task(1, "a"), run_at, NOW + 15000), late = WITH(task(2, "b"), run_at, NOW + 3 * HOUR);
    slots_job(q, "count", true, ROLE_REPLICA);
    put(q, &soon);
    put(q, &late);
    slots_advance(q, &now, 100);
    SlotTime later = {NOW + 2 * HOUR, 500};
    slots_clock_set(q, &later, 2 * HOUR);
    assert_int_equal(slots_next_ms(q), 500 + 15000);
    slots_end(q, 1);
    assert_int_equal(slots_next_ms(q), 500 + HOUR);
    slots_free(q);
}

static void tasks_start_inside_their_window(void **state)
{
    (void)state;
    /* The turn is held on Thursday 00:16:40. */
    EXPECT_TURN(
        "db0;db1", {WITH(task(1, "a"), window, "Thu"), "db1", NULL},
        {WITH(task(2, "b"), window, "06:00-08:00"), NULL, "its window \"06:00-08:00\" opens in 5 h 43 min"},
        {WITH(task(3, "c"), broken, "\"nonsense\" is no limit window"), NULL, "is no limit window"});
    const Row rows[] = {{WITH(task(1, "a"), window, "00:17-02:00"), NULL, "opens in"}};
    assert_int_equal(expect_turn("db0;db1", NULL, rows, 1), 500 + 60000 - NOW % 60000);
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

static void one_name_runs_once(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1;db2", {active(task(1, "a")), NULL, NULL},
                {task(2, "a"), NULL, "task 1 of the same name \"a\" is under way"},
                {task(3, "b"), "db1", NULL},
                {task(4, "b"), NULL, "task 3 of the same name \"b\" is under way"});
    /* One that is bound to a host that is down does not hide those that are not. */
    EXPECT_TURN("db0;db1 down;db2", {WITH(task(1, "a"), host, "db1"), NULL, "db1 is down"},
                {task(2, "a"), "db2", NULL});
}

static void a_name_goes_to_its_waiters_in_order(void **state)
{
    (void)state;
    Cluster c;
    Slots *q = slots_new();
    cluster(&c, "db0;db1");
    static const int64_t priorities[] = {3, 9, 1, 7, 5};
    Wait first = active(task(10, "a"));
    put(q, &first);
    for (size_t i = 0; i < COUNT(priorities); i++) {
        Wait w = WITH(task((int64_t)i + 11, "a"), priority, priorities[i]);
        put(q, &w);
    }
    static const int64_t order[] = {12, 14, 15, 11, 13};
    int64_t running = 10;
    for (size_t i = 0; i < COUNT(order); i++) {
        QueueDecisions d = {0};
        turn(q, &c, NULL, &d);
        assert_int_equal(d.n, 0);
        slots_end(q, running);
        turn(q, &c, NULL, &d);
        assert_int_equal(d.n, 1);
        assert_int_equal(running = d.v[0].id, order[i]);
        decisions_done(&d);
    }
    slots_free(q);
}

static void sequences_keep_their_order(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1;db2", {WITH(task(1, "a"), sequence_id, 7), "db1", NULL},
                {WITH(task(2, "b"), sequence_id, 7), NULL, "task 1, earlier in sequence 7, is not ended"},
                {WITH(task(3, "c"), sequence_id, 8), "db2", NULL});
    EXPECT_TURN("db0;db1", {failed(WITH(task(1, "a"), sequence_id, 7)), NULL, NULL},
                {WITH(task(2, "b"), sequence_id, 7), NULL,
                 "failed at 1970-01-01T00:15:40.000Z: retry, acknowledge or delete it"});
    EXPECT_TURN("db0;db1;db2",
                {WITH(WITH(task(1, "a"), sequence_id, 7), run_at, NOW + 100), NULL, "it is due"},
                {WITH(WITH(task(2, "b"), sequence_id, 7), priority, 100), NULL, "is not ended"});
    /* One that was committed late comes before those that wait. */
    EXPECT_TURN("db0;db1;db2", {WITH(task(2, "b"), sequence_id, 7), NULL, "task 1, earlier in sequence 7"},
                {WITH(task(1, "a"), sequence_id, 7), "db1", NULL});
}

static void uploads_run_in_order_one_at_a_time(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1", {upload(4, CRUN_UPLOADING), NULL, "upload 3 is"},
                {WITH(upload(3, CRUN_CAUGHT_UP), priority, -50), "db0", NULL});
    EXPECT_TURN("db0;db1",
                {upload(3, CRUN_RESUMING), NULL, "run 300.1 is resuming: its replica first catches up"},
                {upload(4, CRUN_UPLOADING), NULL, "upload 3 is before it"});
    Wait parts = upload(3, CRUN_CAUGHT_UP);
    parts.scattered = true;
    EXPECT_TURN("db0;db1",
                {parts, NULL, "the results of run 300.1 on its replicas are brought together first"});
    EXPECT_TURN("db0;db1", {active(upload(3, CRUN_UPLOADING)), NULL, NULL},
                {upload(4, CRUN_UPLOADING), NULL, "upload 3 is under way"}, {task(5, "u"), "db1", NULL});
    EXPECT_TURN("db0 down;db1", {upload(3, CRUN_UPLOADING), NULL, "the primary db0 is down"});
}

static void a_failed_upload_holds_its_lane_alone(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1", {failed(upload(3, CRUN_UPLOADING)), NULL, NULL},
                {upload(4, CRUN_UPLOADING), NULL,
                 "upload 3 into \"shop.words\" failed at 1970-01-01T00:15:40.000Z and holds"},
                {WITH(upload(5, CRUN_UPLOADING), lane, "shop.other"), "db0", NULL});
    Cluster c;
    QueueDecisions d = {0};
    Slots *q = slots_new();
    cluster(&c, "db0;db1");
    Wait bad = failed(upload(3, CRUN_UPLOADING)), next = upload(4, CRUN_UPLOADING);
    put(q, &bad);
    put(q, &next);
    turn(q, &c, NULL, &d);
    assert_int_equal(d.n, 0);
    slots_end(q, 3); /* acknowledged */
    turn(q, &c, NULL, &d);
    assert_int_equal(d.n, 1);
    assert_int_equal(d.v[0].id, 4);
    decisions_done(&d);
    slots_free(q);
}

static void a_failure_holds_its_lane_and_says_since_when(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1", {failed(task(1, "a")), NULL, NULL},
                {task(2, "a"), NULL,
                 "task 1 of the same name \"a\" failed at 1970-01-01T00:15:40.000Z and holds those"},
                {task(3, "b"), "db1", NULL});
    EXPECT_TURN("db0;db1", {WITH(failed(task(1, "a")), holds, SLOT_HOLDS_NOTHING), NULL, NULL},
                {task(2, "a"), "db1", NULL});
    /* A person passes by a job's lane, an upload keeps its order. */
    EXPECT_TURN("db0;db1", {failed(task(1, "a")), NULL, NULL},
                {WITH(task(2, "a"), by_hand, true), "db1", NULL});
    EXPECT_TURN("db0;db1", {failed(upload(3, CRUN_UPLOADING)), NULL, NULL},
                {WITH(upload(4, CRUN_UPLOADING), by_hand, true), NULL, "upload 3 into"});
}

static void failures_are_told_the_oldest_first(void **state)
{
    (void)state;
    Slots *q = slots_new();
    SlotFailure found[2];
    for (int64_t id = 1; id <= 3; id++) {
        Wait w = WITH(failed(task(id, id == 2 ? "a" : "b")), failed_at, NOW - id);
        Wait next = task(id + 10, "b");
        put(q, &w);
        put(q, &next);
    }
    slots_job(q, "count", true, ROLE_REPLICA);
    slots_advance(q, &now, 100);
    assert_int_equal(slots_failures(q, found, 2), 2);
    assert_int_equal(found[0].id, 3);
    assert_int_equal(found[0].since, NOW - 3);
    assert_int_equal(found[0].waiting, 3);
    assert_int_equal(slots_count(q, SLOT_FAILED), 3);
    slots_end(q, 3);
    slots_end(q, 1);
    slots_end(q, 2);
    slots_advance(q, &now, 100);
    assert_int_equal(slots_failures(q, found, 2), 0);
    assert_int_equal(slots_count(q, SLOT_BLOCKED), 2); /* behind each other, not behind a failure */
    slots_free(q);
}

static void a_held_lane_waits_for_its_release(void **state)
{
    (void)state;
    Cluster c;
    QueueDecisions d = {0};
    Slots *q = slots_new();
    cluster(&c, "db0;db1;db2");
    Wait held = task(1, "a"), other = task(2, "b"), up = upload(3, CRUN_UPLOADING);
    put(q, &held);
    put(q, &other);
    put(q, &up);
    slots_advance(q, &now, 100); /* all are ready before the hold comes */
    slots_hold_lane(q, "a", "lane \"a\" is held");
    slots_hold_lane(q, "shop.words", "lane \"shop.words\" is held");
    turn(q, &c, NULL, &d);
    assert_int_equal(d.n, 1);
    assert_int_equal(d.v[0].id, 2);
    slots_advance(q, &now, 100);
    AUTOFREE char *why = slots_why(q, 1, &now);
    assert_string_equal(why, "lane \"a\" is held");
    AUTOFREE char *why_up = slots_why(q, 3, &now);
    assert_string_equal(why_up, "lane \"shop.words\" is held");
    decisions_done(&d);
    slots_hold_lane(q, "a", NULL);
    slots_hold_lane(q, "a", NULL);
    slots_hold_lane(q, "shop.words", NULL);
    turn(q, &c, NULL, &d);
    assert_int_equal(d.n, 2);
    decisions_done(&d);
    slots_free(q);
}

static void in_manual_mode_only_a_person_starts(void **state)
{
    (void)state;
    manual = "the queue is in manual mode since yesterday";
    EXPECT_TURN(
        "db0;db1;db2",
        {WITH(task(1, "a"), priority, 9), NULL, "since yesterday; siding task run 1 starts it by hand"},
        {upload(2, CRUN_UPLOADING), NULL, "manual mode"}, {WITH(task(3, "c"), by_hand, true), "db1", NULL},
        {WITH(WITH(WITH(task(4, "d"), by_hand, true), window, "06:00-08:00"), run_at, NOW + 5000), "db2",
         NULL});
    /* Of one name the one that is told to start comes first. */
    EXPECT_TURN("db0;db1;db2", {WITH(task(1, "a"), priority, 9), NULL, "task 3 of the same name"},
                {WITH(task(3, "a"), by_hand, true), "db1", NULL});
    manual = NULL;
    EXPECT_TURN("db0;db1", {WITH(WITH(task(1, "a"), priority, -50), by_hand, true), "db1", NULL},
                {WITH(task(2, "b"), priority, 50), NULL, "no replica"});
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

static void an_upload_goes_with_its_run(void **state)
{
    (void)state;
    Cluster c;
    QueueDecisions d = {0};
    Slots *q = slots_new();
    cluster(&c, "db0;db1");
    Wait w = upload(3, CRUN_KILLED);
    put(q, &w);
    turn(q, &c, NULL, &d);
    assert_int_equal(d.n, 1);
    assert_int_equal(d.v[0].kind, DECIDE_STOP);
    decisions_done(&d);
    slots_free(q);
}

static void the_primary_takes_one_command(void **state)
{
    (void)state;
    EXPECT_TURN("db0;db1", {WITH(task(1, "a"), on, ROLE_PRIMARY), "db0", NULL},
                {WITH(task(2, "b"), on, ROLE_PRIMARY), NULL, "task 1 is under way on the primary"},
                {upload(3, CRUN_UPLOADING), "db0", NULL}, {task(4, "c"), "db1", NULL});
}

static void nothing_starts_on_hold(void **state)
{
    (void)state;
    const Row rows[] = {{task(1, "a"), NULL, NULL}, {upload(2, CRUN_UPLOADING), NULL, NULL}};
    expect_turn("db0;db1", "maintenance", rows, COUNT(rows));
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

/* ---- room for a higher priority --------------------------------------------------------------------- */

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
    expect_why(q, 4, "1 tasks that need the same are before it, the first is task 3");
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

/* ---- groups ------------------------------------------------------------------------------------------- */

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

/* Where each of 100,000 has its place, an event moves one. */
static void a_long_queue_costs_an_event_little(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    Cluster c;
    Slots *q = slots_new();
    cluster(&c, "db0;db1;db2");
    for (int i = 0; i < MANY; i++) {
        Wait w = task(i + 1, i % 2 ? "even" : "odd");
        put(q, &w);
    }
    size_t slices = 1;
    slots_job(q, "count", true, ROLE_REPLICA);
    while (slots_advance(q, &now, 1000))
        slices++;
    assert_in_range(slices, 100, 300);
    for (int i = 0; i < 1000; i++) {
        QueueDecisions d = {0};
        turn(q, &c, NULL, &d);
        assert_int_equal(d.n, 2);
        for (size_t k = 0; k < d.n; k++)
            slots_end(q, d.v[k].id);
        decisions_done(&d);
    }
    assert_int_equal(slots_count(q, SLOT_PLACES), MANY - 2000);
    slots_free(q);
}

static void recurrences_come_again(void **state)
{
    (void)state;
    assert_int_equal(decide_next_run_at(1000, 5000, 600, false), 5600);
    assert_int_equal(decide_next_run_at(1000, 5000, 600, true), 5200);
    assert_int_equal(decide_next_run_at(1000, 5200, 600, true), 5800);
    assert_int_equal(decide_next_run_at(9000, 5000, 600, true), 9000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_are_chosen),
        cmocka_unit_test(one_that_catches_up_is_free_for_the_next_if_told_so),
        cmocka_unit_test(unknown_jobs_are_told_with_the_nearest),
        cmocka_unit_test(larger_priority_and_earlier_id_go_first),
        cmocka_unit_test(tasks_are_due),
        cmocka_unit_test(a_clock_that_is_set_leaves_short_waits),
        cmocka_unit_test(tasks_start_inside_their_window),
        cmocka_unit_test(windows_open_and_close),
        cmocka_unit_test(one_name_runs_once),
        cmocka_unit_test(a_name_goes_to_its_waiters_in_order),
        cmocka_unit_test(sequences_keep_their_order),
        cmocka_unit_test(uploads_run_in_order_one_at_a_time),
        cmocka_unit_test(a_failed_upload_holds_its_lane_alone),
        cmocka_unit_test(a_failure_holds_its_lane_and_says_since_when),
        cmocka_unit_test(failures_are_told_the_oldest_first),
        cmocka_unit_test(a_held_lane_waits_for_its_release),
        cmocka_unit_test(in_manual_mode_only_a_person_starts),
        cmocka_unit_test(nothing_starts_on_a_cordoned_node),
        cmocka_unit_test(an_upload_goes_with_its_run),
        cmocka_unit_test(the_primary_takes_one_command),
        cmocka_unit_test(nothing_starts_on_hold),
        cmocka_unit_test(several_replicas_start_together_or_not),
        cmocka_unit_test(a_wide_task_keeps_what_it_waits_for),
        cmocka_unit_test(an_unknown_job_waits_for_an_agent_that_knows_it),
        cmocka_unit_test(a_lower_priority_sleeps_for_a_higher_and_is_woken),
        cmocka_unit_test(who_may_not_sleep_is_left_alone),
        cmocka_unit_test(a_persons_sleeper_is_not_woken),
        cmocka_unit_test(a_replica_job_is_requeued_where_it_may_be),
        cmocka_unit_test(above_100_what_bears_the_name_is_stopped),
        cmocka_unit_test(what_runs_at_the_end_of_its_window),
        cmocka_unit_test(groups_keep_out_of_each_others_way),
        cmocka_unit_test(nothing_starts_before_one_that_runs_alone),
        cmocka_unit_test(a_long_queue_costs_an_event_little),
        cmocka_unit_test(recurrences_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
