/* SPDX-License-Identifier: Apache-2.0
 * Tasklets as the agents tell them: what there is and what is broken, and whether a task that names one is
 * right. Of several agents the first counts, as for jobs. Pure.
 */
#pragma once

#include "common/wire/tasklet.h"

/* {"tasklets": [{name, text, on, params, nodes}], "broken": [{name, node, error}]}. Owned. */
json_t *tasklets_list(const Node *const *nodes, size_t n);
/* One of them, owned. ERR_REFUSED as below. */
MUST_CHECK bool tasklets_find(const Node *const *nodes, size_t n, const char *name, json_t **ret, Err *err);
/* ERR_REFUSED: there is none of this name: a job, a broken file, or nothing. ERR_USAGE: its arguments. */
MUST_CHECK bool tasklets_check(const Node *const *nodes, size_t n, const char *name, const StrList *args,
                               Err *err);
/* The arguments of a job that may be a tasklet. */
MUST_CHECK bool tasklets_check_job(const JobInfo *job, const StrList *args, Err *err);
/* ERR_REFUSED where a file of that name is broken on some node: why. True: there is none. */
MUST_CHECK bool tasklets_not_broken(const Node *const *nodes, size_t n, const char *name, Err *err);
