/* SPDX-License-Identifier: Apache-2.0
 * The rows: one thread a reader connection, each taking the next chunk of the biggest table that has one
 * left. A table's chunks are found one at a time by whoever is free, so that one huge table keeps all threads
 * busy.
 */
#pragma once

#include "catalogue.h"
#include "output.h"
#include "snapshot.h"

typedef struct DataPlan {
    const DbTarget *target; /* to end statements of a stopped run */
    Snapshot *snapshot;
    Catalogue *catalogue;
    Output *output; /* NULL: only checksums, computed in the server */
    int64_t chunk_bytes, statement_bytes;
    bool verify; /* each chunk's checksum is computed in the server too and compared */
} DataPlan;

/* *ret: array of {database, table, files, rows, checksum, checksum_kind, verified}. Main thread only. */
MUST_CHECK bool data_dump(const DataPlan *plan, json_t **ret, Err *err);
