/* SPDX-License-Identifier: Apache-2.0
 * When a task runs again: by a cron line, by a sleep time, or after a failed attempt. Pure.
 */
#pragma once

#include "common/wire/wire_task.h"
#include "zone.h"

/* `plan` may be NULL; `ret` is zeroed. */
MUST_CHECK bool recur_read(const json_t *plan, TaskPlan *ret, Err *err);
/* The parts go together, and the cron line has a time. `z`: its zone. */
MUST_CHECK bool recur_check(const TaskPlan *p, const Zone *z, Err *err);

bool recur_is(const Task *t); /* it runs again by itself */
bool recur_has_cron(const Task *t);
/* Borrowed; NULL: none is named. */
const char *recur_zone(const Task *t);
const char *recur_concurrency_key(const Task *t);

/* Sets planned_at and run_at to the first turn from a time on, of one with a cron line. False: its plan or
 * its zone cannot be read: both stay. */
bool recur_first(Task *t, const Zone *z, int64_t from_ms);
/* The same to the turn after this one, which is over. */
bool recur_next(Task *t, const Zone *z, int64_t now_ms);
/* Its turn passed while no coordinator was there (up to `alive_ms` one was), and its plan says that it is
 * left out then. */
bool recur_is_left_out(const Task *t, int64_t alive_ms, int64_t now_ms);
/* The turns of a task from now on and before `until_ms`, at most `most`, each taking `lasts_ms`. Their
 * number. */
size_t recur_forecast(const Task *t, const Zone *z, int64_t now_ms, int64_t until_ms, int64_t lasts_ms,
                      int64_t *ret, size_t most);
/* How long its runs that went well have taken, a mean; 0: none has. */
int64_t recur_lasts_ms(const Task *t);
const char *recur_schedule(const Task *t); /* borrowed; NULL: it has no name as a schedule */
/* A tasklet for after each run that went well; borrowed; NULL: none. */
const char *recur_post_process(const Task *t);
OrphanPolicy recur_orphan(const Task *t);
/* Before the next attempt. */
int64_t recur_backoff_ms(const Task *t);
