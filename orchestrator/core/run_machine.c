/* SPDX-License-Identifier: Apache-2.0 */
#include "run_machine.h"

#define S(state) (1u << RUN_##state)

/* Agents are seen by long poll, so that short states may be jumped over: a row's `from` holds every state
 * that may come before. */
#define ANY_UNDER_WAY                                                                                        \
    (S(CLAIMED) | S(PAUSING) | S(RUNNING) | S(SLEEPING) | S(SEALING) | S(RESUMING) | S(CAUGHT_UP))
#define ANY_BEFORE_END (ANY_UNDER_WAY | S(UPLOADING))

/* clang-format off */
static const RunRow rows[] = {
    {S(WAITING), RUN_EV_CLAIM, RUN_CLAIMED, RUN_ACT_START,
     "chosen by the planner, the claim is on record"},
    {S(CLAIMED), RUN_EV_PAUSING, RUN_PAUSING, RUN_ACT_NONE,
     "taken by every agent, replication is being stopped"},
    {S(CLAIMED) | S(PAUSING) | S(SLEEPING), RUN_EV_RUNNING, RUN_RUNNING, RUN_ACT_NONE,
     "the job runs"},
    {S(CLAIMED) | S(PAUSING) | S(RUNNING), RUN_EV_SLEEPING, RUN_SLEEPING, RUN_ACT_NONE,
     "put to sleep on request"},
    {S(CLAIMED) | S(PAUSING) | S(RUNNING) | S(SLEEPING), RUN_EV_SEALING, RUN_SEALING, RUN_ACT_NONE,
     "the job ended well, its files are compressed and checksummed"},
    {S(CLAIMED) | S(PAUSING) | S(RUNNING) | S(SLEEPING) | S(SEALING), RUN_EV_RESUMING, RUN_RESUMING, RUN_ACT_NONE,
     "the job is over, replication goes on at once"},
    {ANY_UNDER_WAY & ~S(CAUGHT_UP), RUN_EV_CAUGHT_UP, RUN_CAUGHT_UP, RUN_ACT_SETTLE,
     "the buffered transactions are applied, settings are back"},
    {ANY_UNDER_WAY, RUN_EV_UPLOAD, RUN_UPLOADING, RUN_ACT_SETTLE,
     "its result is to be loaded into the primary"},
    {ANY_BEFORE_END, RUN_EV_OK, RUN_DONE, RUN_ACT_FORGET,
     "everything is done"},
    {ANY_BEFORE_END, RUN_EV_FAILED, RUN_ERROR, RUN_ACT_FORGET,
     "over with an error"},
    {ANY_BEFORE_END, RUN_EV_KILLED, RUN_KILLED, RUN_ACT_FORGET,
     "killed on request"},
    {ANY_BEFORE_END, RUN_EV_STOPPED, RUN_STOPPED, RUN_ACT_FORGET,
     "stopped on request"},
    {S(CLAIMED), RUN_EV_REFUSED, RUN_ERROR, RUN_ACT_FORGET,
     "no agent took the run"},
    {ANY_UNDER_WAY & ~S(CLAIMED) & ~S(CAUGHT_UP), RUN_EV_LOST, RUN_ERROR, RUN_ACT_FORGET,
     "its agent knows nothing of it any more"},
    {S(ERROR) | S(KILLED) | S(STOPPED), RUN_EV_UPLOAD, RUN_UPLOADING, RUN_ACT_SETTLE,
     "its upload is tried again"},
};
/* clang-format on */

static const char *const state_names[RUN_STATES] = {
    "waiting",   "claimed",   "pausing", "running", "sleeping", "sealing", "resuming",
    "caught_up", "uploading", "done",    "error",   "killed",   "stopped",
};

static const char *const event_names[RUN_EVENTS] = {
    "claim",  "pausing", "running", "sleeping", "sealing", "resuming", "caught up",
    "upload", "ok",      "failed",  "killed",   "stopped", "refused",  "lost",
};

const RunRow *run_machine_find(RunState state, RunEvent event)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].event == event && (rows[i].from & (1u << state)))
            return &rows[i];
    return NULL;
}

const char *run_state_name(RunState s)
{
    return state_names[s];
}

bool run_state_from_name(const char *name, RunState *ret)
{
    for (int s = 0; s < RUN_STATES; s++)
        if (str_eq(name, state_names[s])) {
            *ret = (RunState)s;
            return true;
        }
    return false;
}

const char *run_event_name(RunEvent e)
{
    return event_names[e];
}

bool run_state_is_final(RunState s)
{
    return s >= RUN_DONE;
}

RunAction run_state_action(RunState s)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].next == s)
            return rows[i].action;
    return RUN_ACT_NONE;
}

void run_machine_diagram(Str *out)
{
    str_adds(out, "stateDiagram-v2\n    [*] --> waiting\n");
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int s = 0; s < RUN_STATES; s++)
            if (rows[i].from & (1u << s))
                str_addf(out, "    %s --> %s: %s\n", state_names[s], state_names[rows[i].next],
                         event_names[rows[i].event]);
    for (int s = RUN_DONE; s < RUN_STATES; s++)
        str_addf(out, "    %s --> [*]\n", state_names[s]);
}
