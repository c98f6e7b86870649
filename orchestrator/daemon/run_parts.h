/* SPDX-License-Identifier: Apache-2.0
 * A run on several replicas: one that is lost on the way, and the results of all, which become one.
 */
#pragma once

#include "state.h"

/* r->detail, an object. */
json_t *run_detail(Run *r);
/* Adds to the list `key` of the detail what is not in it. True: it was not. */
bool run_detail_note(Entry *e, Run *r, const char *key, const char *text);
/* A part whose work the first part's agent has given to the others is ended, if it still runs, and told. */
void run_end_lost(Coord *c, Entry *e, const AgentRun *const *seen);
/* Once its results are one, a run does not wait for an agent that cannot be reached: its part is over as far
 * as the run goes, and its replica is its agent's own affair. */
void run_leave_behind(const Coord *c, const Entry *e, const AgentRun **seen);
/* All parts have sealed: true once their results are one, on the first part's node. Where that cannot be the
 * run fails. */
bool run_is_gathered(Coord *c, Entry *e, const AgentRun *const *seen);
