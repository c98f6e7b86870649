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
    bool closed; /* read-only, as the server was found and as it is left in the end */
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
/* The account that reads everything for a new host, from plan.reader_host; its file beside the others. */
MUST_CHECK bool bootstrap_make_reader(Bootstrap *b, Err *err);
/* New passwords beside the old ones, which stay valid; then the files. */
MUST_CHECK bool bootstrap_rotate(Bootstrap *b, Err *err);
/* The old ones go. */
MUST_CHECK bool bootstrap_end_rotation(Bootstrap *b, Err *err);
/* What the server was set to before Siding: kept once, read, put back. NULL: not known. */
typedef struct BootstrapKept {
    char *semi_sync, *closed; /* "on", "off" */
} BootstrapKept;
void bootstrap_kept_done(BootstrapKept *k);
MUST_CHECK bool bootstrap_keep_settings(Bootstrap *b, Err *err);
MUST_CHECK bool bootstrap_read_kept(Bootstrap *b, BootstrapKept *ret, Err *err);
MUST_CHECK bool bootstrap_put_back_semi_sync(Bootstrap *b, const BootstrapKept *kept, Err *err);
/* The last of all: nothing can be written once it is read-only. */
MUST_CHECK bool bootstrap_put_back_closed(Bootstrap *b, const BootstrapKept *kept, Err *err);
/* What an agent keeps beside the relay logs of this server, where that is on this host. */
void bootstrap_remove_ballast(Bootstrap *b);
/* The part of the loaders' locks that only our accounts can read. */
MUST_CHECK bool bootstrap_make_lock_name(Bootstrap *b, Err *err);
/* Takes away what bootstrap and the programs have made on the servers, and says what is left. */
MUST_CHECK bool bootstrap_remove(Bootstrap *b, Err *err);
