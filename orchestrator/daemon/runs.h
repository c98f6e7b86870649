/* SPDX-License-Identifier: Apache-2.0
 * Walks the runs that are under way: follows what the agents report, gives them what they miss (the run
 * itself, the common GTID, go, requests), and settles what is over. Everything here may be done again at any
 * time: after a restart the same step leads on from whatever is on record and whatever the agents know.
 */
#pragma once

#include "state.h"

void runs_step(Coord *c);
/* The run's next state by the machine; the only place that changes it. False (and an error in the log) when
 * the event has no place there. `detail` replaces the row's reason in the event, NULL: none. */
bool runs_event(Coord *c, Entry *e, CoordRunEvent event, const char *detail);
