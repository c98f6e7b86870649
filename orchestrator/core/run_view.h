/* SPDX-License-Identifier: Apache-2.0
 * What the agents report of one run, seen together: the event for the run machine, and what a barrier
 * (several replicas at one GTID) wants next. Pure.
 */
#pragma once

#include "common/wire/wire_run.h"
#include "coord_run.h"

typedef struct RunView {
    bool any;            /* some agent reported it */
    bool complete;       /* every agent did */
    bool over;           /* every agent has finished its part */
    CoordRunEvent event; /* where the least advanced agent is; valid when complete and not over;
                          CRUN_EVENTS: nothing to tell yet */
    CoordRunEvent end;   /* when over: OK, FAILED, KILLED or STOPPED, the worst of them */
    size_t failed;       /* index of the part that failed first; n: none did */
    bool sealed;         /* every part that is over well has sealed its result */
    bool all_stopped;    /* barrier: every part stands frozen */
    bool all_aligned;    /* barrier: every part says that it stands at the common GTID */
    bool left; /* barrier: all were aligned, and some part has begun: those still frozen were not told */
} RunView;

/* `parts`: one an agent of the run, NULL where that agent does not report it. A lost part counts no more. */
RunView run_view(const AgentRun *const *parts, size_t n);
bool run_part_is_over(const AgentRun *part);
/* The first part's agent has given the work of part `i` to the others. */
bool run_part_is_lost(const AgentRun *const *parts, size_t i);
/* The others wait for part `i` alone, whose agent was not heard of for `unseen_ms` and has sealed nothing. */
bool run_part_is_missed(const AgentRun *const *parts, size_t i, int64_t unseen_ms);
/* The work of a part that has failed can still be given to the others: the first part's agent will, soon. */
bool run_goes_on_without(const AgentRun *const *parts, size_t failed);
