/* SPDX-License-Identifier: Apache-2.0
 * The run's table: every way out of a replica run leads through resuming, and no state is a trap.
 */
#include "test.h"

#include "replica-agent/core/run_machine.h"

static void happy_paths(void **state)
{
    (void)state;
    static const struct {
        RunSide side;
        RunEvent events[10];
        size_t n;
        RunState end;
    } paths[] = {
        {RUN_ON_REPLICA,
         {RUN_EV_APPLIED, RUN_EV_FROZEN, RUN_EV_GO, RUN_EV_JOB_OK, RUN_EV_SEALED, RUN_EV_RELEASED},
         6,
         RUN_CAUGHT_UP},
        {RUN_ON_REPLICA,
         {RUN_EV_APPLIED, RUN_EV_FROZEN, RUN_EV_ALIGN, RUN_EV_FROZEN, RUN_EV_GO, RUN_EV_SLEEP, RUN_EV_WAKE,
          RUN_EV_JOB_OK, RUN_EV_SEAL_FAILED, RUN_EV_RELEASED},
         10,
         RUN_CAUGHT_UP},
        {RUN_ON_PRIMARY, {RUN_EV_BEGIN, RUN_EV_NEXT, RUN_EV_JOB_OK, RUN_EV_SEALED}, 4, RUN_ENDED},
        {RUN_ON_PRIMARY, {RUN_EV_BEGIN, RUN_EV_CUT, RUN_EV_JOB_ENDED}, 3, RUN_ENDED},
        {RUN_ON_REPLICA, {RUN_EV_CUT}, 1, RUN_ENDED},
        {RUN_ON_REPLICA, {RUN_EV_APPLIED, RUN_EV_CUT, RUN_EV_RELEASED}, 3, RUN_CAUGHT_UP},
        {RUN_ON_REPLICA,
         {RUN_EV_APPLIED, RUN_EV_FROZEN, RUN_EV_GO, RUN_EV_CUT, RUN_EV_RELEASED, RUN_EV_JOB_ENDED,
          RUN_EV_RELEASED},
         7,
         RUN_CAUGHT_UP},
    };
    for (size_t i = 0; i < COUNT(paths); i++) {
        RunState s = RUN_ACCEPTED;
        for (size_t k = 0; k < paths[i].n; k++) {
            const RunRow *row = run_machine_find(paths[i].side, s, paths[i].events[k]);
            assert_non_null(row);
            s = row->to;
        }
        assert_int_equal(s, paths[i].end);
        assert_true(run_state_is_final(s));
    }
}

/* Once the applier may be stopped, only RESUMING leads to an end. */
static void nothing_leads_around_resuming(void **state)
{
    (void)state;
    for (int from = RUN_PAUSING; from < RUN_RESUMING; from++)
        for (int ev = 0; ev < RUN_EVENTS; ev++) {
            const RunRow *row = run_machine_find(RUN_ON_REPLICA, (RunState)from, (RunEvent)ev);
            /* A released pause has resumed already. */
            if (row && run_state_is_final(row->to))
                assert_int_equal(ev, RUN_EV_RELEASED);
        }
}

static bool can_end(RunSide side, RunState s, int depth)
{
    if (run_state_is_final(s))
        return true;
    for (int ev = 0; depth < 6 && ev < RUN_EVENTS; ev++) {
        const RunRow *row = run_machine_find(side, s, (RunEvent)ev);
        if (row && row->to != s && can_end(side, row->to, depth + 1))
            return true;
    }
    return false;
}

static void every_state_can_end(void **state)
{
    (void)state;
    for (int s = 0; s < RUN_STATES; s++) {
        assert_true(can_end(RUN_ON_REPLICA, (RunState)s, 0));
        bool on_primary = s == RUN_ACCEPTED || (s >= RUN_RUNNING && s <= RUN_SEALING);
        if (on_primary)
            assert_true(can_end(RUN_ON_PRIMARY, (RunState)s, 0));
    }
}

/* Whatever runs can be cut, also twice. */
static void a_cut_is_always_possible(void **state)
{
    (void)state;
    for (int s = 0; s < RUN_STATES; s++)
        if (!run_state_is_final((RunState)s))
            assert_non_null(run_machine_find(RUN_ON_REPLICA, (RunState)s, RUN_EV_CUT));
}

static void rows_are_unique(void **state)
{
    (void)state;
    /* A row for each side apart must not hide behind one for both. */
    for (int s = 0; s < RUN_STATES; s++)
        for (int ev = 0; ev < RUN_EVENTS; ev++) {
            const RunRow *a = run_machine_find(RUN_ON_REPLICA, (RunState)s, (RunEvent)ev);
            const RunRow *b = run_machine_find(RUN_ON_PRIMARY, (RunState)s, (RunEvent)ev);
            if (a && b && a != b)
                assert_true(a->side != RUN_ANYWHERE && b->side != RUN_ANYWHERE);
        }
}

static void names(void **state)
{
    (void)state;
    for (int s = 0; s < RUN_STATES; s++) {
        RunState back;
        assert_true(run_state_from_name(run_state_name((RunState)s), &back));
        assert_int_equal(back, s);
        assert_non_null(run_state_wire((RunState)s));
    }
    for (int e = 0; e < RUN_EVENTS; e++)
        assert_non_null(run_event_name((RunEvent)e));
    assert_string_equal(run_state_wire(RUN_CUTTING), "running");
    AUTO(str_done) Str out = STR_INIT;
    run_machine_draw(RUN_ON_REPLICA, &out);
    assert_non_null(strstr(str_z(&out), "running --> sealing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(happy_paths),         cmocka_unit_test(nothing_leads_around_resuming),
        cmocka_unit_test(every_state_can_end), cmocka_unit_test(a_cut_is_always_possible),
        cmocka_unit_test(rows_are_unique),     cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
