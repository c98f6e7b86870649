/* SPDX-License-Identifier: Apache-2.0
 * A file beside the relay logs that is given up when their disk is about to be full, or is and the server
 * hangs: then the server answers again, and what lets the replica go can be done. When it goes is
 * core/guard's; no record is waited for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct Agent;

typedef struct Ballast {
    int64_t bytes, removed; /* present size; times it had to go */
    bool trouble;
    int64_t checked_ms;
} Ballast;

void ballast_reading(struct Agent *a); /* after each reading, good or bad */
