/* SPDX-License-Identifier: Apache-2.0
 * The guard of a pause: reads how far it has gone, lets core/guard decide, and acts: asks the run to end, or
 * releases the replica itself where nobody else does. Also the ballast, the renewal by the coordinator, and
 * the rates that limits are judged by.
 */
#pragma once

#include "replica-agent/core/guard.h"

struct Agent;

typedef struct Guard {
    GuardLevel level[GUARD_CAUSES];
    char *said[GUARD_CAUSES]; /* sentence while a level is above fine */
    GuardVerdict verdict;     /* the last */
    GuardReading reading;
    int64_t acted_ms;           /* since when an action is due; 0: none */
    int64_t hits[GUARD_CAUSES]; /* counters since the start */
    GuardRate rate;
    double apply_rate; /* transactions/s of the last catch-up worth measuring; 0: none yet (rates.json) */
    char *relay_dir;   /* NULL: not known */
    int64_t relay_free;
    bool hangs;                       /* the last look at the server got no answer in time */
    int64_t ballast, ballast_removed; /* present size; times it had to go */
    bool ballast_trouble;
    bool renew_overdue;
    int64_t checked_ms;
} Guard;

void guard_load(struct Agent *a);
void guard_probed(struct Agent *a); /* after each reading, good or bad */
void guard_tick(struct Agent *a);
void guard_caught_up(struct Agent *a); /* the lease's replay figures are final */
void guard_warnings(const struct Agent *a, StrList *ret);
void guard_close(struct Agent *a);
int64_t guard_min_free(const struct Agent *a); /* of the present pause, or the agent's own */
