/* SPDX-License-Identifier: Apache-2.0
 * How far `siding-agent --release` is, judged from what the agent says of itself. Pure.
 */
#pragma once

#include "common/wire/wire_node.h"

typedef enum ReleaseStep {
    RELEASE_GOES_ON,
    RELEASE_DONE,    /* replication runs, with the server's own settings */
    RELEASE_NOT_OURS /* both stand still or one does, and no pause of Siding is the reason */
} ReleaseStep;

/* *ret_text: one line for a person; owned. */
ReleaseStep release_judge(const NodeState *s, char **ret_text);
