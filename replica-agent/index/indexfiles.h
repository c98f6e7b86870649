/* SPDX-License-Identifier: Apache-2.0
 * The second half of building an index: sorted runs become the result's files. Parts of the terms are merged
 * by several threads, each into files of its own, which are numbered in order at the end. Asked to sleep, the
 * process stops itself between two rows.
 */
#pragma once

#include "common/db/rowsum.h"
#include "common/file/json.h"
#include "replica-agent/index/definition.h"
#include "replica-agent/index/runs.h"

typedef struct IndexFilesPlan {
    const IndexDefinition *definition;
    const char *folder, *scratch; /* of one file system; scratch is the caller's to remove */
    const char *codec;
    int64_t rows_per_file, threads;
    int64_t memory_bytes;      /* for reading the runs, if there are not very many */
    int64_t records;           /* for progress: reading them was the first half */
    const int64_t *row_bounds; /* layout_bound */
    size_t n_row_bounds;
} IndexFilesPlan;

/* `ret_files` as in files.json. Leaves nothing in `folder` when it fails. */
MUST_CHECK bool indexfiles_write(const IndexFilesPlan *p, Runs *runs, json_t **ret_files, RowSum *ret_sum,
                                 Err *err);
