/* SPDX-License-Identifier: Apache-2.0
 * All workers of a program together take no more bytes a second than they may: whoever has taken some waits
 * here until that was not too much, or the program is to end. It is no safe point (control.h): locks may be
 * held.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>

#include "common/base/bucket.h"
#include "common/base/err.h"

/* A piece that is taken at once where there is a limit: others do not wait long for one. */
enum { RATE_LIMIT_PIECE = 1 << 14 };

typedef struct RateLimit {
    pthread_mutex_t lock;
    Bucket bucket;
} RateLimit;

void rate_limit_init(RateLimit *t, int64_t bytes_per_s);
void rate_limit_done(RateLimit *t);
/* `t` NULL: no limit. False: ERR_CANCELLED. */
MUST_CHECK bool rate_limit_take(RateLimit *t, size_t bytes, Err *err);
