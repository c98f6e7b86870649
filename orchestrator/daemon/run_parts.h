/* SPDX-License-Identifier: Apache-2.0
 * A run on several replicas: one that is lost on the way, and the results of all, which become one.
 */
#pragma once

#include "state.h"

/* r->detail, an object. */
json_t *run_detail(Run *r);
/* A part whose work the first part's agent has given to the others is ended, if it still runs, and told. */
void run_end_lost(Coord *c, Entry *e, const AgentRun *const *seen);
/* All parts are over and well: true once their results are one, on the first part's node. Where that cannot
 * be the run fails. */
bool run_is_gathered(Coord *c, Entry *e, const AgentRun *const *seen);
