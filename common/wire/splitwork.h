/* SPDX-License-Identifier: Apache-2.0
 * A job program's side of a run split over several replicas: pieces of work are asked for on the socket that
 * SIDING_SPLIT_FD names, with JSON lines (docs/jobs.md, replica-agent/core/split.h). May be called from any
 * thread. ERR_LOST: the list cannot be reached; other errors as its holder says.
 */
#pragma once

#include <stddef.h>

#include "common/file/json.h"

typedef struct SplitWork SplitWork;

/* SIDING_SHARD and SIDING_SHARDS; 0 of 1 where they are not set. ERR_USAGE. */
MUST_CHECK bool splitwork_shard(int64_t *ret_shard, int64_t *ret_shards, Err *err);
/* NULL: this run is not split, or no list is at hand. */
SplitWork *splitwork_open(void);
void splitwork_close(SplitWork *w);
/* `streams` as in the request "join"; takes `identity` and `streams`. */
MUST_CHECK bool splitwork_join(SplitWork *w, json_t *identity, json_t *streams, Err *err);
/* *ret: a piece, {"wait": true} or {"end": true}. */
MUST_CHECK bool splitwork_take(SplitWork *w, json_t **ret, Err *err);
/* `upto` NULL: the stream ends with this piece; taken. */
MUST_CHECK bool splitwork_cut(SplitWork *w, const char *stream, int64_t number, json_t *upto, int64_t walked,
                              Err *err);
MUST_CHECK bool splitwork_done(SplitWork *w, const char *stream, int64_t number, Err *err);
