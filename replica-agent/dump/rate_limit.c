/* SPDX-License-Identifier: Apache-2.0 */
#include "rate_limit.h"

#include "common/base/clock.h"
#include "control.h"

enum { LOOK_MS = 100 };

void rate_limit_init(RateLimit *t, int64_t bytes_per_s)
{
    pthread_mutex_init(&t->lock, NULL);
    bucket_init(&t->bucket, bytes_per_s, clock_mono_ms());
}

void rate_limit_done(RateLimit *t)
{
    pthread_mutex_destroy(&t->lock);
}

bool rate_limit_take(RateLimit *t, size_t bytes, Err *err)
{
    if (!t)
        return true;
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&t->lock);
    int64_t until = now + bucket_take(&t->bucket, (int64_t)bytes, now);
    pthread_mutex_unlock(&t->lock);
    for (; now < until; now = clock_mono_ms()) {
        if (control_stopping())
            return err_set(err, ERR_CANCELLED, 0, "stopped by a signal");
        clock_sleep_ms(until - now < LOOK_MS ? until - now : LOOK_MS);
    }
    return true;
}
