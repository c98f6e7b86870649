/* SPDX-License-Identifier: Apache-2.0
 * Leads the runs under way: hands each what has come for it (run_inbox) and what is known, lets
 * coord_run_step decide, and carries the effects out.
 */
#pragma once

#include "coord_state.h"

void runs_step(Coord *c);
