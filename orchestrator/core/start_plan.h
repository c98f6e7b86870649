/* SPDX-License-Identifier: Apache-2.0
 * The one decider of the queue: which waiting tasks start now and on which nodes, and for each that does not,
 * the sentence that says why. Pure: the same input gives the same plan. Uploads run strictly in the order of
 * their creation, one at a time, whatever their priorities.
 */
#pragma once

#include "choose.h"
#include "coord_run.h"

enum { PLAN_LEAST_PRIORITY = -10 }; /* below it a task starts only by hand */

typedef struct PlanTask {
    int64_t id;
    TaskKind kind;
    NodeRole on;
    const char *name, *job;
    const char *only_node;
    const char *window;
    int64_t priority, replicas, run_at, submitted_at, sequence_id;
    bool waiting;         /* wants to start */
    bool active;          /* has a run under way */
    bool failed;          /* ended in an error nobody has acknowledged: holds its sequence */
    bool busy;            /* a write of ours about it is under way: not now */
    CoordRunState parent; /* uploads: state of the run whose result they load */
    const char *parent_run;
    bool scattered; /* its result is still on several replicas */
} PlanTask;

typedef struct PlanInput {
    const PlanTask *tasks;
    size_t n_tasks;
    const ChooseNode *nodes;
    size_t n_nodes;
    ChooseRules rules;
    const char *hold; /* nothing starts, for this reason; NULL: go on */
    int64_t now_ms;
    int week_minute; /* of the local week, for windows */
} PlanInput;

typedef struct PlanAnswer {
    bool start;
    StrList nodes;
    char *why; /* not started: a sentence */
} PlanAnswer;

typedef struct Plan {
    PlanAnswer *answers; /* one a task, in the order of the input; waiting tasks only are filled */
    size_t n;
    int64_t next_ms; /* when a task becomes due; 0: none will by itself */
} Plan;

void plan_make(const PlanInput *in, Plan *ret);
void plan_done(Plan *p);

/* When a recurring task is next due: now + sleeptime, or with fixed_time the first old + k·sleeptime after
 * now. */
int64_t plan_next_run_at(int64_t old_run_at, int64_t now_ms, int64_t sleeptime_ms, bool fixed_time);
