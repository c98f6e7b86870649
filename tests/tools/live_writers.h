/* SPDX-License-Identifier: Apache-2.0
 * The transactions of the live load: what a library's users and its own tasks do all day.
 */
#pragma once

#include "common/db/db.h"

enum { RESERVED_RECORDS = 10 }; /* ids up to this are not touched */

typedef enum TrxKind { TRX_EDIT, TRX_TAG, TRX_INSERT, TRX_DELETE, TRX_PUSH, TRX_TAKE } TrxKind;

typedef struct Counts {
    int64_t transactions, errors, deadlocks;
    int64_t inserted, updated, deleted, queued, taken;
} Counts;
void counts_add(Counts *to, const Counts *more);

/* What the catalogue held when the load began. */
typedef struct Bounds {
    int64_t records, people, keywords; /* highest ids */
} Bounds;
MUST_CHECK bool bounds_read(Db *db, Bounds *ret, Err *err);

/* One thread's state. */
typedef struct Work {
    Bounds bounds;
    uint64_t random;
} Work;
void work_init(Work *w, const Bounds *bounds, uint64_t seed);
uint64_t work_random(Work *w);

TrxKind trx_pick(Work *w);
const char *trx_name(TrxKind kind);
/* The statements between BEGIN and COMMIT; the record's row is locked first in all of them. */
MUST_CHECK bool trx_run(Db *db, Work *w, TrxKind kind, Counts *counts, Err *err);
