/* SPDX-License-Identifier: Apache-2.0
 * The queue between memory and database: reads it, takes what comes in, decides, claims, writes behind,
 * requests of people. A claim is on record before the first agent hears of it; everything else the database
 * follows.
 */
#pragma once

#include "common/net/http.h"
#include "coord_state.h"

void queue_step(Coord *c); /* reads once, then takes what comes in */
void queue_plan(Coord *c); /* starts what may start */
/* The database is at an earlier time than before: what is known of it is forgotten and read again. */
void queue_read_anew(Coord *c);
void queue_save(Coord *c); /* writes down what changed, and sends it off */

/* Fetches a task that memory does not hold; one that is not there is absent for a while. */
void queue_look_up(Coord *c, int64_t task);
bool queue_is_absent(const Coord *c, int64_t task);
/* Its run is over for good: what waited for it goes on. */
void queue_settle(Coord *c, const TaskEntry *e);
void queue_revived(Coord *c, TaskState before);  /* what had ended goes on */
void queue_follow(Coord *c, const TaskEntry *e); /* a run that is under way has its place among the active */
/* Why it waits, a sentence; owned. NULL: it does not. */
char *queue_why(Coord *c, int64_t task);
int64_t queue_count(const Coord *c, TaskState state);

/* Fills in kind, place and name from the agents' jobs and checks the whole. ERR_REFUSED or ERR_USAGE. */
MUST_CHECK bool queue_make_task(Coord *c, const TaskSpec *spec, Task *ret, Err *err);
/* The body by which it could be submitted; owned. */
json_t *queue_task_body(const Task *t);
typedef void (*QueueDone)(void *arg, Coord *c, bool ok, int64_t task, const Err *err);
/* Puts what is asked for in `t` in place of what the task of its id was asked for, also while that runs: then
 * for its next turn. `revives`: one that has ended waits again. Takes `t`. */
typedef struct QueueReplace {
    Task t;
    bool revives, keeps_times; /* of the task as it is */
    const char *what, *by;     /* for the audit: borrowed until it has begun */
} QueueReplace;
void queue_replace(Coord *c, QueueReplace *r, QueueDone done, void *arg);
/* Where the task would run now: nodes, or the sentence why not (owned). */
void queue_try(Coord *c, const Task *t, StrList *ret_nodes, char **ret_why);

/* Takes `t`. `done` is called once, also when it cannot be started; it gets the task that was there already
 * where one was submitted with its key, or `takes_existing` one of its unique name. */
void queue_submit(Coord *c, Task *t, bool takes_existing, QueueDone done, void *arg);
/* `done` gets the task that was changed from memory, or finds it gone. */
void queue_request(Coord *c, int64_t task, TaskAction action, const char *by, QueueDone done, void *arg);
