/* SPDX-License-Identifier: Apache-2.0
 * Accounts, roles and grants as statements, one a line: those that make them, then what they were granted,
 * then default roles. siding-restore --users runs them; other loaders do not take the file. The server's own
 * accounts are left out.
 */
#pragma once

#include "common/db/db.h"
#include "dumpfolder.h"

#define USERS_FILE "siding-users.ddl"

/* `ours`: with Siding's own accounts too, which are left out, and told, otherwise. */
MUST_CHECK bool users_write(Db *db, bool ours, DumpFolder *out, Err *err);
