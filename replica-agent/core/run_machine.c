/* SPDX-License-Identifier: Apache-2.0 */
#include "run_machine.h"

#include "machine.h"

/* clang-format off */
static const RunRow rows[] = {
    {RUN_ON_REPLICA, RUN_ACCEPTED, RUN_EV_APPLIED, RUN_PAUSING, RUN_ACT_PAUSE, "its own submission is applied here"},
    {RUN_ON_REPLICA, RUN_ACCEPTED, RUN_EV_REFUSED, RUN_ENDED, RUN_ACT_FINISH, "it cannot begin, nothing was touched"},
    {RUN_ON_REPLICA, RUN_ACCEPTED, RUN_EV_CUT, RUN_ENDED, RUN_ACT_FINISH, "ended before anything was touched"},

    {RUN_ON_REPLICA, RUN_PAUSING, RUN_EV_FROZEN, RUN_FROZEN, RUN_ACT_AT_BARRIER, "the replica stands at an exact GTID"},
    {RUN_ON_REPLICA, RUN_PAUSING, RUN_EV_REFUSED, RUN_RESUMING, RUN_ACT_RESUME, "the pause failed"},
    {RUN_ON_REPLICA, RUN_PAUSING, RUN_EV_CUT, RUN_RESUMING, RUN_ACT_RESUME, "ended before the job began"},
    {RUN_ON_REPLICA, RUN_PAUSING, RUN_EV_RELEASED, RUN_CAUGHT_UP, RUN_ACT_FINISH, "the pause failed, replication runs"},

    {RUN_ON_REPLICA, RUN_FROZEN, RUN_EV_ALIGN, RUN_FROZEN, RUN_ACT_ALIGN, "another replica stands further on"},
    {RUN_ON_REPLICA, RUN_FROZEN, RUN_EV_FROZEN, RUN_FROZEN, RUN_ACT_NONE, "stands at the common GTID"},
    {RUN_ON_REPLICA, RUN_FROZEN, RUN_EV_GO, RUN_RUNNING, RUN_ACT_PROGRAM, "all stand at one GTID"},
    {RUN_ON_REPLICA, RUN_FROZEN, RUN_EV_REFUSED, RUN_RESUMING, RUN_ACT_RESUME, "the common GTID was not reached"},
    {RUN_ON_REPLICA, RUN_FROZEN, RUN_EV_RELEASED, RUN_CAUGHT_UP, RUN_ACT_FINISH, "the pause ended before the job began, replication runs"},
    {RUN_ON_REPLICA, RUN_FROZEN, RUN_EV_CUT, RUN_RESUMING, RUN_ACT_RESUME, "ended before the job began"},

    {RUN_ON_PRIMARY, RUN_ACCEPTED, RUN_EV_BEGIN, RUN_RUNNING, RUN_ACT_PROGRAM, "replication is not touched on a primary"},
    {RUN_ON_PRIMARY, RUN_ACCEPTED, RUN_EV_REFUSED, RUN_ENDED, RUN_ACT_FINISH, "it cannot begin"},
    {RUN_ON_PRIMARY, RUN_ACCEPTED, RUN_EV_CUT, RUN_ENDED, RUN_ACT_FINISH, "ended before the job began"},

    {RUN_ANYWHERE, RUN_RUNNING, RUN_EV_SLEEP, RUN_SLEEPING, RUN_ACT_SLEEP, "asked to sleep"},
    {RUN_ANYWHERE, RUN_RUNNING, RUN_EV_WAKE, RUN_RUNNING, RUN_ACT_NONE, "awake already"},
    {RUN_ANYWHERE, RUN_RUNNING, RUN_EV_NEXT, RUN_RUNNING, RUN_ACT_NEXT_PROGRAM, "the next program follows"},
    {RUN_ANYWHERE, RUN_RUNNING, RUN_EV_JOB_OK, RUN_SEALING, RUN_ACT_SEAL, "the job ended well"},
    {RUN_ON_REPLICA, RUN_RUNNING, RUN_EV_JOB_ENDED, RUN_RESUMING, RUN_ACT_RESUME, "the job failed"},
    {RUN_ON_PRIMARY, RUN_RUNNING, RUN_EV_JOB_ENDED, RUN_ENDED, RUN_ACT_FINISH, "the job failed"},
    {RUN_ANYWHERE, RUN_RUNNING, RUN_EV_CUT, RUN_CUTTING, RUN_ACT_CUT, "the job must end"},

    {RUN_ANYWHERE, RUN_SLEEPING, RUN_EV_WAKE, RUN_RUNNING, RUN_ACT_WAKE, "asked to wake"},
    {RUN_ANYWHERE, RUN_SLEEPING, RUN_EV_SLEEP, RUN_SLEEPING, RUN_ACT_NONE, "asleep already"},
    {RUN_ANYWHERE, RUN_SLEEPING, RUN_EV_NEXT, RUN_RUNNING, RUN_ACT_NEXT_PROGRAM, "it ended before it slept"},
    {RUN_ANYWHERE, RUN_SLEEPING, RUN_EV_JOB_OK, RUN_SEALING, RUN_ACT_SEAL, "it ended before it slept"},
    {RUN_ON_REPLICA, RUN_SLEEPING, RUN_EV_JOB_ENDED, RUN_RESUMING, RUN_ACT_RESUME, "the job failed"},
    {RUN_ON_PRIMARY, RUN_SLEEPING, RUN_EV_JOB_ENDED, RUN_ENDED, RUN_ACT_FINISH, "the job failed"},
    {RUN_ANYWHERE, RUN_SLEEPING, RUN_EV_CUT, RUN_CUTTING, RUN_ACT_CUT, "the job must end"},

    {RUN_ANYWHERE, RUN_CUTTING, RUN_EV_CUT, RUN_CUTTING, RUN_ACT_CUT, "asked again"},
    {RUN_ANYWHERE, RUN_CUTTING, RUN_EV_SLEEP, RUN_CUTTING, RUN_ACT_NONE, "it is being ended"},
    {RUN_ANYWHERE, RUN_CUTTING, RUN_EV_WAKE, RUN_CUTTING, RUN_ACT_NONE, "it is being ended"},
    {RUN_ON_REPLICA, RUN_CUTTING, RUN_EV_RELEASED, RUN_CUTTING, RUN_ACT_NONE, "replication runs, the job is not gone yet"},
    {RUN_ON_REPLICA, RUN_CUTTING, RUN_EV_JOB_ENDED, RUN_RESUMING, RUN_ACT_RESUME, "the job is gone"},
    {RUN_ON_PRIMARY, RUN_CUTTING, RUN_EV_JOB_ENDED, RUN_ENDED, RUN_ACT_FINISH, "the job is gone"},

    {RUN_ON_REPLICA, RUN_SEALING, RUN_EV_SEALED, RUN_RESUMING, RUN_ACT_RESUME, "the result is complete and on disk"},
    {RUN_ON_REPLICA, RUN_SEALING, RUN_EV_SEAL_FAILED, RUN_RESUMING, RUN_ACT_RESUME, "no result"},
    {RUN_ON_PRIMARY, RUN_SEALING, RUN_EV_SEALED, RUN_ENDED, RUN_ACT_FINISH, "the result is complete and on disk"},
    {RUN_ON_PRIMARY, RUN_SEALING, RUN_EV_SEAL_FAILED, RUN_ENDED, RUN_ACT_FINISH, "no result"},
    {RUN_ANYWHERE, RUN_SEALING, RUN_EV_CUT, RUN_CUTTING, RUN_ACT_CUT, "sealing must end"},
    {RUN_ANYWHERE, RUN_SEALING, RUN_EV_SLEEP, RUN_SEALING, RUN_ACT_NONE, "sealing does not sleep"},
    {RUN_ANYWHERE, RUN_SEALING, RUN_EV_WAKE, RUN_SEALING, RUN_ACT_NONE, "sealing does not sleep"},
    {RUN_ON_REPLICA, RUN_SEALING, RUN_EV_LIMIT_SEALING, RUN_SEALING, RUN_ACT_RESUME_EARLY, "the frozen data are not needed any more"},
    {RUN_ON_REPLICA, RUN_SEALING, RUN_EV_RELEASED, RUN_SEALING, RUN_ACT_NONE, "caught up while sealing goes on"},

    {RUN_ON_REPLICA, RUN_RESUMING, RUN_EV_RELEASED, RUN_CAUGHT_UP, RUN_ACT_FINISH, "all is applied, settings are back"},
    {RUN_ON_REPLICA, RUN_RESUMING, RUN_EV_REFUSED, RUN_RESUMING, RUN_ACT_NONE, "already ending"},
    {RUN_ON_REPLICA, RUN_RESUMING, RUN_EV_CUT, RUN_RESUMING, RUN_ACT_NONE, "already ending"},
    {RUN_ON_REPLICA, RUN_RESUMING, RUN_EV_SLEEP, RUN_RESUMING, RUN_ACT_NONE, "already ending"},
    {RUN_ON_REPLICA, RUN_RESUMING, RUN_EV_WAKE, RUN_RESUMING, RUN_ACT_NONE, "already ending"},

    {RUN_ON_REPLICA, RUN_CAUGHT_UP, RUN_EV_GATHER, RUN_GATHERING, RUN_ACT_GATHER, "the results of the other replicas are fetched"},
    {RUN_ON_REPLICA, RUN_GATHERING, RUN_EV_JOB_OK, RUN_CAUGHT_UP, RUN_ACT_FINISH, "the results of all replicas are one"},
    {RUN_ON_REPLICA, RUN_GATHERING, RUN_EV_JOB_ENDED, RUN_CAUGHT_UP, RUN_ACT_FINISH, "the results of the other replicas are not here"},
    {RUN_ON_REPLICA, RUN_GATHERING, RUN_EV_CUT, RUN_GATHERING, RUN_ACT_CUT, "gathering must end"},
    {RUN_ON_REPLICA, RUN_GATHERING, RUN_EV_SLEEP, RUN_GATHERING, RUN_ACT_NONE, "gathering does not sleep"},
    {RUN_ON_REPLICA, RUN_GATHERING, RUN_EV_WAKE, RUN_GATHERING, RUN_ACT_NONE, "gathering does not sleep"},
};

static const struct {
    const char *name, *wire;
    RunAction again;
} states[RUN_STATES] = {
    [RUN_ACCEPTED] = {"accepted", "accepted", RUN_ACT_AWAIT_APPLIED},
    [RUN_PAUSING] = {"pausing", "pausing", RUN_ACT_PAUSE},
    [RUN_FROZEN] = {"frozen", "frozen", RUN_ACT_AT_BARRIER},
    [RUN_RUNNING] = {"running", "running", RUN_ACT_PROGRAM},
    [RUN_SLEEPING] = {"sleeping", "sleeping", RUN_ACT_PROGRAM},
    [RUN_CUTTING] = {"cutting", "running", RUN_ACT_CUT},
    [RUN_SEALING] = {"sealing", "sealing", RUN_ACT_SEAL},
    [RUN_RESUMING] = {"resuming", "resuming", RUN_ACT_RESUME},
    [RUN_CAUGHT_UP] = {"caught_up", "caught_up", RUN_ACT_NONE},
    [RUN_GATHERING] = {"gathering", "gathering", RUN_ACT_GATHER},
    [RUN_ENDED] = {"ended", "ended", RUN_ACT_NONE},
};
/* clang-format on */

static const char *const events[RUN_EVENTS] = {
    [RUN_EV_BEGIN] = "begin",
    [RUN_EV_APPLIED] = "applied",
    [RUN_EV_REFUSED] = "refused",
    [RUN_EV_FROZEN] = "frozen",
    [RUN_EV_ALIGN] = "align",
    [RUN_EV_GO] = "go",
    [RUN_EV_SLEEP] = "sleep",
    [RUN_EV_WAKE] = "wake",
    [RUN_EV_CUT] = "cut",
    [RUN_EV_NEXT] = "next program",
    [RUN_EV_JOB_OK] = "job ok",
    [RUN_EV_JOB_ENDED] = "job ended",
    [RUN_EV_SEALED] = "sealed",
    [RUN_EV_SEAL_FAILED] = "seal failed",
    [RUN_EV_LIMIT_SEALING] = "pause limit while sealing",
    [RUN_EV_RELEASED] = "released",
    [RUN_EV_GATHER] = "gather",
};

const RunRow *run_machine_find(RunSide side, RunState from, RunEvent event)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if ((rows[i].side & side) && rows[i].from == from && rows[i].event == event)
            return &rows[i];
    return NULL;
}

RunAction run_machine_again(RunState s)
{
    return states[s].again;
}

const char *run_state_name(RunState s)
{
    return states[s].name;
}

const char *run_state_wire(RunState s)
{
    return states[s].wire;
}

const char *run_event_name(RunEvent e)
{
    return events[e];
}

bool run_state_from_name(const char *name, RunState *ret)
{
    for (size_t i = 0; i < RUN_STATES; i++)
        if (str_eq(states[i].name, name)) {
            *ret = (RunState)i;
            return true;
        }
    return false;
}

bool run_state_is_final(RunState s)
{
    return s == RUN_CAUGHT_UP || s == RUN_ENDED;
}

void run_machine_draw(RunSide side, Str *out)
{
    str_adds(out, "stateDiagram-v2\n    [*] --> accepted\n");
    for (size_t i = 0; i < COUNT(rows); i++)
        if ((rows[i].side & side) && (rows[i].from != rows[i].to || rows[i].action != RUN_ACT_NONE))
            machine_draw_edge(out, states[rows[i].from].name, states[rows[i].to].name, events[rows[i].event],
                              rows[i].reason);
    str_adds(out,
             side == RUN_ON_REPLICA ? "    caught_up --> [*]\n    ended --> [*]\n" : "    ended --> [*]\n");
}
