/* SPDX-License-Identifier: Apache-2.0 */
#include "coord_run.h"

#define S(state) (1u << CRUN_##state)

/* Agents are seen by long poll, so that short states may be jumped over: a row's `from` holds every state
 * that may come before. */
#define ANY_UNDER_WAY                                                                                        \
    (S(CLAIMED) | S(PAUSING) | S(RUNNING) | S(SLEEPING) | S(SEALING) | S(RESUMING) | S(CAUGHT_UP))
#define ANY_BEFORE_END (ANY_UNDER_WAY | S(UPLOADING))

/* clang-format off */
static const CoordRunRow rows[] = {
    {S(WAITING), CRUN_EV_CLAIM, CRUN_CLAIMED, CRUN_ACT_START,
     "chosen by the planner, the claim is on record"},
    {S(CLAIMED), CRUN_EV_PAUSING, CRUN_PAUSING, CRUN_ACT_NONE,
     "taken by every agent, replication is being stopped"},
    {S(CLAIMED) | S(PAUSING) | S(SLEEPING), CRUN_EV_RUNNING, CRUN_RUNNING, CRUN_ACT_NONE,
     "the job runs"},
    {S(CLAIMED) | S(PAUSING) | S(RUNNING), CRUN_EV_SLEEPING, CRUN_SLEEPING, CRUN_ACT_NONE,
     "put to sleep on request"},
    {S(CLAIMED) | S(PAUSING) | S(RUNNING) | S(SLEEPING), CRUN_EV_SEALING, CRUN_SEALING, CRUN_ACT_NONE,
     "the job ended well, its files are compressed and checksummed"},
    {S(CLAIMED) | S(PAUSING) | S(RUNNING) | S(SLEEPING) | S(SEALING), CRUN_EV_RESUMING, CRUN_RESUMING, CRUN_ACT_NONE,
     "the job is over, replication goes on at once"},
    {ANY_UNDER_WAY & ~S(CAUGHT_UP), CRUN_EV_CAUGHT_UP, CRUN_CAUGHT_UP, CRUN_ACT_SETTLE,
     "the buffered transactions are applied, settings are back"},
    {ANY_UNDER_WAY, CRUN_EV_UPLOAD, CRUN_UPLOADING, CRUN_ACT_SETTLE,
     "its result is to be loaded into the primary"},
    {ANY_BEFORE_END, CRUN_EV_OK, CRUN_DONE, CRUN_ACT_FORGET,
     "everything is done"},
    {ANY_BEFORE_END, CRUN_EV_FAILED, CRUN_ERROR, CRUN_ACT_FORGET,
     "over with an error"},
    {ANY_BEFORE_END, CRUN_EV_KILLED, CRUN_KILLED, CRUN_ACT_FORGET,
     "killed on request"},
    {ANY_BEFORE_END, CRUN_EV_STOPPED, CRUN_STOPPED, CRUN_ACT_FORGET,
     "stopped on request"},
    {S(CLAIMED), CRUN_EV_REFUSED, CRUN_ERROR, CRUN_ACT_FORGET,
     "no agent took the run"},
    {ANY_UNDER_WAY & ~S(CLAIMED) & ~S(CAUGHT_UP), CRUN_EV_LOST, CRUN_ERROR, CRUN_ACT_FORGET,
     "its agent knows nothing of it any more"},
    {S(ERROR) | S(KILLED) | S(STOPPED), CRUN_EV_UPLOAD, CRUN_UPLOADING, CRUN_ACT_SETTLE,
     "its upload is tried again"},
};
/* clang-format on */

static const char *const event_names[CRUN_EVENTS] = {
    "claim",  "pausing", "running", "sleeping", "sealing", "resuming", "caught up",
    "upload", "ok",      "failed",  "killed",   "stopped", "refused",  "lost",
};

const CoordRunRow *coord_run_find(CoordRunState state, CoordRunEvent event)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].event == event && (rows[i].from & (1u << state)))
            return &rows[i];
    return NULL;
}

const char *coord_run_state_name(CoordRunState s)
{
    return wire_enum_text(&coord_run_state_names, (int)s, NULL);
}

const char *coord_run_event_name(CoordRunEvent e)
{
    return event_names[e];
}

CoordRunAction coord_run_action(CoordRunState s)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].next == s)
            return rows[i].action;
    return CRUN_ACT_NONE;
}

void coord_run_diagram(Str *out)
{
    str_adds(out, "stateDiagram-v2\n    [*] --> waiting\n");
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int s = CRUN_WAITING; s < CRUN_UNKNOWN; s++)
            if (rows[i].from & (1u << s))
                str_addf(out, "    %s --> %s: %s\n", coord_run_state_name((CoordRunState)s),
                         coord_run_state_name(rows[i].next), event_names[rows[i].event]);
    for (int s = CRUN_DONE; s < CRUN_UNKNOWN; s++)
        str_addf(out, "    %s --> [*]\n", coord_run_state_name((CoordRunState)s));
}
