/* SPDX-License-Identifier: Apache-2.0
 * The end of a pause: the server's own settings go back, with the applier stopped for a moment where they
 * need it, and what was kept is given up only when all of it is applied and on the disk.
 *
 *   OP_DONE     settings as `original`, everything that the relay files hold is applied, the applier runs
 *               (`taken_over`: only the settings, the applier is left as it is)
 *   OP_FAILED   not yet: ask again. The applier runs, or is stopped between its STOP and START, which the
 *               next try mends
 *   OP_STALLED  replication stands and only a start from the relay files helps
 *
 * Where the receiver is stopped on MariaDB, the applier is stopped only when the relay files hold nothing
 * more: a start would throw them away. A cancel counts only until the first change.
 */
#pragma once

#include "op.h"
#include "vault.h"

typedef struct RestoreIn {
    OpServer at;            /* statement_ms: also of the STOP */
    char *vault_folder;     /* NULL: beside the relay files */
    LeaseSettings original; /* flush_log NULL: nothing was changed */
    bool taken_over;        /* Lease.taken_over */
    bool boosted;           /* durability was relaxed: everything is brought to the disk */
} RestoreIn;

typedef struct RestoreOut {
    OpResult result;
    Err err;
    ServerSeen seen;
    VaultPlace place; /* index NULL: not read */
} RestoreOut;

void restore_in_done(RestoreIn *in);
void restore_out_done(RestoreOut *out);
bool op_restore(const RestoreIn *in, const Cancel *cancel, RestoreOut *out);
