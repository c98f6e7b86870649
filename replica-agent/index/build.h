/* SPDX-License-Identifier: Apache-2.0
 * Builds the index: reads ranges of records in parallel, sorts outside memory, writes the rows. In a run on
 * several replicas ranges are taken from the run's list, one by one, or in batches for the layout
 * "hitlist", whose rows must not interleave and are better long; where there is no list each shard has an
 * equal part. Leaves no file behind when it fails.
 */
#pragma once

#include "common/db/db.h"
#include "common/db/rowsum.h"
#include "common/file/json.h"
#include "replica-agent/index/definition.h"

typedef struct BuildOptions {
    DbTarget target;
    const IndexDefinition *definition;
    const char *folder, *codec;
    int64_t threads, memory_bytes, range_rows, rows_per_file;
    int64_t shard, shards;
} BuildOptions;

typedef struct BuildResult {
    json_t *files; /* as in files.json */
    RowSum sum;
    int64_t records; /* read, of the first field */
    int64_t text_bytes;
} BuildResult;

MUST_CHECK bool build_index(const BuildOptions *o, BuildResult *ret, Err *err);
