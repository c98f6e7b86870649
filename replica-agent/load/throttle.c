/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/throttle.h"

#include <stdio.h>

enum { LOOK_AGAIN_MS = 250, LONGEST_MS = 2000, NOISE_MS = 20, LONGEST_REST_MS = 500 };

#define FORGET 1.02

int64_t throttle_wait_ms(const ThrottleInputs *in, const ThrottleLimits *limits, char *reason, size_t n)
{
    if (limits->running && in->running > limits->running) {
        snprintf(reason, n, "waiting: %lld threads run on the primary, the limit is %lld",
                 (long long)in->running, (long long)limits->running);
        return LOOK_AGAIN_MS;
    }
    if (limits->commit_ms && in->commit_ms > limits->commit_ms) {
        snprintf(reason, n, "waiting: the last commit took %lld ms, the limit is %lld ms",
                 (long long)in->commit_ms, (long long)limits->commit_ms);
        return in->commit_ms < LONGEST_MS ? in->commit_ms : LONGEST_MS;
    }
    if (limits->lag_ms && in->lag_ms > limits->lag_ms) {
        snprintf(reason, n, "waiting: a serving replica is %lld ms behind, the limit is %lld ms",
                 (long long)in->lag_ms, (long long)limits->lag_ms);
        return LOOK_AGAIN_MS;
    }
    if (n)
        *reason = '\0';
    return 0;
}

static double best(double known, double seen)
{
    known *= FORGET;
    return known > 0 && known < seen ? known : seen;
}

int64_t throttle_rest_ms(ThrottlePace *p, int64_t rows, int64_t write_ms, int64_t commit_ms)
{
    if (rows <= 0)
        return 0;
    p->row_ms = best(p->row_ms, (double)write_ms / (double)rows);
    p->commit_ms = best(p->commit_ms, (double)commit_ms);
    double excess = (double)(write_ms + commit_ms) - p->row_ms * (double)rows - p->commit_ms;
    if (excess < NOISE_MS)
        return 0;
    return excess < LONGEST_REST_MS ? (int64_t)excess : LONGEST_REST_MS;
}

int64_t throttle_next_rows(int64_t rows, int64_t took_ms, int64_t max_ms, int64_t most)
{
    if (took_ms > max_ms)
        rows = rows / 2;
    else if (took_ms < max_ms / 2)
        rows = rows + rows / 2 + 1;
    if (rows > most)
        rows = most;
    return rows < 1 ? 1 : rows;
}
