/* SPDX-License-Identifier: Apache-2.0
 * A worker's side of the store: a connection, and the operations of one turn carried out on it. Worker thread
 * only.
 */
#pragma once

#include <stdatomic.h>

#include "coord_store.h"

/* One worker's connection; what is behind `closing` belongs to the worker. */
typedef struct StoreWorker {
    atomic_bool closing; /* set by the loop: one failure is enough now */
    Db *db;
    DbTarget connected;
    int64_t failed_ms; /* no new attempt to connect for a moment behind this */
    int64_t used_ms;
    int64_t number; /* of the last transaction that is there; 0: none since the queue was taken over */
    bool went_back; /* the database has lost some: nothing is written until the queue is taken over anew */
    Err failure;
} StoreWorker;

typedef struct StoreBatch {
    Coord *c; /* the loop's */
    StoreWorker *worker;
    StoreKind kind;
    DbTarget target;
    int64_t term;
    char owner[40];
    StoreOp **ops;
    size_t n;
    bool connected;
    bool went_back;
    int64_t epoch; /* what was read in an earlier one is not believed */
    Err err;       /* why it could not be connected */
} StoreBatch;

void store_batch_work(StoreBatch *b); /* sets ok and err of every operation */
void store_worker_done(StoreWorker *w);
/* The connection's own errors: nothing is wrong with what was asked. */
bool store_is_broken(const Err *err);
