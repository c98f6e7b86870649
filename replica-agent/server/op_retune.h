/* SPDX-License-Identifier: Apache-2.0
 * Another way of applying while a replica catches up: the applier is stopped for a moment, only while the
 * receiver is connected, and started again at once, whatever became of the settings.
 *
 *   OP_DONE     the applier was seen running after it; settings that could not be set are logged
 *   OP_WAITING  nothing was touched: not now, or not on this replica (err says why)
 *   OP_FAILED   the applier was stopped and does not run again
 *   OP_UNKNOWN  the STOP was refused or not answered (and is killed): it may stop later
 *
 * A cancel counts only until the STOP.
 */
#pragma once

#include "op.h"

typedef struct RetuneIn {
    OpServer at; /* statement_ms: also of the STOP */
    LeaseSettings boosted;
} RetuneIn;

typedef struct RetuneOut {
    OpResult result;
    Err err;
    ServerSeen seen;
} RetuneOut;

void retune_in_done(RetuneIn *in);
void retune_out_done(RetuneOut *out);
bool op_retune(const RetuneIn *in, const Cancel *cancel, RetuneOut *out);
