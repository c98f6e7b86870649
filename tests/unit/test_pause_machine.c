/* SPDX-License-Identifier: Apache-2.0
 * The lease's table: it ends only once the settings are back, a release and a restart are possible from
 * every state, and a STOP without an answer is never forgotten.
 */
#include "test.h"

#include "replica-agent/core/pause_machine.h"

static PauseState walk(PauseState s, const PauseEvent *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const PauseRow *row = pause_machine_find(s, events[i]);
        assert_non_null(row);
        s = row->to;
    }
    return s;
}

static void a_whole_pause(void **state)
{
    (void)state;
    static const PauseEvent events[] = {PAUSE_EV_TAKE,    PAUSE_EV_STOPPED,   PAUSE_EV_ALIGN,
                                        PAUSE_EV_STOPPED, PAUSE_EV_RELEASE,   PAUSE_EV_START_FAILED,
                                        PAUSE_EV_STARTED, PAUSE_EV_CAUGHT_UP, PAUSE_EV_RESTORE_FAILED,
                                        PAUSE_EV_RESTORED};
    assert_int_equal(walk(PAUSE_NONE, events, COUNT(events)), PAUSE_NONE);
}

static void an_unanswered_stop_is_awaited_then_started(void **state)
{
    (void)state;
    static const PauseEvent events[] = {PAUSE_EV_TAKE, PAUSE_EV_STOP_UNKNOWN, PAUSE_EV_RELEASE,
                                        PAUSE_EV_STOP_UNKNOWN, PAUSE_EV_STOPPED};
    assert_int_equal(walk(PAUSE_NONE, events, COUNT(events)), PAUSE_RESUMING);
    assert_int_equal(pause_machine_again(PAUSE_ABANDONED), PAUSE_ACT_AWAIT_STOP);
}

static void released_while_stopping(void **state)
{
    (void)state;
    static const PauseEvent events[] = {PAUSE_EV_TAKE, PAUSE_EV_RELEASE, PAUSE_EV_STOPPED};
    assert_int_equal(walk(PAUSE_NONE, events, COUNT(events)), PAUSE_RESUMING);
}

static void only_restored_settings_end_it(void **state)
{
    (void)state;
    for (int s = 0; s < PAUSE_STATES; s++)
        for (int e = 0; e < PAUSE_EVENTS; e++) {
            const PauseRow *row = pause_machine_find((PauseState)s, (PauseEvent)e);
            if (!row || row->to != PAUSE_NONE)
                continue;
            if (e == PAUSE_EV_NOT_WRITTEN) { /* nothing was stopped */
                assert_int_equal(s, PAUSE_PAUSING);
                continue;
            }
            assert_int_equal(s, PAUSE_RESTORING);
            assert_int_equal(e, PAUSE_EV_RESTORED);
        }
}

static void every_state_takes_a_release_and_a_restart(void **state)
{
    (void)state;
    static const PauseEvent events[] = {PAUSE_EV_RELEASE, PAUSE_EV_RESTARTED, PAUSE_EV_RESTARTED_HELD};
    for (int s = PAUSE_PAUSING; s < PAUSE_STATES; s++)
        for (size_t i = 0; i < COUNT(events); i++) {
            const PauseRow *row = pause_machine_find((PauseState)s, events[i]);
            assert_non_null(row);
            assert_int_not_equal(row->to, PAUSE_NONE);
        }
}

static void held_over_a_restart_only_when_frozen(void **state)
{
    (void)state;
    for (int s = PAUSE_PAUSING; s < PAUSE_STATES; s++) {
        const PauseRow *row = pause_machine_find((PauseState)s, PAUSE_EV_RESTARTED_HELD);
        assert_int_equal(row->to, s == PAUSE_FROZEN ? PAUSE_FROZEN : PAUSE_RESUMING);
    }
}

/* What the relay files hold is applied before a START, and looked at again after every restart. */
static void a_rescue_ends_in_a_start(void **state)
{
    (void)state;
    static const PauseEvent at_boot[] = {PAUSE_EV_RESCUE, PAUSE_EV_RESCUE_FAILED, PAUSE_EV_RESCUED,
                                         PAUSE_EV_STARTED};
    static const PauseEvent killed[] = {PAUSE_EV_RESCUE, PAUSE_EV_RESTARTED, PAUSE_EV_RESCUE,
                                        PAUSE_EV_RESCUED};
    assert_int_equal(walk(PAUSE_NONE, at_boot, COUNT(at_boot)), PAUSE_CATCHING_UP);
    static const PauseEvent disturbed[] = {PAUSE_EV_RESCUE, PAUSE_EV_RESCUE_DISTURBED, PAUSE_EV_STARTED};
    assert_int_equal(walk(PAUSE_NONE, killed, COUNT(killed)), PAUSE_RESUMING);
    assert_int_equal(walk(PAUSE_NONE, disturbed, COUNT(disturbed)), PAUSE_CATCHING_UP);
    assert_int_equal(pause_machine_again(PAUSE_RESCUING), PAUSE_ACT_RESCUE);
    for (int e = 0; e < PAUSE_EVENTS; e++) {
        const PauseRow *row = pause_machine_find(PAUSE_RESCUING, (PauseEvent)e);
        if (row && row->to != PAUSE_RESCUING)
            assert_int_equal(row->action, PAUSE_ACT_START);
    }
}

static void names(void **state)
{
    (void)state;
    for (int s = 0; s < PAUSE_STATES; s++) {
        assert_int_equal(pause_state_of_lease(pause_state_name((PauseState)s)),
                         s == PAUSE_NONE ? PAUSE_ABANDONED : s);
        if (s != PAUSE_NONE)
            assert_non_null(pause_state_phase((PauseState)s));
    }
    assert_int_equal(pause_state_of_lease("of another version"), PAUSE_ABANDONED);
    assert_int_equal(pause_state_of_lease(NULL), PAUSE_ABANDONED);
    for (int e = 0; e < PAUSE_EVENTS; e++)
        assert_non_null(pause_event_name((PauseEvent)e));
    AUTO(str_done) Str out = STR_INIT;
    pause_machine_draw(&out);
    assert_non_null(strstr(str_z(&out), "restoring --> none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_pause),
        cmocka_unit_test(an_unanswered_stop_is_awaited_then_started),
        cmocka_unit_test(released_while_stopping),
        cmocka_unit_test(only_restored_settings_end_it),
        cmocka_unit_test(every_state_takes_a_release_and_a_restart),
        cmocka_unit_test(held_over_a_restart_only_when_frozen),
        cmocka_unit_test(a_rescue_ends_in_a_start),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
