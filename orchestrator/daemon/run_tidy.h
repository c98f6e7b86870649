/* SPDX-License-Identifier: Apache-2.0
 * Runs that agents still hold though their end is on record: forgotten there, or ended first where an agent
 * took a run after all.
 */
#pragma once

#include "coord_state.h"

void run_tidy_agents(Coord *c);
