/* SPDX-License-Identifier: Apache-2.0
 * A turn of the decider: its input from what the coordinator knows, its decisions carried out.
 */
#pragma once

#include "coord_state.h"

/* A turn with `t` among the others under `number`, which is above all ids. True: it starts now, on these
 * nodes, and is active under that number; else it is not among them any more. */
bool queue_turn_with(Coord *c, const Task *t, int64_t number, StrList *ret_nodes);
