/* SPDX-License-Identifier: Apache-2.0
 * The list of a split run (core/split.h), held by the agent of its first replica. Each request that changed
 * it is a line of a file, so that an agent that was killed finds the list as it was. A shard that is silent
 * for too long is lost: its helper (`siding-agent split`) speaks every few seconds while the program lives.
 */
#pragma once

#include "common/file/json.h"

typedef struct SplitList SplitList;

/* In the folder of the run; what is there already is read. */
MUST_CHECK bool split_list_open(const char *dir, size_t shards, SplitList **ret, Err *err);
void split_list_free(SplitList *l);
MUST_CHECK bool split_list_do(SplitList *l, const json_t *request, json_t **ret_answer, Err *err);
/* Gives up who was not heard of for `silence_ms`. */
void split_list_tick(SplitList *l, int64_t silence_ms);
bool split_list_is_joined(const SplitList *l);
bool split_list_is_ended(const SplitList *l); /* see core/split.h */
/* Numbers of lost shards. */
void split_list_lost(const SplitList *l, StrList *ret);
