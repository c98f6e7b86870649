/* SPDX-License-Identifier: Apache-2.0
 * Results that are kept no longer. From time to time, and when a run has ended, the agents list what they
 * hold; what core/retention lets go is removed by them, and the run's `detail` keeps when ("expired"). Each
 * round begins with what is really there, so that one that was cut off anywhere is made up by the next.
 */
#pragma once

#include "coord_state.h"

void retention_step(Coord *c);
/* When the result of a run went; 0: it has not. */
int64_t retention_expired_at(const Run *r, const char *node);
