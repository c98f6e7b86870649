/* SPDX-License-Identifier: Apache-2.0
 * The only START of replication, beside those that undo a STOP of the same operation. With both threads
 * stopped it comes after a scan of the relay files: what they hold beyond the applied position is never
 * thrown away.
 *
 *   OP_DONE     `way` was taken and the applier was seen running after it (START_NOT_NEEDED: before)
 *   OP_WAITING  it may not be started now: `way` and err say why (a rescue is due, or a person must decide);
 *               or a rescue's connection is still at work, then `way` is START_NOT_NEEDED. Both threads may
 *               have been stopped for that
 *   OP_FAILED   refused, or it stopped again at once. The boost may be in force, which the lease knows
 *   OP_UNKNOWN  no answer: it may be starting
 *
 * A cancel counts only until the first change; from there on it is carried through.
 */
#pragma once

#include "op.h"
#include "replica-agent/core/boot.h"
#include "vault.h"

typedef struct StartIn {
    OpServer at;
    DbTarget rescuer;    /* may reset logs, which the agent's own account may not */
    int64_t timeout_ms;  /* of each statement */
    char *vault_folder;  /* NULL: beside the relay files */
    bool fresh_server;   /* the process has not replicated since it started */
    bool may_end_rescue; /* no rescue is under way: a connection of one is left over, and ended */
    bool stalled;        /* Lease.stalled */
    bool crashed;        /* lease_crashed_boosted; Lease.boosted_at */
    int64_t boosted_at;
    char *source_position;  /* what the coordinator said that the primary has; NULL: nothing yet */
    char *account_file;     /* to receive as, from the source; NULL: none is named */
    LeaseSettings original; /* the lease's; members NULL: none was taken */
    bool shut;              /* no receiver is started */
    bool silent;            /* … or one that acknowledges nothing, until it is armed (op_order) */
    bool leaves_semi_sync;  /* as a source: a person's */
    bool boost;             /* `boosted` is set before it */
    LeaseSettings boosted;
} StartIn;

typedef struct StartOut {
    OpResult result;
    Err err;
    StartWay way;
    ServerSeen seen;
    VaultPlace place; /* index NULL: not read */
    /* Of START_RESCUE and START_ERRANT: where a rescue goes on from, up to where the files reach, and how
     * many transactions that are; the transaction that is the server's own. */
    char *from, *held_gtid, *errant;
    int64_t backlog;
    bool is_spent; /* its relay files, encrypted ones among them, are applied: a START of both removes them */
    bool ended_well; /* `crashed`, and yet the server was shut down in order: the machine took nothing with it
                      */
    char *alone;     /* of START_CRASHED: why it does not fetch again what its source has; NULL: it may */
} StartOut;

void start_in_done(StartIn *in);
void start_out_done(StartOut *out);
bool op_start(const StartIn *in, const Cancel *cancel, StartOut *out);
