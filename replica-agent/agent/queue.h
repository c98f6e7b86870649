/* SPDX-License-Identifier: Apache-2.0
 * Inputs on their way into the core. Whoever has seen something posts it here and calls nobody.
 */
#pragma once

#include "replica-agent/core/input.h"

struct Agent;
struct event;

typedef struct Queue {
    Input **v;
    size_t n, cap;
    struct event *drain; /* the loop's, made active by a post */
} Queue;

Input *queue_input(InputKind kind, const char *owner); /* a new one, to be filled and posted */
void queue_post(struct Agent *a, Input *in); /* takes `in`; stepped through before the loop turns again */
void queue_wake(struct Agent *a);
