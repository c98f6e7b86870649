/* SPDX-License-Identifier: Apache-2.0
 * Which event leads a run from which states to which.
 */
#include "coord_run_impl.h"

/* clang-format off */
static const CoordRunRow rows[] = {
    {S(WAITING), CRUN_EV_CLAIM, CRUN_CLAIMED,
     "chosen by the planner, the claim is on record"},
    {S(CLAIMED), CRUN_EV_PAUSING, CRUN_PAUSING,
     "taken by every agent, replication is being stopped"},
    {S(CLAIMED) | S(PAUSING) | S(SLEEPING), CRUN_EV_RUNNING, CRUN_RUNNING,
     "the job runs"},
    {S(CLAIMED) | S(PAUSING) | S(RUNNING), CRUN_EV_SLEEPING, CRUN_SLEEPING,
     "put to sleep on request"},
    {S(CLAIMED) | S(PAUSING) | S(RUNNING) | S(SLEEPING), CRUN_EV_SEALING, CRUN_SEALING,
     "the job ended well, its files are compressed and checksummed"},
    {S(CLAIMED) | S(PAUSING) | S(RUNNING) | S(SLEEPING) | S(SEALING), CRUN_EV_RESUMING, CRUN_RESUMING,
     "the job is over, replication goes on at once"},
    {BEFORE_CAUGHT_UP, CRUN_EV_CAUGHT_UP, CRUN_CAUGHT_UP,
     "the buffered transactions are applied, settings are back"},
    {ANY_UNDER_WAY, CRUN_EV_UPLOAD, CRUN_UPLOADING,
     "its result is to be loaded into the primary"},
    {ANY_BEFORE_END, CRUN_EV_OK, CRUN_DONE,
     "everything is done"},
    {ANY_BEFORE_END, CRUN_EV_FAILED, CRUN_ERROR,
     "over with an error"},
    {ANY_BEFORE_END, CRUN_EV_KILLED, CRUN_KILLED,
     "killed on request"},
    {ANY_BEFORE_END, CRUN_EV_STOPPED, CRUN_STOPPED,
     "stopped on request"},
    {S(CLAIMED), CRUN_EV_REFUSED, CRUN_ERROR,
     "no agent took the run"},
    {BEFORE_CAUGHT_UP & ~S(CLAIMED), CRUN_EV_LOST, CRUN_ERROR,
     "its agent knows nothing of it any more"},
    {S(ERROR) | S(KILLED) | S(STOPPED), CRUN_EV_UPLOAD, CRUN_UPLOADING,
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
