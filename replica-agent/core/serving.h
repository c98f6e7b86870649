/* SPDX-License-Identifier: Apache-2.0
 * Whether a node belongs to the servers that may be read, or written: what GET /healthz answers load
 * balancers. Pure.
 */
#pragma once

#include "common/db/repl.h"
#include "pause_machine.h"

typedef struct ServingFacts {
    bool up;             /* the server answers */
    const ReplStatus *s; /* the last reading */
    PauseState pause;
    bool beginning;   /* a pause is about to begin */
    int64_t lag_ms;   /* -1: not known */
    const char *role; /* as the coordinator gave it; NULL: not yet */
    bool role_confirmed;
    bool cut_off; /* its members do not answer: another may be the primary */
} ServingFacts;

/* NULL: it may; otherwise why not. max_lag_s -1: any lag. */
const char *serving_as_replica(const ServingFacts *f, int64_t max_lag_s);
const char *serving_as_primary(const ServingFacts *f);
