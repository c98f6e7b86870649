/* SPDX-License-Identifier: Apache-2.0
 * Loads one file of a dump: its statements in order, its rows in transactions that the ledger counts, its
 * objects with their marks. RestoreWorker connections of one restore share the Restore.
 */
#pragma once

#include <pthread.h>

#include "folder.h"
#include "lines.h"
#include "options.h"
#include "restore_target.h"

typedef struct Restore {
    const RestoreOptions *o;
    const Folder *f;
    DbTarget where;
    RestoreTarget target;
    struct Accounts *accounts; /* accounts.h; none where they are not asked for */
    pthread_mutex_t objects;   /* held by whoever makes routines, events or triggers: they may set the
                                  database's collation for a moment */
    pthread_mutex_t lock;      /* guards the rest */
    size_t next, end;          /* files of the step under way */
    int64_t done_bytes, kept_bytes;
    StrList left_out; /* tables whose rows are not theirs, told */
    bool failed;
    Err err;
} Restore;

typedef struct RestoreWorker {
    Restore *r;
    Db *db;
    size_t number;            /* from 0 */
    bool looked, takes_lines; /* the server lets a client feed LOAD DATA, and logs its rows as rows */
    Lines lines;
    pthread_t thread;
} RestoreWorker;

MUST_CHECK bool loader_connect(const Restore *r, Db **ret, Err *err);
/* A file that is done already is passed over. */
MUST_CHECK bool loader_load(RestoreWorker *w, const RestoreFile *file, Err *err);
/* Runs a statement that makes an object: its mark first. `mark` as journal_table_mark. */
MUST_CHECK bool loader_make(const Restore *r, Db *db, const char *mark, const char *sql, Err *err);
/* Empties tables of engines without transactions, whose rows are not bound to the ledger, before a restore
 * goes on; never those that hold no rows of their own. */
MUST_CHECK bool loader_empty_unbound(const Restore *r, Db *db, Err *err);
