/* SPDX-License-Identifier: Apache-2.0
 * The common GTID of several replicas whose applier threads are stopped: the most advanced applied position
 * among them, to which the others are moved forward. Pure.
 */
#pragma once

#include "common/db/db.h"
#include "common/wire/wire_run.h"

typedef struct AlignPart {
    const char *node, *gtid, *source_file;
    int64_t source_pos;
} AlignPart;

/* ERR_CONFLICT, naming the nodes, when no position holds all the others (diverged, or several domains applied
 * in different order). */
MUST_CHECK bool align_target(DbFlavor flavor, const AlignPart *parts, size_t n, RunAlign *ret, Err *err);
/* Every part at exactly the same position. */
bool align_is_equal(DbFlavor flavor, const AlignPart *parts, size_t n);
