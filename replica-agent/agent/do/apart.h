/* SPDX-License-Identifier: Apache-2.0
 * How this host keeps jobs apart, and what a job does not see. Loop thread only.
 */
#pragma once

#include "replica-agent/core/separation.h"
#include "replica-agent/helper/supervise.h"
#include "replica-agent/host/config.h"

struct Agent;

typedef struct Apart {
    Separation have;
    char why[300]; /* not more; "": it is the most there is */
} Apart;

/* What the host gives. Forks: before there are threads. */
void apart_look(struct Agent *a);
/* Whether a job can be run as it demands. */
MUST_CHECK bool apart_check(const struct Agent *a, const JobConfig *j, Err *err);
/* Of a job's spec: how it is kept apart, with what is hidden from it. */
MUST_CHECK bool apart_fill(const struct Agent *a, const JobConfig *j, const char *run, const char *cnf,
                           ProgramSpec *ret, Err *err);
/* For `siding check`: an "ok" or a "warning" or an "error", its text and its mend. */
const char *apart_finding(const struct Agent *a, char *text, size_t n, const char **ret_mend);
