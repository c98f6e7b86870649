/* SPDX-License-Identifier: Apache-2.0
 * What is the same of tasks, jobs, runs and nodes. The objects that travel between coordinator, agents and
 * clients, and stand in journals, are lists of members (wire.h), one file for each subject: wire_task.h,
 * wire_run.h, wire_node.h, wire_order.h, wire_fill.h, tasklet.h, finding.h. In all of them times are
 * milliseconds since the epoch in memory and RFC 3339 UTC in JSON; sizes bytes; a NULL string or a zero time
 * is null.
 */
#pragma once

#include "wire.h"

/* clang-format off */

#define TASK_KIND_VALUES(E)    \
    E(KIND_DUMP, "dump")       \
    E(KIND_INDEX, "index")     \
    E(KIND_COMMAND, "command") \
    E(KIND_UPLOAD, "upload")
WIRE_ENUM(TaskKind, KIND, TASK_KIND_VALUES);
extern const WireEnum task_kind_names;

/* Of a node, and where a job runs. */
#define NODE_ROLE_VALUES(E)    \
    E(ROLE_PRIMARY, "primary") \
    E(ROLE_REPLICA, "replica")
WIRE_ENUM(NodeRole, ROLE, NODE_ROLE_VALUES);
extern const WireEnum node_role_names;
/* clang-format on */
