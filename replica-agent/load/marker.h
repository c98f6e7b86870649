/* SPDX-License-Identifier: Apache-2.0
 * The comment of a swap's marker table: "siding RUN 2026-11-23T20:37:00.123Z GTID", whose result it is and
 * which state that shows. Which of two states is the later one is said by their GTIDs, since hosts' clocks
 * differ; by the times where a GTID is missing, or neither holds the other. Pure.
 */
#pragma once

#include "common/db/gtid.h"

char *marker_text(const char *run, int64_t frozen_at, const char *gtid);
/* Does the comment speak of a later state than this one? */
bool marker_is_newer(DbFlavor flavor, const char *comment, int64_t frozen_at, const char *gtid);
