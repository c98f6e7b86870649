/* SPDX-License-Identifier: Apache-2.0
 * How gently to load: whether to wait before the next transaction, and how large it may be. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct ThrottleLimits {
    int64_t running;   /* threads running in the server, besides ours; 0: no limit */
    int64_t commit_ms; /* our last commit; 0: no limit */
    int64_t lag_ms;    /* of the serving replica that is furthest behind; 0: no limit */
} ThrottleLimits;

typedef struct ThrottleInputs {
    int64_t running;   /* -1: not known */
    int64_t commit_ms; /* of the last transaction, 0 once it was waited for */
    int64_t lag_ms;    /* -1: not known */
} ThrottleInputs;

/* Milliseconds to wait before looking again, 0: go on. The reason is a sentence for people. */
int64_t throttle_wait_ms(const ThrottleInputs *in, const ThrottleLimits *limits, char *reason, size_t n);

/* How long rows and commits take here, told by the transactions. Zeroed at the start. */
typedef struct ThrottlePace {
    double row_ms, commit_ms; /* the best, slowly forgotten: rows become slower as indexes grow */
    double recent_row_ms, recent_commit_ms;
} ThrottlePace;

void throttle_took(ThrottlePace *p, int64_t rows, int64_t write_ms, int64_t commit_ms);

/* Milliseconds to rest after that transaction. A commit that took longer than the best waited for disk or
 * replicas: as long again. Rows that took longer waited for others who run: half of it, and at most a quarter
 * of the transaction, since a rest that grows with the noise of a busy server would never end. */
int64_t throttle_rest_ms(const ThrottlePace *p, int64_t rows, int64_t write_ms, int64_t commit_ms);

/* Rows of the next transaction after one of `rows`: within [1, most], so that at the recent pace it takes
 * well below max_ms. */
int64_t throttle_next_rows(const ThrottlePace *p, int64_t rows, int64_t max_ms, int64_t most);
