/* SPDX-License-Identifier: Apache-2.0
 * What is to be done and what has been: one entry a table, the chunk that is taken next, sums of those that
 * are finished. Chunks are taken one at a time by whoever is free, from the biggest table that has one left,
 * and become smaller towards the end, so that no thread is idle while another is in a long one.
 */
#pragma once

#include <pthread.h>

#include "chunkplan.h"
#include "common/db/rowsum.h"
#include "common/wire/splitwork.h"
#include "format.h"
#include "journal.h"

typedef struct TableWork {
    const DumpTable *table;
    Format format;
    Str file_head, insert_head;
    pthread_mutex_t lock; /* guards the walk: after, next_chunk, exhausted */
    Bound after;
    size_t next_chunk;
    bool exhausted;
    RowSum sum; /* of finished chunks; guarded by the lock of DumpWork, as are the rest */
    int64_t rows, rows_walked;
    int64_t *lost; /* of each column: values that a restore cannot bring back as they are */
    size_t open_chunks;
} TableWork;

typedef struct DumpWork {
    TableWork *tables;
    size_t n_tables, threads;
    ChunkSize size;
    const char *where; /* NULL: all rows */
    Journal *journal;  /* NULL: none */
    SplitWork *split;  /* the list that chunks are taken from, with other replicas; NULL: all are ours */
    size_t shards;
    pthread_mutex_t lock;
    int64_t done_rows, kept_rows;
    int64_t done_bytes, total_bytes; /* rows as the server says that those of their table are on average */
} DumpWork;

typedef struct Chunk {
    TableWork *work;
    Bound after, upto;
    size_t number;
} Chunk;

/* Of several replicas: what all must have in common. */
typedef struct DumpWorkSplit {
    SplitWork *list; /* NULL: this is the only one */
    size_t shards;
    const json_t *identity;
} DumpWorkSplit;

typedef struct DumpWorkPlan {
    FormatKind format;
    ChunkSize size;
    size_t threads;
    const char *where;
    const char *load_session; /* statement for the head of each file, NULL: none */
    Journal *journal;
    DumpWorkSplit split;
} DumpWorkPlan;

/* Lets rows of a system-versioned table keep their periods. */
extern const char *const dumpwork_history_sql;

void dumpwork_init(DumpWork *w, Catalogue *c, const DumpWorkPlan *plan);
void dumpwork_done(DumpWork *w);

/* Once, before anything is taken. */
MUST_CHECK bool dumpwork_join(DumpWork *w, const json_t *identity, Err *err);
/* *ret_found false: nothing is left, or with *ret_wait nothing at the moment. Chunks that the journal knows
 * as finished are passed over and counted. */
MUST_CHECK bool dumpwork_take(DumpWork *w, Db *db, Chunk *ret, bool *ret_found, bool *ret_wait, Err *err);
void chunk_done(Chunk *c);
/* Rows read of a chunk under way; `finished` with its sum once it is written. */
void dumpwork_report(DumpWork *w, TableWork *t, int64_t rows);
void dumpwork_lost(DumpWork *w, TableWork *t, const int64_t *lost);
MUST_CHECK bool dumpwork_finished(DumpWork *w, const Chunk *c, const RowSum *sum, Err *err);
