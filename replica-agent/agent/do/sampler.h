/* SPDX-License-Identifier: Apache-2.0
 * What a preflight wants to know of this agent's own measurements, and the sampling of tables without a key.
 * What the server itself tells is server/op_survey's.
 */
#pragma once

#include "replica-agent/core/preflight.h"

struct Agent;

typedef struct Sampler {
    Keyless tables;
    int64_t next_ms;
    bool in_flight;
} Sampler;

/* Everything that the agent knows by itself. `ret` is zeroed. */
void facts_own(const struct Agent *a, PreflightFacts *ret);

void sampler_tick(struct Agent *a);
void sampler_close(struct Agent *a);
