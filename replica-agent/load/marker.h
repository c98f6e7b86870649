/* SPDX-License-Identifier: Apache-2.0
 * What a target remembers of its last swap or replace: "siding RUN 2026-11-23T20:37:00.123Z GTID", whose
 * result it holds and which state that shows. Which of two states is the later one is said by their GTIDs,
 * since hosts' clocks differ; by the times where a GTID is missing. Pure.
 */
#pragma once

#include "common/db/gtid.h"

char *marker_text(const char *run, int64_t frozen_at, const char *gtid);
/* Does it speak of a state that this one must not replace: a later one, or one of another history? */
bool marker_forbids(DbFlavor flavor, const char *comment, int64_t frozen_at, const char *gtid);
