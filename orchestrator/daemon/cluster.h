/* SPDX-License-Identifier: Apache-2.0
 * Who is primary, under which term, and that every agent has been told its role.
 */
#pragma once

#include "coord_state.h"

void cluster_step(Coord *c);
int64_t cluster_serving(const Coord *c); /* replicas that serve now */
