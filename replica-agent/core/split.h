/* SPDX-License-Identifier: Apache-2.0
 * The work of one run, split over several replicas that stand at one GTID: a list that the agent of the first
 * one (shard 0) holds, and from which the programs of all take pieces, so that a slow replica takes fewer.
 * Work comes in streams. A counted stream has pieces 0 to count-1, which everybody knows beforehand. Of a cut
 * stream, whoever takes a piece is told where the one before ended and tells where this one ends; until then
 * nobody else takes of that stream. The pieces of a shard that is lost, done or not, are given to the others,
 * which is why nobody hears of the end before all is done, and every shard that is not lost has spoken since:
 * one that died with its last pieces done is missed while they can still be done again. Pure: the same
 * requests make the same list.
 *
 * Requests (JSON objects, with "shard" and "seq", which grows) and what is answered:
 *   {"op":"join","identity":any,"streams":[{"name":…,"count":N}|{"name":…}]}, biggest first   {}
 *   {"op":"take"}                                {"stream","number"[,"after","walked"][,"upto"]}
 *                                                {"wait":true} ask again   {"end":true} all is done, by all
 *   {"op":"cut","stream","number","upto":any,"walked":N}    null: the stream ends with it     {}
 *   {"op":"done","stream","number"}                                                           {}
 *   {"op":"beat"}                                                                             {}
 *   {"op":"leave"}                               the program has ended                        {}
 * A repeated seq gets the answer of the first time: requests are sent again after a broken connection.
 */
#pragma once

#include "common/file/json.h"

typedef struct Split Split;

Split *split_new(size_t shards);
void split_free(Split *s);

/* False with ERR_USAGE (no such request), ERR_REFUSED (another's identity or streams), ERR_CONFLICT (this
 * shard was given up). *ret_changed: the list is another now, the request must be kept. */
MUST_CHECK bool split_do(Split *s, const json_t *request, json_t **ret_answer, bool *ret_changed, Err *err);
/* Its pieces go to the others. False: too late, somebody was told of the end. */
bool split_lose(Split *s, size_t shard);
bool split_is_lost(const Split *s, size_t shard);
bool split_is_joined(const Split *s); /* by anybody */
bool split_is_ended(const Split *s);  /* every piece of every stream is done, and somebody was told so */
void split_end(Split *s);             /* as it was told before: who has spoken since is not kept */
/* Pieces that are done, by shard. */
int64_t split_done_by(const Split *s, size_t shard);
