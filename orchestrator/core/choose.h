/* SPDX-License-Identifier: Apache-2.0
 * Which replicas a run gets: healthy, caught up, free, knowing the job, leaving enough others serving. Pure.
 */
#pragma once

#include "common/wire/wire_node.h"
#include "common/wire/wire_task.h"

typedef struct ChooseNode {
    const Node *node;
    const char *taken_by;     /* run id that has a claim on it, NULL: none */
    int64_t kept_for;         /* the task that it is kept for; 0: none */
    const QueueBrake *cordon; /* nothing starts there; NULL: it may */
    const StrList *jobs;      /* names of jobs that it takes, as in groups; NULL or empty: all */
} ChooseNode;

typedef struct ChooseRules {
    const char *primary; /* NULL: not known */
    int64_t min_serving; /* replicas that must stay serving */
    int64_t max_lag_ms;
    bool catch_up_between; /* false: one that catches up after a run is free for the next */
} ChooseRules;

typedef struct ChooseWish {
    const char *job;
    const char *only_node; /* NULL: any */
    int64_t replicas;
} ChooseWish;

/* Nodes for the run, best first; ERR_CONFLICT with a sentence that says of each replica why it is not
 * possible now. `ret` is empty before. */
MUST_CHECK bool choose_replicas(const ChooseNode *nodes, size_t n, const ChooseWish *wish,
                                const ChooseRules *rules, StrList *ret, Err *err);
/* Where the wish is not met now, but will be once runs and pauses have ended: keeps the replicas that are
 * free for `task`. False: it waits for something else, nothing is kept. */
bool choose_keep(ChooseNode *nodes, size_t n, const ChooseWish *wish, const ChooseRules *rules, int64_t task);
/* That node is busy with a run, or with a pause of one, and will fit the wish once that has ended. */
bool choose_comes_back(const ChooseNode *nodes, size_t n, size_t node, const ChooseWish *wish,
                       const ChooseRules *rules);
/* Replicas that serve now. */
int64_t choose_serving(const ChooseNode *nodes, size_t n, const ChooseRules *rules);
/* The primary, for runs on it; ERR_CONFLICT with the reason. */
MUST_CHECK bool choose_primary(const ChooseNode *nodes, size_t n, const ChooseWish *wish,
                               const ChooseRules *rules, StrList *ret, Err *err);
/* The job as an agent describes it, from the first node that knows it; NULL: none does. */
const JobInfo *choose_job(const Node *const *nodes, size_t n, const char *job);
/* ERR_REFUSED: "there is no job …; known: …", with the nearest name. */
bool choose_unknown_job(const Node *const *nodes, size_t n, const char *job, Err *err);
