/* SPDX-License-Identifier: Apache-2.0
 * siding status -s -S -t: the tasks of some states, ages and names, as BibSched's report of the queue.
 */
#pragma once

#include "client.h"

typedef struct QueueReport {
    char *states, *since, *names; /* as they were typed; NULL: running,waiting; any age; all */
} QueueReport;

/* *ret: array of those tasks, state by state and the newest first; `out`: the mode and a table for each
 * state. */
MUST_CHECK bool queue_report(const Cli *cli, const QueueReport *r, size_t width, json_t **ret, Str *out,
                             Err *err);
