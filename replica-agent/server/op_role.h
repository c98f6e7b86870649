/* SPDX-License-Identifier: Apache-2.0
 * Opens a server for writes or closes it, with semi-sync as source to match: on before it is opened, since a
 * writable primary without it would promise less than the old one.
 *
 *   OP_DONE    read_only is as wanted. Semi-sync that could not be set is logged
 *   OP_FAILED  read_only could not be set, or not be read afterwards; semi-sync may be set already
 *
 * A cancel counts only until the first change.
 */
#pragma once

#include "op.h"

typedef struct RoleIn {
    OpServer at;
    bool open; /* writable */
} RoleIn;

typedef struct RoleOut {
    OpResult result;
    Err err;
    ServerSeen seen;
} RoleOut;

void role_in_done(RoleIn *in);
void role_out_done(RoleOut *out);
bool op_role(const RoleIn *in, const Cancel *cancel, RoleOut *out);
