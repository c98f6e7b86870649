/* SPDX-License-Identifier: Apache-2.0
 * Keeps the vault up to date while a pause is in force, from a thread of its own, whether the server answers
 * or not.
 */
#pragma once

#include "common/db/work.h"
#include "replica-agent/server/vault.h"

struct Agent;

/* The relay files of the server, and the links to them. */
typedef struct AgentVault {
    WorkPool *pool;
    VaultPlace place; /* index NULL: not known yet */
    VaultFigures figures;
    bool in_flight, clear_due;
    bool is_outdated; /* what is in flight began before the links were given up last */
    int64_t next_ms, loud_ms;
    char *held; /* by the links when the pause was over; NULL: not read yet */
    int64_t clear_since_ms, missing_since_ms;
    char *trouble;
} AgentVault;

void vault_open(struct Agent *a);
void vault_tick(struct Agent *a);
void vault_give_up(struct Agent *a);                    /* the links, once all that they hold is applied */
void vault_learn(struct Agent *a, const VaultPlace *p); /* after an operation that has read it */
MUST_CHECK bool vault_restore(struct Agent *a, const json_t *value, Err *err);
void vault_close(struct Agent *a);
