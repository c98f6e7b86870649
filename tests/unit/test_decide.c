/* SPDX-License-Identifier: Apache-2.0
 * The decider at its bounds: who makes room, what is kept for whom, when a turn is over. Stories of whole
 * queues are those of test_plan.c and its like.
 */
#include "orchestrator/core/decide.h"

#include "serving_node.h"
#include "test.h"

enum { NODES = 4, NOW = 1000000 };
static JobInfo jobs[] = {{.name = (char *)"count", .kind = KIND_COMMAND, .on = ROLE_REPLICA},
                         {.name = (char *)"dump", .kind = KIND_DUMP, .on = ROLE_REPLICA}};
static Node nodes[NODES];
static ChooseNode choose[NODES];
static Slots *q;
static DecideInput in;
static bool more; /* of the last turn */
static const SlotTime now = {NOW, 500};

/* db0 is the primary; db1 to db3 serve. */
static void open_world(void)
{
    static const char *const names[NODES] = {"db0", "db1", "db2", "db3"};
    for (int i = 0; i < NODES; i++) {
        nodes[i] = serving_node(names[i], i > 0, jobs, COUNT(jobs));
        choose[i] = (ChooseNode){.node = &nodes[i]};
    }
    in = (DecideInput){choose, NODES, {"db0", 0, 60000, true}, 1, NULL, now, 100, 0};
    q = slots_new();
    slots_job(q, "count", true, ROLE_REPLICA);
    slots_job(q, "dump", true, ROLE_REPLICA);
}

static SlotTask task(int64_t id, const char *name, int64_t priority)
{
    return (SlotTask){.id = id,
                      .kind = KIND_COMMAND,
                      .name = name,
                      .job = "count",
                      .on = ROLE_REPLICA,
                      .priority = priority,
                      .submitted_at = -1,
                      .replicas = 1};
}

static SlotTask on_primary(int64_t id, const char *name, int64_t priority)
{
    SlotTask t = task(id, name, priority);
    t.on = ROLE_PRIMARY;
    return t;
}

static void put(SlotTask t)
{
    slots_put(q, &t, &now);
}

static void runs(SlotTask t, SlotPhase phase, bool for_others)
{
    slots_start(q, &t, &now);
    slots_phase(q, t.id, phase, for_others);
}

/* "9=sleep 4=start 2=wake", in the order of the decisions. */
static void expect(const char *expected)
{
    static const char *const words[] = {"start", "stop", "sleep", "wake", "requeue"};
    AUTO(str_done) Str got = STR_INIT;
    QueueDecisions d = {0};
    assert_false(slots_advance(q, &now, 10000));
    decide(q, &in, &d);
    for (size_t i = 0; i < d.n; i++)
        str_addf(&got, "%s%d=%s", i ? " " : "", (int)d.v[i].id, words[d.v[i].kind]);
    more = d.more;
    decisions_done(&d);
    assert_string_equal(str_z(&got), expected);
}

static void expect_why(int64_t id, const char *part)
{
    AUTOFREE char *why = slots_why(q, id, &now);
    if (!why || !strstr(why, part))
        fail_msg("task %d: %s, not %s", (int)id, why ? why : "waits for nothing", part);
}

static void how_many_there_may_be(void **state)
{
    (void)state;
    open_world();
    in.primary_slots = 2;
    runs(on_primary(1, "a", 0), SLOT_BUSY, false);
    runs(on_primary(2, "b", 0), SLOT_BUSY, false);
    put(on_primary(3, "c", 0));
    expect("");
    expect_why(3, "2 tasks are under way on the primary, as many as it may have (primary_slots)");
    slots_free(q);
    open_world();
    in.slots = 2;
    runs(task(1, "a", 0), SLOT_WORKS, false);
    put(task(2, "b", 0));
    put(task(3, "c", 0));
    expect("2=start");
    expect_why(3, "2 tasks are under way, as many as may be (queue.slots)");
    slots_free(q);
}

/* One turn decides so much, and says whether there is more. */
static void a_turn_has_an_end(void **state)
{
    (void)state;
    open_world();
    in.most = 1;
    runs(on_primary(1, "a", 0), SLOT_SLEEPS, true);
    put(task(2, "b", 5));
    expect("2=start");
    assert_true(more);
    expect("1=wake");
    assert_true(more);
    expect("");
    assert_false(more);
    slots_free(q);
}

static void what_is_kept_is_kept_for_the_first(void **state)
{
    (void)state;
    SlotTask wide = task(10, "a", 9), wider = task(11, "b", 8), bound = task(12, "c", 9);
    open_world(); /* db3 alone knows no dump, and a task that waits for dumps has no use for it */
    nodes[3].agent.jobs.n = 1;
    choose[2].taken_by = "4.1";
    wide.job = "dump";
    wide.replicas = wider.replicas = 2;
    nodes[1].agent.jobs.n = 2;
    put(wide);
    expect("");
    put(wider); /* needs db3 and one that is kept */
    put(task(13, "d", 0));
    expect("13=start");
    slots_free(q);
    open_world(); /* one that waits for one node keeps none, and keeps nobody from keeping some */
    choose[1].taken_by = "4.1";
    choose[3].taken_by = "5.1";
    bound.host = "db1";
    wider.replicas = 3;
    put(bound);
    put(wider);
    put(task(13, "d", 0));
    expect("");
    expect_why(13, "db2 is kept for task 11");
    slots_free(q);
}

/* Of a group that is never awake twice. */
static void who_sleeps_is_woken_alone(void **state)
{
    (void)state;
    static const struct {
        uint32_t mine, other;
        SlotPhase phase;
        const char *decisions;
    } rows[] = {{1, 1, SLOT_BUSY, ""},
                {1, 2, SLOT_BUSY, "1=wake"},
                {1, 0, SLOT_BUSY, "1=wake"},
                {0, 1, SLOT_BUSY, "1=wake"},
                {1, 1, SLOT_SLEEPS, "1=wake"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        SlotTask mine = on_primary(1, "a", 0), other = on_primary(2, "b", 0);
        open_world();
        in.primary_slots = 2;
        mine.awake = rows[i].mine;
        other.awake = rows[i].other;
        runs(mine, SLOT_SLEEPS, true);
        runs(other, rows[i].phase, false);
        expect(rows[i].decisions);
        slots_free(q);
    }
}

/* Of several that could be stopped: one that stops already, or else the last in order. */
static void who_makes_room_on_a_replica(void **state)
{
    (void)state;
    static const struct {
        int64_t first, second; /* priorities */
        SlotPhase first_is, second_is;
        const char *decisions, *why;
    } rows[] = {{3, 1, SLOT_WORKS, SLOT_WORKS, "2=requeue", "task 2 (priority 1) is stopped for it"},
                {1, 3, SLOT_WORKS, SLOT_WORKS, "1=requeue", "task 1 (priority 1) is stopped for it"},
                {1, 3, SLOT_WORKS, SLOT_STOPS, "", "task 2 is being stopped for it"},
                {3, 1, SLOT_STOPS, SLOT_WORKS, "", "task 1 is being stopped for it"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        SlotTask a = task(1, "a", rows[i].first), b = task(2, "b", rows[i].second);
        open_world();
        a.preempt = b.preempt = PREEMPT_REQUEUE;
        choose[1].taken_by = "1.1";
        choose[2].taken_by = "2.1";
        nodes[3].agent.server.up = false;
        runs(a, rows[i].first_is, false);
        runs(b, rows[i].second_is, false);
        put(task(3, "c", 5));
        expect(rows[i].decisions);
        expect_why(3, rows[i].why);
        if (*rows[i].decisions) {
            put(task(4, "c", 4)); /* the next turn knows that one was asked */
            expect("");
            expect_why(3, "is being stopped for it");
        }
        slots_free(q);
    }
}

static void a_window_that_ends_makes_room_once(void **state)
{
    (void)state;
    SlotTask t = task(1, "a", 0);
    open_world();
    nodes[2].agent.server.up = nodes[3].agent.server.up = false;
    choose[1].taken_by = "1.1";
    t.window = "Wed"; /* it is Thursday */
    t.window_end = WINDOW_END_STOP;
    t.preempt = PREEMPT_REQUEUE;
    runs(t, SLOT_WORKS, false);
    put(task(2, "b", 5));
    expect("1=requeue");
    expect_why(2, "task 1 is being stopped for it");
    slots_free(q);
}

/* Above 100 one of a name is stopped, and no second while it stops. */
static void one_of_a_key_is_stopped(void **state)
{
    (void)state;
    static const struct {
        SlotPhase first, other;
        int64_t runs, waits;
        const char *manual;
        bool by_hand;
        const char *decisions;
    } rows[] = {{SLOT_BUSY, SLOT_BUSY, 0, 101, NULL, false, "2=requeue"},
                {SLOT_STOPS, SLOT_BUSY, 0, 101, NULL, false, ""},
                {SLOT_BUSY, SLOT_STOPS, 0, 101, NULL, false, "2=requeue"}, /* of another name */
                {SLOT_BUSY, SLOT_BUSY, 150, 150, NULL, false, ""},
                {SLOT_BUSY, SLOT_BUSY, 0, 101, "a person starts", false, ""},
                {SLOT_BUSY, SLOT_BUSY, 0, 101, "a person starts", true, "2=requeue"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        SlotTask t[3] = {task(1, "a", 0), task(2, "b", rows[i].runs), task(3, "c", rows[i].waits)};
        open_world();
        for (int k = 0; k < 3; k++) {
            t[k].key = "api";
            t[k].limit.at_once = 2;
        }
        t[2].by_hand = rows[i].by_hand;
        runs(t[0], rows[i].first, false);
        runs(t[1], SLOT_WORKS, false);
        runs(task(9, "other", 0), rows[i].other, false);
        slots_manual(q, rows[i].manual);
        put(t[2]);
        expect(rows[i].decisions);
        slots_free(q);
    }
}

/* … and so is one of its group. */
static void one_of_a_group_is_stopped_above_100(void **state)
{
    (void)state;
    static const struct {
        int64_t runs, waits;
        const char *decisions;
    } rows[] = {{0, 100, ""}, {0, 101, "1=requeue"}, {150, 150, ""}, {149, 150, "1=requeue"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        SlotTask a = task(1, "a", rows[i].runs), b = task(2, "b", rows[i].waits);
        open_world();
        a.apart = b.apart = 1;
        runs(a, SLOT_WORKS, false);
        put(b);
        expect(rows[i].decisions);
        slots_free(q);
    }
}

static void a_recurrence_at_its_time(void **state)
{
    (void)state;
    assert_int_equal(decide_next_run_at(0, 5000, 600, true), 5600);
    assert_int_equal(decide_next_run_at(5000, 5000, 600, true), 5600);
    assert_int_equal(decide_next_run_at(5001, 5000, 600, true), 5001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_many_there_may_be),
        cmocka_unit_test(a_turn_has_an_end),
        cmocka_unit_test(what_is_kept_is_kept_for_the_first),
        cmocka_unit_test(who_sleeps_is_woken_alone),
        cmocka_unit_test(who_makes_room_on_a_replica),
        cmocka_unit_test(a_window_that_ends_makes_room_once),
        cmocka_unit_test(one_of_a_key_is_stopped),
        cmocka_unit_test(one_of_a_group_is_stopped_above_100),
        cmocka_unit_test(a_recurrence_at_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
