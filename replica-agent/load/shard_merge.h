/* SPDX-License-Identifier: Apache-2.0
 * Sorted files of several shards as one sorted sequence of rows: an index is filled fastest in its own order.
 * Files of one shard ("x.00000.tsv.gz", "x.00001.tsv.gz"; of shard 2 "x.00000.s2.tsv.gz") follow each other.
 * Rows are compared by their first column as bytes, then by `numbers` columns as numbers.
 */
#pragma once

#include "common/base/str.h"

typedef struct ShardMerge ShardMerge;

/* How many shards these files are of. */
size_t shard_merge_count(const StrList *paths);
MUST_CHECK bool shard_merge_open(const StrList *paths, size_t numbers, ShardMerge **ret, Err *err);
void shard_merge_close(ShardMerge *l);
/* At most `n` bytes; *ret_n 0: at the end. */
MUST_CHECK bool shard_merge_read(ShardMerge *l, char *buffer, size_t n, size_t *ret_n, Err *err);
