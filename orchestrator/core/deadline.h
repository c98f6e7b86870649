/* SPDX-License-Identifier: Apache-2.0
 * When a task must have started and ended, how long its job usually takes, and what is to be said about it.
 * Pure.
 */
#pragma once

#include "common/base/str.h"

/* What jobs have taken so far, those that went well. */
typedef struct JobRecord {
    char *job;
    int64_t ended_at, lasted_ms, mean_ms, bytes, n; /* of the last one; a running mean */
} JobRecord;

typedef struct JobRecords {
    JobRecord *v;
    size_t n;
} JobRecords;

void job_records_add(JobRecords *r, const char *job, int64_t ended_at, int64_t lasted_ms, int64_t bytes);
const JobRecord *job_records_find(const JobRecords *r, const char *job); /* NULL: none went well yet */
void job_records_done(JobRecords *r);

typedef enum DeadlineNews {
    DEADLINE_NOTHING,
    DEADLINE_NOT_STARTED, /* its time to start has passed, and it waits */
    DEADLINE_NOT_ENDED,   /* its time to end has passed */
    DEADLINE_SLOW         /* it takes three times as long as usual */
} DeadlineNews;

typedef struct DeadlineTask {
    int64_t planned_at;                /* its turn, or when it was to run first */
    int64_t start_by_ms, finish_by_ms; /* from there on; 0: none */
    int64_t started_at;                /* of the run under way; 0: it waits */
    int64_t usual_ms;                  /* 0: not known */
    uint32_t told;                     /* set of news that were told of this turn, 1u << news */
} DeadlineTask;

/* The next thing to be told; it is then among `told`. */
DeadlineNews deadline_look(DeadlineTask *t, int64_t now_ms);
