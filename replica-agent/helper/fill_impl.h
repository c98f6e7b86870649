/* SPDX-License-Identifier: Apache-2.0
 * What the fill*.c files share.
 */
#pragma once

#include "common/db/flavor.h"
#include "common/db/repl.h"
#include "fill.h"
#include "replica-agent/host/config.h"

typedef struct Fill {
    AgentConfig conf;
    FillOrder order;
    FillPhase phase;
    bool ours;    /* what the server holds was put there by an earlier order, not finished */
    char *logged; /* MariaDB: the last of each domain and server that the donor has; NULL: not known */
    bool told;    /* why it failed stands in the log */
    bool silent;  /* it does not acknowledge before it is told to */
    char *dir, *spool, *dump; /* the program's folder; FILL_FOLDER, and the dump in it */
    DbTarget local, donor;    /* with the accounts of provision_, donor_defaults_file */
    Db *db;                   /* local, never in its binary log */
    const Flavor *flavor;
} Fill;

/* Before a byte travels: same flavour, no older version, nothing there that would be lost, the donor stands
 * where the order says, and there is room. ERR_REFUSED, or why it cannot be known now. */
MUST_CHECK bool fill_check(Fill *f, Err *err);
/* As long as its data are read. */
MUST_CHECK bool fill_donor_stands(Fill *f, Err *err);
/* All databases and accounts go, and what it replicated from; but for Siding's accounts, root, and the one
 * that does this. */
MUST_CHECK bool fill_empty(Fill *f, Err *err);
