/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/throttle.h"

#include <stdio.h>

enum { LOOK_AGAIN_MS = 250, LONGEST_MS = 2000, NOISE_MS = 20, LONGEST_REST_MS = 500 };

static const double FORGET = 1.02;
static const double RECENT = 0.25; /* weight of the last transaction */
static const double AIM = 0.65;    /* of max_txn_ms: one may take longer than those before it */
static const double LEAST = 0.3;   /* and this for rows where commits take long */

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

static void follow(double *recent, double seen)
{
    *recent = *recent > 0 ? *recent + RECENT * (seen - *recent) : seen;
}

void throttle_took(ThrottlePace *p, int64_t rows, int64_t write_ms, int64_t commit_ms)
{
    if (rows <= 0)
        return;
    p->row_ms = best(p->row_ms, (double)write_ms / (double)rows);
    p->commit_ms = best(p->commit_ms, (double)commit_ms);
    follow(&p->recent_row_ms, (double)write_ms / (double)rows);
    follow(&p->recent_commit_ms, (double)commit_ms);
}

int64_t throttle_rest_ms(const ThrottlePace *p, int64_t rows, int64_t write_ms, int64_t commit_ms)
{
    double alone = p->row_ms * (double)rows, rest = 0;
    double writing = (double)write_ms - alone, committing = (double)commit_ms - p->commit_ms;
    if (committing >= NOISE_MS)
        rest += committing;
    if (writing >= NOISE_MS && writing > alone / 2)
        rest += writing < (double)write_ms / 2 ? writing / 2 : (double)write_ms / 4;
    return rest < LONGEST_REST_MS ? (int64_t)rest : LONGEST_REST_MS;
}

int64_t throttle_next_rows(const ThrottlePace *p, int64_t rows, int64_t max_ms, int64_t most)
{
    double for_rows = AIM * (double)max_ms - p->recent_commit_ms, least = LEAST * (double)max_ms;
    for_rows = for_rows < least ? least : for_rows;
    double wanted = p->recent_row_ms > 0 ? for_rows / p->recent_row_ms : 2.0 * (double)rows;
    int64_t fewest = rows / 2, greatest = rows + rows / 2 + 1;
    rows = wanted < (double)fewest ? fewest : wanted > (double)greatest ? greatest : (int64_t)wanted;
    if (rows > most)
        rows = most;
    return rows < 1 ? 1 : rows;
}
