/* SPDX-License-Identifier: Apache-2.0
 * One act of a failover on this host's server, as core/order_step names it. Each looks at what is there
 * first, and may be done again.
 *
 *   OP_DONE     it is so:
 *     STOP_RECEIVER  it stands, and no START of it is under way; `received` is all that was received
 *     KILL_SERVER    the process is gone, and nobody holds the lock on its data
 *     READ_LOG       `received` is where its binary log ends
 *     SET_CLOSED     it is closed, nobody waits; `received` is all it has written. One that follows the
 *                    winner already, by a fence: it receives nothing more, `received` is all it has
 *     REOPEN         it takes writes again
 *     APPLY_ALL      all that was received is applied, for all its delay, also what the donor had; `received`
 *                    is all it has. No receiver runs
 *     REPOINT        it receives from order.source, and does not acknowledge yet
 *     SET_ARMED      it acknowledges, and its source was told, or would not hear, what it has received before
 *     SET_SILENT     it acknowledges nothing; its receiver is stopped where it did and the applier stands
 *     SET_OPEN       it follows nobody, waits for acknowledgements, and takes writes
 *     WRITE_PROBE    a commit was acknowledged
 *   OP_MOVED    REPOINT: `ahead` is what it has and the new primary lacks; nothing was changed
 *   OP_WAITING  STOP_RECEIVER: it has not applied what it is to have first
 *               APPLY_ALL: not yet; where the applier stands, it is to be started as at a boot
 *   OP_UNKNOWN  KILL_SERVER, ERR_TIMEOUT: SIGKILL was sent and it has not ended: it executes nothing more
 *   OP_FAILED   SET_CLOSED of a close: it is as it was
 *   OP_FAILED, OP_UNKNOWN   else: not, or not known to be: again
 *
 * A cancel counts only until the first change.
 */
#pragma once

#include "op.h"
#include "replica-agent/core/order_step.h"
#include "vault.h"

typedef struct OrderIn {
    OpServer at;
    DbTarget rescuer; /* may reset replication, where the agent's own account may not */
    DbTarget reader;  /* sees the tables that jobs may read; the agent's own account sees none */
    OrderAct act;
    AgentOrder order;
    bool receiver_alone; /* a pause is in force: the applier stays stopped */
    bool leaves_semi_sync;
    int64_t delay_s; /* on purpose, written down: lifted by APPLY_ALL, and given back by REPOINT */
    char *node;
    char *vault_folder;
    char *account_file; /* that replicas receive as; NULL: only one that has an account can follow */
    /* of KILL_SERVER and READ_LOG, as it was known last */
    LeaseServer server;
    VaultPlace place;
} OrderIn;

typedef struct OrderOut {
    OpResult result;
    Err err;
    ServerSeen seen;
    VaultPlace place;
    char *received, *ahead;
    char *told;            /* what was done to others, for an event; NULL: nothing */
    int64_t closed_for_ms; /* SET_CLOSED: since nothing could be written */
} OrderOut;

void order_in_done(OrderIn *in);
void order_out_done(OrderOut *out);
bool op_order(const OrderIn *in, const Cancel *cancel, OrderOut *out);
