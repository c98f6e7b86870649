/* SPDX-License-Identifier: Apache-2.0
 * All parts of an agent, opened in the order in which they need each other and closed the other way round.
 * How long its loop turns is the program's.
 */
#pragma once

#include "agent.h"

/* Of one that has its configuration and the path of it, and knows how jobs are kept apart here (apart_look).
 * Nothing is due yet: neither a tick, for which `tick`
 * calls agent_tick, nor the first look at the server. Closed by agent_close, after a failure too. */
MUST_CHECK bool agent_open(Agent *a, event_callback_fn tick, Err *err);
void agent_tick(Agent *a);
/* The configuration stays, it is the caller's. */
void agent_close(Agent *a);

/* Makes and locks its folders, as agent_open does. ERR_CONFLICT: another agent has them. */
MUST_CHECK bool agent_take_folders(Agent *a, Err *err);
