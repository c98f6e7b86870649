/* SPDX-License-Identifier: Apache-2.0
 * Loads one file of a dump: its statements in order, its rows in transactions that the ledger counts, its
 * objects with their marks. RestoreWorker connections of one restore share the Restore.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "folder.h"
#include "lines.h"
#include "options.h"
#include "replica-agent/dump/rate_limit.h"
#include "restore_target.h"

typedef struct Restore {
    const RestoreOptions *o;
    const Folder *f;
    DbTarget where;
    RestoreTarget target;
    Db *db;                    /* of the main thread: connect.h */
    int64_t lost_until_ms;     /* the main thread's: it is given up then; 0: it is there */
    RateLimit *rate_limit;     /* NULL: rows are loaded as fast as the server takes them */
    struct Accounts *accounts; /* accounts.h; none where they are not asked for */
    atomic_bool lost_once;     /* a connection was lost: what it asked for may have been done */
    pthread_mutex_t objects;   /* held by whoever makes routines, events or triggers: they may set the
                                  database's collation for a moment */
    pthread_mutex_t lock;      /* guards the rest */
    size_t next, end;          /* files of the step under way */
    int64_t holder;            /* the connection that holds the restore's lock; 0: it may be gone */
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
    int64_t most_bytes;       /* of a statement */
    Lines lines;
    pthread_t thread;
} RestoreWorker;

/* A file that is done already is passed over. */
MUST_CHECK bool loader_load(RestoreWorker *w, const RestoreFile *file, Err *err);
/* Runs a statement that makes an object: its mark first. `mark` as journal_table_mark. */
MUST_CHECK bool loader_make(const Restore *r, Db *db, const char *mark, const char *sql, Err *err);
/* Empties tables of engines without transactions, whose rows are not bound to the ledger, before a restore
 * goes on; never those that hold no rows of their own. */
MUST_CHECK bool loader_empty_unbound(const Restore *r, Db *db, Err *err);
