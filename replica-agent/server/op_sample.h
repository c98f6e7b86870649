/* SPDX-License-Identifier: Apache-2.0
 * Samples InnoDB's counters of changed rows of tables without a key. Changes nothing.
 *
 *   OP_DONE    `tables` holds one whole sample: names, rows and counters
 *   OP_FAILED  it could not be read; a missing grant is ERR_AUTH
 */
#pragma once

#include "op.h"
#include "replica-agent/core/keyless.h"

typedef struct SampleIn {
    OpServer at;
    int64_t wall_ms; /* the sample's time */
} SampleIn;

typedef struct SampleOut {
    OpResult result;
    Err err;
    Keyless tables;
} SampleOut;

void sample_in_done(SampleIn *in);
void sample_out_done(SampleOut *out);
bool op_sample(const SampleIn *in, const Cancel *cancel, SampleOut *out);

/* One sample more into `k`, on a connection that is there. */
MUST_CHECK bool keyless_read(Db *db, Keyless *k, int64_t wall_ms, Err *err);
