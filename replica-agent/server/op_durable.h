/* SPDX-License-Identifier: Apache-2.0
 * A server's own durability back in force while it still catches up. Stops nothing. What was committed
 * before is brought to the disk too: only then is it as durable as it would have been.
 *
 *   OP_DONE    both settings are as wanted, and the disk has all
 *   OP_FAILED  not all of that; a setting may be changed already: ask again
 *
 * A cancel counts only until the first change.
 */
#pragma once

#include "op.h"
#include "vault.h"

typedef struct DurableIn {
    OpServer at;
    char *sync_binlog, *flush_log; /* the server's own; NULL: left alone */
    char *vault_folder;            /* NULL: beside the relay files */
} DurableIn;

typedef struct DurableOut {
    OpResult result;
    Err err;
    VaultPlace place; /* index NULL: not read */
} DurableOut;

void durable_in_done(DurableIn *in);
void durable_out_done(DurableOut *out);
bool op_durable(const DurableIn *in, const Cancel *cancel, DurableOut *out);
