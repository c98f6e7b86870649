/* SPDX-License-Identifier: Apache-2.0
 * Moves a stopped applier on to a GTID exactly, and leaves it stopped there. START … UNTIL is refused where
 * the receiver is stopped, since it could throw relay files away.
 *
 *   OP_DONE     it stands at `gtid`
 *   OP_FAILED   it stands, but elsewhere (`seen` says where), or where something is half done
 * (core/half_done), or could not be started OP_UNKNOWN  whether it runs is not known
 *
 * Cancelled while it waits, it stops the applier again first: OP_FAILED with ERR_CANCELLED unless it is
 * there.
 */
#pragma once

#include "op.h"

typedef struct AlignIn {
    OpServer at;
    int64_t timeout_ms; /* of the wait for the position, and of each statement */
    char *gtid;
    char *source_file; /* the same place in the source's binary log: what MariaDB can stop at */
    int64_t source_pos;
} AlignIn;

typedef struct AlignOut {
    OpResult result;
    Err err;
    ServerSeen seen;
} AlignOut;

void align_in_done(AlignIn *in);
void align_out_done(AlignOut *out);
bool op_align(const AlignIn *in, const Cancel *cancel, AlignOut *out);
