/* SPDX-License-Identifier: Apache-2.0
 * The end of a pause: the server's own settings go back, with the applier stopped for a moment where they
 * need it, and what was kept is given up only when all of it is applied and on the disk.
 *
 *   OP_DONE     settings as `original`, but for what somebody else has set, everything that the relay files
 * hold is applied, the applier runs (delayed on purpose: what is not due stays in the server's own relay
 * files)
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
    LeaseSettings ours;     /* Lease.ours: what is none of these, somebody else has set, and it stays */
    bool all_ours;          /* … is not known: whatever is set goes */
    bool taken_over;        /* Lease.taken_over */
    bool boosted;           /* durability was relaxed: everything is brought to the disk */
} RestoreIn;

typedef struct RestoreOut {
    OpResult result;
    Err err;
    ServerSeen seen;
    VaultPlace place; /* index NULL: not read */
    char *left;       /* OP_DONE: settings that somebody else has set; NULL: none */
} RestoreOut;

void restore_in_done(RestoreIn *in);
void restore_out_done(RestoreOut *out);
bool op_restore(const RestoreIn *in, const Cancel *cancel, RestoreOut *out);
