/* SPDX-License-Identifier: Apache-2.0
 * Which results may go. Results of one group stand for each other: those of one job that was asked for the
 * same. The newest of a group always stays, and so does what an upload still needs; of the others those go
 * that have `keep` newer ones, or are older than `keep_for_ms`. Pure.
 */
#pragma once

#include "common/base/str.h"
#include "common/wire/wire_run.h"

typedef struct KeptResult {
    const char *run, *group; /* parts of one run on several nodes count as one */
    int64_t sealed_at;       /* ms since the epoch */
    int64_t keep;            /* 0: any number */
    int64_t keep_for_ms;     /* 0: for ever */
    bool needed;
    bool expires; /* the answer */
} KeptResult;

void retention_plan(KeptResult *results, size_t n, int64_t now_ms);

/* A run on several replicas is over, and its first node has gathered the result: what another node has of it
 * is left over. Never that of the first, whatever an older list of its results says. */
bool retention_is_left_over(const Run *r, const char *node);
