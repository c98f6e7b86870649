/* SPDX-License-Identifier: Apache-2.0
 * Holds back the purge of the primary's binary logs for each node that is paused: what the primary's agent
 * shows is brought in line with the leases that are seen. A hold ends by itself where nobody renews it.
 */
#pragma once

#include "coord_state.h"

void holds_step(Coord *c);
