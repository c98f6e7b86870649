/* SPDX-License-Identifier: Apache-2.0
 * Effects of a run's step that are calls to its agents. Each comes back as a letter in the run inbox.
 */
#pragma once

#include "coord_state.h"

enum { RUN_CALL_TIMEOUT_MS = 10000 };

/* CRUN_FX_POST, _GO, _ALIGN, _GATHER, _ASK, _DROP. */
void run_call(Coord *c, const TaskEntry *e, const CoordRunEffect *x);
