/* SPDX-License-Identifier: Apache-2.0
 * Opens a server for writes or closes it, with semi-sync as source to match: on before it is opened, since a
 * writable primary without it would promise less than the old one; off after it is closed and no commit waits
 * for a replica, since such a commit would be acknowledged to its client though nobody else has it. Clients
 * that wait so are cut off: they get no answer, neither yes nor no.
 *
 *   OP_DONE    read_only is as wanted. Semi-sync that could not be set is logged
 *   OP_FAILED  read_only could not be set, or not be read afterwards; semi-sync may be on already, never off
 *              unless it reads as closed
 *
 * A cancel counts only until the first change.
 */
#pragma once

#include "op.h"

typedef struct RoleIn {
    OpServer at;
    bool open;             /* writable */
    int64_t acks;          /* that a commit waits for, for ever; 0: nothing was decided about that */
    LeaseServer server;    /* killed where commits wait and nothing less closes it; with data_folder */
    char *data_folder;     /* NULL: not known, it is not killed */
    bool cut_off;          /* closing: semi-sync stays on, and every session of a client is ended */
    bool leaves_semi_sync; /* semi-sync is a person's: agent.conf says so */
} RoleIn;

typedef struct RoleOut {
    OpResult result;
    Err err;
    ServerSeen seen;
} RoleOut;

void role_in_done(RoleIn *in);
void role_out_done(RoleOut *out);
bool op_role(const RoleIn *in, const Cancel *cancel, RoleOut *out);
