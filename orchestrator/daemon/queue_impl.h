/* SPDX-License-Identifier: Apache-2.0
 * The operations of the queue on its database, one a file; task_queue.c says when.
 */
#pragma once

#include "coord_store.h"
#include "queue_memory.h"
#include "task_queue.h"

enum { QUEUE_RETRY_LEAST_MS = 250, QUEUE_RETRY_MOST_MS = 3000, QUEUE_HELD_MS = 1000 };

#define QUEUE_ITSELF "siding" /* who asks, where nobody does */

SlotTime queue_time(void);
/* What a concurrency key may, as the configuration says. */
SlotLimit queue_limit_of(const Coord *c, const char *key);
/* What the queue knows of a task; `t` stays the owner of its texts. `ret_broken` keeps the sentence where it
 * cannot run as it is. */
SlotTask queue_slot_task(Coord *c, const Task *t, char **ret_broken);

void queue_tell_jobs(Coord *c);
void queue_forget_jobs(Coord *c);
void queue_load(Coord *c);
void queue_intake(Coord *c);
void queue_look_for_wanted(Coord *c);
void queue_save_tasks(Coord *c);

/* A task as the database has it: its slot, and an entry where the coordinator deals with it now. `anew`: its
 * slot is stale, else one that is known keeps its place. Takes `t`. */
void queue_take(Coord *c, Task *t, bool anew);
void queue_take_all(Coord *c, WireList *tasks, bool anew, int64_t read_ms); /* when their reading began */
/* Its run has ended: its slot follows at once, the database behind. */
void queue_settle(Coord *c, const TaskEntry *e);

/* Answered once it counts: queue_asked.c. `done` may be NULL. */
void queue_asked_add(Coord *c, int64_t task, TaskAction action, QueueDone done, void *arg);
void queue_asked_step(Coord *c);
void queue_asked_fail(Coord *c); /* all that wait */

/* Writes the claim of a task that has been decided to start. */
void queue_claim(Coord *c, int64_t id, const StrList *nodes);
/* Its claim is on record: `run`, with what was read beside it. Takes what is owned. */
typedef struct QueueStart {
    Task task; /* as stored, the new run not among its runs */
    Run run;
    char *position; /* of the primary; NULL: not read */
    int64_t now;    /* by the primary's clock, before that */
} QueueStart;
void queue_begin(Coord *c, QueueStart *s);
Run queue_new_run(const Coord *c, int64_t no, const StrList *nodes);
/* On a connection: the run of the task that is stored, and what its job must see. */
MUST_CHECK bool queue_store_start(Db *db, QueueStart *s, int64_t task, int64_t no, Err *err);

/* Checks a task against what is known of its job and fills in what it leaves open. */
MUST_CHECK bool queue_fill_in(const Coord *c, Task *t, Err *err);
