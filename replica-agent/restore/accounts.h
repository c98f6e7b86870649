/* SPDX-License-Identifier: Apache-2.0
 * Accounts and roles of a dump (siding-users.ddl): made before anything that may name them, granted what they
 * had before views, and again after everything that grants may name. One that is there already stays as it
 * is, with its grants; one that this restore has made is known by its mark in the ledger. Accounts of the
 * other flavour are refused.
 */
#pragma once

#include "loader.h"
#include "replica-agent/dump/account.h"

typedef struct Accounts {
    StrList statements; /* as in the file */
    DbFlavor flavor;
    Account *made; /* by this restore, now or before a kill */
    size_t n_made;
} Accounts;

/* ERR_NOT_FOUND: the dump holds none. */
MUST_CHECK bool accounts_open(const Folder *f, Accounts *ret, Err *err);
void accounts_done(Accounts *a);
/* Nothing where nothing was opened. */
MUST_CHECK bool accounts_make(Accounts *a, const Restore *r, Db *db, Err *err);
/* `early`: as far as what they name is there already, for the views whose definers need them. */
MUST_CHECK bool accounts_grant(const Accounts *a, Db *db, bool early, Err *err);
