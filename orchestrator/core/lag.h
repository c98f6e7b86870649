/* SPDX-License-Identifier: Apache-2.0
 * How far a replica is behind, without a heartbeat table: samples of the primary's position with the time
 * they were taken; a replica lags by the age of the oldest sample it has not applied. Pure: times are given.
 */
#pragma once

#include "common/db/db.h"

enum { LAG_SAMPLES = 256 };

typedef struct LagSamples {
    struct LagSample {
        int64_t at_ms;
        char *gtid;
    } v[LAG_SAMPLES];
    size_t first, n;
} LagSamples;

void lag_samples_done(LagSamples *s);
/* An unchanged position is not stored again. A full ring thins itself out, oldest samples kept apart longest.
 */
void lag_add(LagSamples *s, int64_t at_ms, const char *gtid);
const char *lag_newest(const LagSamples *s); /* NULL: none */

typedef struct NodeLag {
    int64_t trx, ms; /* -1: not known */
} NodeLag;
NodeLag lag_of(const LagSamples *s, DbFlavor flavor, const char *applied, int64_t now_ms);
