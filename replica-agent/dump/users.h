/* SPDX-License-Identifier: Apache-2.0
 * Accounts, roles and grants as statements, for a person to read before they are run: no loader takes the
 * file.
 */
#pragma once

#include "common/db/db.h"
#include "dumpfolder.h"

#define USERS_FILE "siding-users.ddl"

MUST_CHECK bool users_write(Db *db, DumpFolder *out, Err *err);
/* "CREATE USER x" becomes "CREATE USER IF NOT EXISTS x". */
void users_create(Str *out, const char *statement);
