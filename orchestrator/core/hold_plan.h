/* SPDX-License-Identifier: Apache-2.0
 * How long the primary must keep its binary logs for a paused replica: from the freeze until it has caught
 * up; for one that is filled with another's data: from the beginning until it has. Pure.
 */
#pragma once

#include "common/wire/wire_node.h"

typedef struct HoldWish {
    bool wanted;    /* the node is paused, pausing, catching up or filled */
    bool release;   /* it is known not to be, and has a hold */
    bool ask;       /* there is none yet, or it ends too soon */
    int64_t keep_s; /* age that a binary log must be able to reach */
    int64_t for_s;  /* how long the hold is asked for */
} HoldWish;

/* `held`: the node's hold as the primary's agent shows it; NULL: none. `seen`: the node's state is fresh. */
HoldWish hold_plan(const Node *node, bool seen, const json_t *held, int64_t now_ms);
