/* SPDX-License-Identifier: Apache-2.0
 * Results kept in spool_dir. The coordinator decides which go (it knows what uploads need); a result that
 * goes is renamed first, so that it is there whole or not at all, and its files are removed by a worker.
 */
#pragma once

#include "common/file/json.h"

struct Agent;

/* Whether the folder of a run in spool_dir is a result that the agent has sealed. */
bool spool_is_sealed(const struct Agent *a, const char *run);
/* All that are there, read by a worker: ResultInfo each, or else manifests with their `path`, without tables.
 * The list is the callee's. */
typedef void (*SpoolListed)(void *arg, json_t *list);
MUST_CHECK bool spool_list(struct Agent *a, bool brief, SpoolListed done, void *arg, Err *err);
/* ERR_CONFLICT while its run is under way, ERR_NOT_FOUND if there is none. */
MUST_CHECK bool spool_remove(struct Agent *a, const char *run, bool only_part, Err *err);
/* What cannot be removed now, because it is a job's user's still, goes with what has expired. */
void spool_set_aside(struct Agent *a, const char *run);
void spool_sweep(struct Agent *a); /* at start: removes what a killed agent has renamed */
