/* SPDX-License-Identifier: Apache-2.0
 * The rows: one thread a reader connection. Each takes chunks (work.h), writes them (chunkfile.h), proves
 * them (verify.h) and notes them as finished (journal.h).
 */
#pragma once

#include "catalogue.h"
#include "chunkplan.h"
#include "dumpfolder.h"
#include "dumpwork.h"
#include "journal.h"
#include "snapshot.h"

typedef struct DataPlan {
    const DbTarget *target; /* to end statements of a stopped run */
    Snapshot *snapshot;
    Catalogue *catalogue;
    DumpFolder *output; /* NULL: only checksums, computed in the server */
    Journal *journal;   /* NULL: none is kept */
    FormatKind format;
    ChunkSize size;
    int64_t statement_bytes;
    const char *where; /* NULL: all rows */
    bool verify;
    int64_t max_rate; /* bytes a second that are read from the server; 0: no limit */
    DumpWorkSplit split;
} DataPlan;

/* *ret: array of {database, table, files, rows, checksum, checksum_kind, verified}; checksum null where it
 * was not verified. *ret_kept: rows that an earlier run had finished. Main thread only. */
MUST_CHECK bool data_dump(const DataPlan *plan, json_t **ret, int64_t *ret_kept, Err *err);
