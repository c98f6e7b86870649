/* SPDX-License-Identifier: Apache-2.0
 * What a task names for after it: a tasklet, put into the queue as a task of its own by the transaction that
 * writes the end of the run down, so that there is one for each run that went well, whatever is killed
 * meanwhile. The next run is claimed from the row that this transaction writes: one is due at a time.
 */
#pragma once

#include "queue_impl.h"

/* What the plan names is a tasklet, and its parameters are right. */
MUST_CHECK bool post_process_check(const Coord *c, const Task *t, Err *err);
/* The task that follows e->post_run; `ret` is zeroed, and stays so where none is due. Where no agent knows
 * the tasklet any more it waits, and says so. */
void post_process_make(const TaskEntry *e, Task *ret);
/* On a connection: unless it is there already; then *ret_id is 0. */
MUST_CHECK bool post_process_store(Db *db, const Task *t, int64_t *ret_id, Err *err);
/* It is on record. Takes `t`. `id` 0: it was there. `parent`: its entry; NULL: gone. */
void post_process_stored(Coord *c, TaskEntry *parent, Task *t, int64_t id);
