/* SPDX-License-Identifier: Apache-2.0
 * The way of a run as a line of stages with their times: "✓ waited 2 s ▸ ✓ paused 1.1 s ▸ [job 12 min 05 s] ▸
 * seal ▸ …".
 */
#pragma once

#include "monitor_impl.h"

void pane_stages(const Task *t, const Run *r, int64_t now_ms, Flow *f);
