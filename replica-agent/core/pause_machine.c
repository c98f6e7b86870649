/* SPDX-License-Identifier: Apache-2.0 */
#include "pause_machine.h"

#include "machine.h"

/* clang-format off */
static const PauseRow rows[] = {
    {PAUSE_NONE, PAUSE_EV_TAKE, PAUSE_PAUSING, PAUSE_ACT_STOP, "the lease is on disk, the applier may be stopped"},
    {PAUSE_NONE, PAUSE_EV_RESCUE, PAUSE_RESCUING, PAUSE_ACT_RESCUE, "the server's start found transactions that nobody has applied"},

    {PAUSE_PAUSING, PAUSE_EV_NOT_WRITTEN, PAUSE_NONE, PAUSE_ACT_NONE, "the lease cannot be written, nothing was stopped"},
    {PAUSE_PAUSING, PAUSE_EV_STOPPED, PAUSE_FROZEN, PAUSE_ACT_NONE, "the applier stands at an exact GTID"},
    {PAUSE_PAUSING, PAUSE_EV_STOP_FAILED, PAUSE_RESUMING, PAUSE_ACT_START, "the server refused, make sure it applies"},
    {PAUSE_PAUSING, PAUSE_EV_STOP_UNKNOWN, PAUSE_ABANDONED, PAUSE_ACT_AWAIT_STOP, "the STOP may still take effect"},
    {PAUSE_PAUSING, PAUSE_EV_RELEASE, PAUSE_ABANDONED, PAUSE_ACT_NONE, "given up while the STOP is under way"},
    {PAUSE_PAUSING, PAUSE_EV_RESTARTED, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted, its threads stand still"},
    {PAUSE_PAUSING, PAUSE_EV_RESTARTED_HELD, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted before it was frozen"},

    {PAUSE_ABANDONED, PAUSE_EV_STOPPED, PAUSE_RESUMING, PAUSE_ACT_START, "seen stopped, nobody wants it"},
    {PAUSE_ABANDONED, PAUSE_EV_STOP_FAILED, PAUSE_RESUMING, PAUSE_ACT_START, "the STOP had no effect"},
    {PAUSE_ABANDONED, PAUSE_EV_STOP_UNKNOWN, PAUSE_ABANDONED, PAUSE_ACT_AWAIT_STOP, "the STOP may still take effect"},
    {PAUSE_ABANDONED, PAUSE_EV_RELEASE, PAUSE_ABANDONED, PAUSE_ACT_NONE, "already given up"},
    {PAUSE_ABANDONED, PAUSE_EV_RESTARTED, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted, its threads stand still"},
    {PAUSE_ABANDONED, PAUSE_EV_RESTARTED_HELD, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted, its threads stand still"},

    {PAUSE_FROZEN, PAUSE_EV_ALIGN, PAUSE_ALIGNING, PAUSE_ACT_ALIGN, "another replica stands further on"},
    {PAUSE_FROZEN, PAUSE_EV_RELEASE, PAUSE_RESUMING, PAUSE_ACT_START, "the pause is over"},
    {PAUSE_FROZEN, PAUSE_EV_MOVED, PAUSE_RESUMING, PAUSE_ACT_START, "somebody started the applier"},
    {PAUSE_FROZEN, PAUSE_EV_RESTARTED, PAUSE_RESUMING, PAUSE_ACT_START, "a restart of the server ends the pause"},
    {PAUSE_FROZEN, PAUSE_EV_RESTARTED_HELD, PAUSE_FROZEN, PAUSE_ACT_NONE, "held by a person over restarts"},

    {PAUSE_ALIGNING, PAUSE_EV_STOPPED, PAUSE_FROZEN, PAUSE_ACT_NONE, "stands at the common GTID"},
    {PAUSE_ALIGNING, PAUSE_EV_STOP_FAILED, PAUSE_ABANDONED, PAUSE_ACT_AWAIT_STOP, "the common GTID was not reached"},
    {PAUSE_ALIGNING, PAUSE_EV_STOP_UNKNOWN, PAUSE_ABANDONED, PAUSE_ACT_AWAIT_STOP, "the STOP may still take effect"},
    {PAUSE_ALIGNING, PAUSE_EV_RELEASE, PAUSE_ABANDONED, PAUSE_ACT_NONE, "given up while aligning"},
    {PAUSE_ALIGNING, PAUSE_EV_RESTARTED, PAUSE_RESUMING, PAUSE_ACT_START, "a restart of the server ends the pause"},
    {PAUSE_ALIGNING, PAUSE_EV_RESTARTED_HELD, PAUSE_RESUMING, PAUSE_ACT_START, "a restart of the server ends the pause"},

    {PAUSE_RESUMING, PAUSE_EV_STARTED, PAUSE_CATCHING_UP, PAUSE_ACT_WATCH, "the applier runs"},
    {PAUSE_RESUMING, PAUSE_EV_START_FAILED, PAUSE_RESUMING, PAUSE_ACT_NONE, "not started yet, try again later"},
    {PAUSE_RESUMING, PAUSE_EV_RELEASE, PAUSE_RESUMING, PAUSE_ACT_NONE, "already resuming"},
    {PAUSE_RESUMING, PAUSE_EV_RESTARTED, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted"},
    {PAUSE_RESUMING, PAUSE_EV_RESTARTED_HELD, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted"},

    {PAUSE_RESUMING, PAUSE_EV_TAKEN_OVER, PAUSE_RESTORING, PAUSE_ACT_RESTORE, "all is applied, and a failover keeps its receiver stopped"},
    {PAUSE_RESUMING, PAUSE_EV_RESCUE, PAUSE_RESCUING, PAUSE_ACT_RESCUE, "a START would throw away what the relay files hold"},

    {PAUSE_RESCUING, PAUSE_EV_RESCUED, PAUSE_RESUMING, PAUSE_ACT_START, "all that was received is applied"},
    {PAUSE_RESCUING, PAUSE_EV_RESCUE_FAILED, PAUSE_RESCUING, PAUSE_ACT_NONE, "not all is applied yet, try again later"},
    {PAUSE_RESCUING, PAUSE_EV_RESCUE_DISTURBED, PAUSE_RESUMING, PAUSE_ACT_START, "somebody has started replication, or its source is gone: look again"},
    {PAUSE_RESCUING, PAUSE_EV_RELEASE, PAUSE_RESCUING, PAUSE_ACT_NONE, "already resuming"},
    {PAUSE_RESCUING, PAUSE_EV_RESTARTED, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted, look again"},
    {PAUSE_RESCUING, PAUSE_EV_RESTARTED_HELD, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted, look again"},

    {PAUSE_CATCHING_UP, PAUSE_EV_CAUGHT_UP, PAUSE_RESTORING, PAUSE_ACT_RESTORE, "what was received is applied"},
    {PAUSE_CATCHING_UP, PAUSE_EV_TAKEN_OVER, PAUSE_RESTORING, PAUSE_ACT_RESTORE, "the applier was stopped by others: it is left as it is"},
    {PAUSE_CATCHING_UP, PAUSE_EV_APPLIER_FAILED, PAUSE_RESUMING, PAUSE_ACT_START, "the applier failed, the files hold what is left"},
    {PAUSE_CATCHING_UP, PAUSE_EV_START_FAILED, PAUSE_RESUMING, PAUSE_ACT_START, "the applier stands after a change of how it applies"},
    {PAUSE_CATCHING_UP, PAUSE_EV_RELEASE, PAUSE_CATCHING_UP, PAUSE_ACT_NONE, "already resumed"},
    {PAUSE_CATCHING_UP, PAUSE_EV_RESTARTED, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted"},
    {PAUSE_CATCHING_UP, PAUSE_EV_RESTARTED_HELD, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted"},

    {PAUSE_RESTORING, PAUSE_EV_RESTORED, PAUSE_NONE, PAUSE_ACT_DROP, "the pause is over"},
    {PAUSE_RESTORING, PAUSE_EV_RESTORE_FAILED, PAUSE_RESTORING, PAUSE_ACT_RESTORE, "not restored yet, try again"},
    {PAUSE_RESTORING, PAUSE_EV_STALLED, PAUSE_RESUMING, PAUSE_ACT_START, "kept transactions are missing, look again"},
    {PAUSE_RESTORING, PAUSE_EV_RELEASE, PAUSE_RESTORING, PAUSE_ACT_NONE, "already resumed"},
    {PAUSE_RESTORING, PAUSE_EV_RESTARTED, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted"},
    {PAUSE_RESTORING, PAUSE_EV_RESTARTED_HELD, PAUSE_RESUMING, PAUSE_ACT_START, "the server restarted"},
};

static const struct {
    const char *name, *phase;
    PauseAction again;
} states[PAUSE_STATES] = {
    [PAUSE_NONE] = {"none", NULL, PAUSE_ACT_NONE},
    [PAUSE_PAUSING] = {"pausing", "pausing", PAUSE_ACT_STOP},
    [PAUSE_ABANDONED] = {"abandoned", "pausing", PAUSE_ACT_AWAIT_STOP},
    [PAUSE_FROZEN] = {"frozen", "frozen", PAUSE_ACT_NONE},
    [PAUSE_ALIGNING] = {"aligning", "pausing", PAUSE_ACT_ALIGN},
    [PAUSE_RESUMING] = {"resuming", "resuming", PAUSE_ACT_START},
    [PAUSE_RESCUING] = {"rescuing", "rescuing", PAUSE_ACT_RESCUE},
    [PAUSE_CATCHING_UP] = {"catching_up", "catching_up", PAUSE_ACT_WATCH},
    [PAUSE_RESTORING] = {"restoring", "catching_up", PAUSE_ACT_RESTORE},
};
/* clang-format on */

static const char *const events[PAUSE_EVENTS] = {
    [PAUSE_EV_TAKE] = "take",
    [PAUSE_EV_NOT_WRITTEN] = "not written",
    [PAUSE_EV_STOPPED] = "stopped",
    [PAUSE_EV_STOP_FAILED] = "stop failed",
    [PAUSE_EV_STOP_UNKNOWN] = "stop unanswered",
    [PAUSE_EV_ALIGN] = "align",
    [PAUSE_EV_RELEASE] = "release",
    [PAUSE_EV_MOVED] = "moved",
    [PAUSE_EV_RESTARTED] = "server restarted",
    [PAUSE_EV_RESTARTED_HELD] = "server restarted, held",
    [PAUSE_EV_STARTED] = "started",
    [PAUSE_EV_START_FAILED] = "start failed",
    [PAUSE_EV_RESCUE] = "rescue",
    [PAUSE_EV_RESCUED] = "rescued",
    [PAUSE_EV_RESCUE_FAILED] = "rescue failed",
    [PAUSE_EV_APPLIER_FAILED] = "applier failed",
    [PAUSE_EV_RESCUE_DISTURBED] = "rescue disturbed",
    [PAUSE_EV_STALLED] = "stalled",
    [PAUSE_EV_CAUGHT_UP] = "caught up",
    [PAUSE_EV_TAKEN_OVER] = "taken over",
    [PAUSE_EV_RESTORED] = "restored",
    [PAUSE_EV_RESTORE_FAILED] = "restore failed",
};

const PauseRow *pause_machine_find(PauseState from, PauseEvent event)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].from == from && rows[i].event == event)
            return &rows[i];
    return NULL;
}

PauseAction pause_machine_again(PauseState s)
{
    return states[s].again;
}

const char *pause_state_name(PauseState s)
{
    return states[s].name;
}

const char *pause_state_phase(PauseState s)
{
    return states[s].phase;
}

const char *pause_event_name(PauseEvent e)
{
    return events[e];
}

PauseState pause_state_of_lease(const char *name)
{
    for (size_t i = PAUSE_NONE + 1; i < PAUSE_STATES; i++)
        if (str_eq(states[i].name, name))
            return (PauseState)i;
    return PAUSE_ABANDONED;
}

void pause_machine_draw(Str *out)
{
    str_adds(out, "stateDiagram-v2\n    [*] --> none\n");
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].from != rows[i].to || rows[i].action != PAUSE_ACT_NONE)
            machine_draw_edge(out, states[rows[i].from].name, states[rows[i].to].name, events[rows[i].event],
                              rows[i].reason);
}
