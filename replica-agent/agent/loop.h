/* SPDX-License-Identifier: Apache-2.0
 * The one place where inputs become effects. Inputs are queued; a drain steps through all of them, gives what
 * has changed to the store, and carries the effects out. While effects wait for their record no further input
 * is taken; if the record fails or is late, they are dropped and come back as their own failures
 * (core/effect.h says what never waits).
 */
#pragma once

#include "replica-agent/core/agent_step.h"

struct Agent;
struct event;

typedef struct Loop {
    Effects held; /* wait for batch `awaited` */
    uint64_t awaited;
    int64_t held_since_ms; /* 0: nothing is held */
    struct event *late;
} Loop;

void loop_open(struct Agent *a);
void loop_close(struct Agent *a);
