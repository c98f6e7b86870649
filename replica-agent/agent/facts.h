/* SPDX-License-Identifier: Apache-2.0
 * What a preflight wants to know beside settings and threads: from this agent's own measurements (loop
 * thread), and from the server (worker). Also the sampling of tables without a key.
 */
#pragma once

#include "common/db/db.h"
#include "replica-agent/core/preflight.h"

struct Agent;

typedef struct Sampler {
    Keyless tables;
    int64_t next_ms;
    bool in_flight;
} Sampler;

/* Everything that the agent knows by itself. `ret` is zeroed. */
void facts_own(const struct Agent *a, PreflightFacts *ret);
/* The rest; what may not be asked is left out. */
MUST_CHECK bool facts_read(Db *db, const ReplStatus *status, PreflightFacts *f, Err *err);

void sampler_tick(struct Agent *a);
void sampler_close(struct Agent *a);
