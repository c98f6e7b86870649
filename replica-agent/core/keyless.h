/* SPDX-License-Identifier: Apache-2.0
 * Which tables without a key are being changed: each changed row of one is replayed by a scan of the table.
 * From samples of InnoDB's counters of modified rows, which start anew whenever a table's statistics are
 * made. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/str.h"

typedef struct KeylessTable {
    char *name; /* "db.table" */
    int64_t rows, counter;
    int64_t changed_at; /* time of the sample that saw a change; 0: none seen */
    bool seen;          /* in the newest sample */
} KeylessTable;

typedef struct Keyless {
    KeylessTable *v;
    size_t n;
    bool sampled;
} Keyless;

/* One sample: keyless_begin, keyless_add for each table, keyless_end (drops those that are gone). */
void keyless_begin(Keyless *k);
void keyless_add(Keyless *k, const char *name, int64_t rows, int64_t counter, int64_t wall_ms);
void keyless_end(Keyless *k);
/* Names of those changed at or after `since`, the largest first, at most `most`; how many there are in all.
 */
int64_t keyless_changed(const Keyless *k, int64_t since, size_t most, StrList *ret);
void keyless_copy(Keyless *to, const Keyless *from); /* `to` zeroed */
void keyless_done(Keyless *k);
