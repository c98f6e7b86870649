/* SPDX-License-Identifier: Apache-2.0
 * Catching up, judged from positions that a probe reads: rate, time left, and when it is done. Done means
 * that what had been received at one moment was applied within a short while after that moment; a
 * comparison of two positions of the same instant would never hold under load. Pure.
 */
#pragma once

#include "common/gtid.h"

enum { CATCHUP_LAG_MS = 1000, CATCHUP_WINDOW = 32 };

typedef struct CatchupSample {
    int64_t at_ms, backlog, applied;
} CatchupSample;

typedef struct Catchup {
    DbFlavor flavor;
    int64_t started_ms;
    char *start_applied; /* where it stood when it resumed */
    char *target;        /* received at target_ms */
    int64_t target_ms;
    CatchupSample samples[CATCHUP_WINDOW]; /* ring */
    size_t n, next;
    int64_t backlog, applied;
    double rate, eta_s;
} Catchup;

void catchup_start(Catchup *c, DbFlavor flavor, const char *applied, int64_t now_ms);
void catchup_done(Catchup *c);
/* One reading. `coordinates_equal`: the source coordinates applied are those received, used where the
 * received GTIDs are not known (""). True once caught up. */
bool catchup_sample(Catchup *c, const char *applied, const char *received, bool coordinates_equal,
                    int64_t now_ms);

/* How far the applier is behind what has been received, in time: the age of the oldest received position
 * that is not applied yet. The servers' own figure is NULL while paused and wrong after. */
typedef struct Lag {
    char *target;
    int64_t target_ms, lag_ms; /* lag_ms -1: not known */
} Lag;
void lag_sample(Lag *l, DbFlavor flavor, const char *applied, const char *received, int64_t begun_ms,
                int64_t now_ms);
void lag_done(Lag *l);
