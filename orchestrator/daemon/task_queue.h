/* SPDX-License-Identifier: Apache-2.0
 * The queue between memory and database: reads it, polls it, plans it, claims, writes behind, requests of
 * people. A claim is on record before the first agent hears of it; everything else the database follows.
 */
#pragma once

#include "common/net/http.h"
#include "coord_state.h"
#include "orchestrator/core/start_plan.h"

void queue_step(Coord *c); /* reads once, polls every half second */
void queue_plan(Coord *c); /* starts what may start */
void queue_save(Coord *c); /* writes down what changed */

/* Fetches a task that memory does not hold (once; a second call while it is under way does nothing). */
void queue_look_up(Coord *c, int64_t task);

/* Fills in kind, place and name from the agents' jobs and checks the whole. ERR_REFUSED or ERR_USAGE. */
MUST_CHECK bool queue_make_task(Coord *c, const TaskSpec *spec, Task *ret, Err *err);
/* Where the task would run now: nodes, or the sentence why not. */
void queue_try(Coord *c, const Task *t, PlanAnswer *ret);

typedef void (*QueueDone)(void *arg, Coord *c, bool ok, int64_t task, const Err *err);
/* Takes `t`. `done` is called once, also when it cannot be started. */
void queue_submit(Coord *c, Task *t, QueueDone done, void *arg);
void queue_request(Coord *c, int64_t task, TaskAction action, const char *by, QueueDone done, void *arg);
