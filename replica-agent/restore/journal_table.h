/* SPDX-License-Identifier: Apache-2.0
 * How far a restore has come: a table in the server that is filled, `siding_restore.ledger`, whose row is
 * committed with the rows it counts. Dropped at the end.
 */
#pragma once

#include "common/db/db.h"

typedef struct FilePlace {
    int64_t statements; /* that put rows in and are committed */
    bool done;
} FilePlace;

/* *ret_resumed: an earlier restore of this dump has begun. Another dump's is ERR_REFUSED unless `overwrite`
 * gives up what it notes. */
MUST_CHECK bool ledger_open(Db *db, const char *dump, bool overwrite, bool *ret_resumed, Err *err);
MUST_CHECK bool ledger_read(Db *db, const char *dump, const char *file, FilePlace *ret, Err *err);
MUST_CHECK bool ledger_write(Db *db, const char *dump, const char *file, const FilePlace *place, Err *err);
MUST_CHECK bool ledger_forget(Db *db, const char *dump, const char *file, Err *err);
MUST_CHECK bool ledger_drop(Db *db, Err *err);
