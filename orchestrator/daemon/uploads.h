/* SPDX-License-Identifier: Apache-2.0
 * Uploads: tasks that load the sealed result of a run into the primary.
 */
#pragma once

#include "coord_state.h"

/* CRUN_FX_RECORD_UPLOAD: writes the upload's task down, once a run; its letter comes into the run inbox. */
void uploads_record(Coord *c, const TaskEntry *e);
