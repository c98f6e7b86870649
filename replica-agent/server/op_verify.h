/* SPDX-License-Identifier: Apache-2.0
 * Proves, or does not, that a replica has stood frozen all the time: the same server process, source and
 * positions, nothing running, nothing written. core/frozen judges. Changes nothing.
 *
 *   OP_DONE    it still stands as it was frozen
 *   OP_MOVED   it does not, or that cannot be proven: err is ERR_CORRUPT and says what happened
 *   OP_FAILED  the server could not be read: not known yet
 */
#pragma once

#include "op.h"
#include "replica-agent/core/frozen.h"

typedef struct VerifyIn {
    OpServer at;
    char *gtid, *binlog_gtid, *source_host; /* as FrozenPoint says */
    int64_t source_port;
    LeaseServer server;
    Db *held; /* borrowed: the connection kept since the pause; NULL: lost already */
} VerifyIn;

typedef struct VerifyOut {
    OpResult result;
    Err err;
    FrozenChange change;
    ServerSeen seen;
} VerifyOut;

void verify_in_done(VerifyIn *in); /* leaves `held` to its owner */
void verify_out_done(VerifyOut *out);
bool op_verify(const VerifyIn *in, const Cancel *cancel, VerifyOut *out);
