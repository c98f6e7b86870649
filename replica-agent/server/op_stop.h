/* SPDX-License-Identifier: Apache-2.0
 * Stops the applier, and reads where it stands. A STOP waits for the transactions under way; one that is not
 * answered in time is killed, and still stops the thread once these are done.
 *
 * It may have stopped where something is half done (core/half_done): a prepared XA transaction, for one. Then
 * it is started again for a moment, at most until `whole_ms` have passed.
 *
 *   OP_DONE     `seen` was read after the applier stood still, at a place where nothing is half done
 *   OP_FAILED   refused: nothing was stopped, or it stands where something is half done (ERR_REFUSED), or
 * where that could not be read. sync_relay_log may stand at 1, links in the vault may be left OP_UNKNOWN  no
 * answer, a lost connection, or the applier seen running after the STOP: it may stop later. A server that
 * could not be reached counts as this too, an earlier STOP may be under way
 *
 * Cancelled, a STOP counts as unanswered: it is killed, then looked after once. Between two STOPs, OP_FAILED.
 */
#pragma once

#include "op.h"
#include "vault.h"

typedef struct StopIn {
    OpServer at;
    int64_t timeout_ms; /* of the STOP */
    bool first;         /* before it the relay files are linked into the vault */
    int64_t whole_ms; /* so long a place is looked for at which nothing is half done; 0: any place will do */
    bool sync_relay;  /* and sync_relay_log is set to 1 for the pause */
    bool hold;        /* a connection is opened that stays, see `held` */
    char *vault_folder; /* NULL: beside the relay files */
} StopIn;

typedef struct StopOut {
    OpResult result;
    Err err;
    ServerSeen seen;
    VaultPlace place; /* index NULL: not read */
    Db *held;         /* that it lives on proves later that the server did; NULL: could not be opened */
} StopOut;

void stop_in_done(StopIn *in);
void stop_out_done(StopOut *out); /* closes `held` */
bool op_stop(const StopIn *in, const Cancel *cancel, StopOut *out);
