/* SPDX-License-Identifier: Apache-2.0
 * Waits until a replica has applied a GTID. Changes nothing.
 *
 *   OP_DONE    it is applied
 *   OP_FAILED  not within `timeout_ms` (ERR_TIMEOUT), not waited for any longer (ERR_CANCELLED), or the
 *              server could not be asked
 */
#pragma once

#include "op.h"

typedef struct AwaitIn {
    OpServer at;
    char *gtid;         /* a position (MariaDB) or a set (MySQL) */
    int64_t timeout_ms; /* of the whole wait */
} AwaitIn;

typedef struct AwaitOut {
    OpResult result;
    Err err;
} AwaitOut;

void await_in_done(AwaitIn *in);
bool op_await(const AwaitIn *in, const Cancel *cancel, AwaitOut *out);
