/* SPDX-License-Identifier: Apache-2.0
 * How far a restore has come: a table in the server that is filled, `siding_restore.ledger`. A file's row is
 * committed with the rows that it counts; an object's row, its mark, before the object is made, so that what
 * a killed run has made is known from what was there. Dropped at the end.
 */
#pragma once

#include <jansson.h>

#include "common/db/db.h"

typedef struct FilePlace {
    int64_t statements; /* that put rows in and are committed */
    bool done;
} FilePlace;

/* One restore at a time in a server: held until the connection ends. Waits for what an earlier run, killed,
 * has still under way; ERR_REFUSED while another one lives. */
MUST_CHECK bool journal_table_lock(Db *db, int64_t wait_ms, Err *err);
/* The same without waiting: threads of this restore that have their connections are at work. */
MUST_CHECK bool journal_table_lock_main(Db *db, Err *err);
/* By each other connection of the restore; `number` is its own. */
MUST_CHECK bool journal_table_lock_worker(Db *db, size_t number, Err *err);

/* Marks of an earlier run of this dump's restore, and whether there was one. */
MUST_CHECK bool journal_table_marks(Db *db, const char *dump, bool *ret_begun, json_t **ret, Err *err);
/* Another dump's is ERR_REFUSED unless `overwrite` gives up what it notes. */
MUST_CHECK bool journal_table_open(Db *db, const char *dump, bool overwrite, Err *err);
MUST_CHECK bool journal_table_read(Db *db, const char *dump, const char *file, FilePlace *ret, Err *err);
/* Whether there is a row of it. */
MUST_CHECK bool journal_table_has(Db *db, const char *dump, const char *file, bool *ret, Err *err);
MUST_CHECK bool journal_table_write(Db *db, const char *dump, const char *file, const FilePlace *place,
                                    Err *err);
MUST_CHECK bool journal_table_forget(Db *db, const char *dump, const char *file, Err *err);
MUST_CHECK bool journal_table_drop(Db *db, Err *err);

/* The key of an object's row, `kind` as content_kind_name. Owned. Pure. */
char *journal_table_mark(const char *kind, const char *database, const char *name);
