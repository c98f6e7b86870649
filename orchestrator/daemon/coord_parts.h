/* SPDX-License-Identifier: Apache-2.0
 * All parts of a coordinator, opened in the order in which they need each other and closed the other way
 * round. What one turn of its loop does is the program's.
 */
#pragma once

#include "coord_state.h"

/* Of one that has its configuration and the path of it: locks its folder, reads its journal, makes its loop
 * with `step` and `tick`, listens. No tick is due yet and no signal is taken. Closed by coord_close, after a
 * failure too. */
MUST_CHECK bool coord_open(Coord *c, event_callback_fn step, event_callback_fn tick, Err *err);
/* Whoever still waits for an answer gets one; what is queued for the database is tried once more. Frees the
 * configuration. */
void coord_close(Coord *c);
