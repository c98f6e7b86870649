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

/* The best this server has shown, slowly forgotten: rows become slower as indexes grow. Zeroed at the start.
 */
typedef struct ThrottlePace {
    double row_ms, commit_ms;
} ThrottlePace;

/* Milliseconds to rest after a transaction: what it took longer than at the server's best, which is the time
 * that others wanted of it. */
int64_t throttle_rest_ms(ThrottlePace *p, int64_t rows, int64_t write_ms, int64_t commit_ms);

/* Rows of the next transaction after one of `rows` took `took_ms`: within [1, most], aiming below max_ms. */
int64_t throttle_next_rows(int64_t rows, int64_t took_ms, int64_t max_ms, int64_t most);
