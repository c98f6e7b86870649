/* SPDX-License-Identifier: Apache-2.0
 * A pool of worker threads for blocking calls, beside one libevent loop. A job owns copies of all it
 * needs; `work` runs in a thread, `done` in the loop's thread. The queue is bounded: a full pool refuses.
 */
#pragma once

#include <event2/event.h>

#include "common/base/err.h"

typedef struct WorkPool WorkPool;

typedef struct WorkJob {
    void (*work)(void *arg); /* in a worker thread */
    void (*done)(void *arg); /* in the loop, exactly once; frees arg */
    void *arg;
    bool waits; /* may wait: one worker, and half of the queue, are left to jobs that may not */
} WorkJob;

/* Each worker calls the database library's thread setup and teardown (db_thread_begin, db_thread_end), where
 * the program has a database. */
WorkPool *work_new(struct event_base *base, const char *name, int threads, int max_queued);
/* ERR_CONFLICT "… is busy" when the queue is full; then `done` is not called and the caller keeps arg. */
MUST_CHECK bool work_submit(WorkPool *pool, WorkJob job, Err *err);
/* Does what is queued, waits for running jobs (their deadlines bound this), runs every `done`, drops nothing.
 * A `done` may no longer submit. Not from a `done`. */
void work_free(WorkPool *pool);
