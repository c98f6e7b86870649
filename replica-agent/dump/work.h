/* SPDX-License-Identifier: Apache-2.0
 * What is to be done and what has been: one entry a table, the chunk that is taken next, sums of those that
 * are finished. Chunks are taken one at a time by whoever is free, from the biggest table that has one left,
 * and become smaller towards the end, so that no thread is idle while another is in a long one.
 */
#pragma once

#include <pthread.h>

#include "common/rowsum.h"
#include "format.h"
#include "journal.h"
#include "plan.h"

typedef struct TableWork {
    const Table *table;
    Format format;
    Str file_head, insert_head;
    pthread_mutex_t lock; /* guards the walk: after, next_chunk, exhausted */
    Bound after;
    size_t next_chunk;
    bool exhausted;
    RowSum sum; /* of finished chunks; guarded by Work.lock, as are the rest */
    int64_t rows, rows_walked;
    size_t open_chunks;
} TableWork;

typedef struct Work {
    TableWork *tables;
    size_t n_tables, threads;
    ChunkSize size;
    const char *where; /* NULL: all rows */
    Journal *journal;  /* NULL: none */
    pthread_mutex_t lock;
    int64_t done_rows, total_rows, kept_rows;
} Work;

typedef struct Chunk {
    TableWork *work;
    Bound after, upto;
    size_t number;
} Chunk;

typedef struct WorkPlan {
    FormatKind format;
    ChunkSize size;
    size_t threads;
    const char *where;
    const char *load_session; /* statement for the head of each file, NULL: none */
    Journal *journal;
} WorkPlan;

void work_init(Work *w, Catalogue *c, const WorkPlan *plan);
void work_done(Work *w);

/* *ret_found false: nothing is left. Chunks that the journal knows as finished are passed over and counted.
 */
MUST_CHECK bool work_take(Work *w, Db *db, Chunk *ret, bool *ret_found, Err *err);
void chunk_done(Chunk *c);
/* Rows read of a chunk under way; `finished` with its sum once it is written. */
void work_report(Work *w, TableWork *t, int64_t rows);
void work_finished(Work *w, TableWork *t, const RowSum *sum);
