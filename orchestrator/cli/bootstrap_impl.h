/* SPDX-License-Identifier: Apache-2.0
 * What the parts of `siding bootstrap` share: the connection, what is said, and the one way to change
 * anything.
 */
#pragma once

#include "bootstrap.h"
#include "common/db/db.h"
#include "common/db/flavor.h"

typedef struct Bootstrap {
    const SidingConfig *cfg;
    const Flavor *flavor;
    Db *db;
    BootstrapPlan plan;
    Str *out;
} Bootstrap;

typedef struct BootstrapAccount {
    const char *account, *file;
} BootstrapAccount;
extern const BootstrapAccount
    bootstrap_accounts[]; /* ended by a row without an account; the coordinator's first */

/* `shown` is what a person may see of it; NULL: the statement itself. */
MUST_CHECK bool bootstrap_do(Bootstrap *b, const char *sql, const char *shown, Err *err);
/* A value of siding.meta, owned; NULL: it has none, or there is no schema. Writes only where it differs. */
MUST_CHECK bool bootstrap_read_meta(Bootstrap *b, const char *name, char **ret, Err *err);
MUST_CHECK bool bootstrap_write_meta(Bootstrap *b, const char *name, const char *value, Err *err);
void bootstrap_quote_account(Str *out, const char *account, const char *host);

/* Makes accounts that are not there, and grants. Of one that is there the password is compared with the
 * file's: nothing is changed before all are found right. */
MUST_CHECK bool bootstrap_make_accounts(Bootstrap *b, Err *err);
/* New passwords beside the old ones, which stay valid; then the files. */
MUST_CHECK bool bootstrap_rotate(Bootstrap *b, Err *err);
/* The old ones go. */
MUST_CHECK bool bootstrap_end_rotation(Bootstrap *b, Err *err);
/* Whether the server waited for acknowledgements before Siding: kept once, read (owned; NULL: not known),
 * put back. */
MUST_CHECK bool bootstrap_keep_settings(Bootstrap *b, Err *err);
MUST_CHECK bool bootstrap_read_kept(Bootstrap *b, char **ret, Err *err);
MUST_CHECK bool bootstrap_put_back(Bootstrap *b, const char *kept, Err *err);
/* The part of the loaders' locks that only our accounts can read. */
MUST_CHECK bool bootstrap_make_lock_name(Bootstrap *b, Err *err);
/* Takes away what bootstrap and the programs have made on the servers, and says what is left. */
MUST_CHECK bool bootstrap_remove(Bootstrap *b, Err *err);
