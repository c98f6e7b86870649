/* SPDX-License-Identifier: Apache-2.0
 * siding.ledger: what of a run is loaded. Rows of chunks are written in the transaction of the chunk itself;
 * two rows, verified and finished, are milestones.
 */
#pragma once

#include "common/db/db.h"

typedef struct Ledger {
    int64_t rows, chunks;
    bool verified, finished;
} Ledger;

MUST_CHECK bool ledger_read(Db *db, const char *run, Ledger *ret, Err *err);
/* In the caller's transaction. */
MUST_CHECK bool ledger_add_chunk(Db *db, const char *run, int64_t number, int64_t rows, Err *err);
MUST_CHECK bool ledger_set_verified(Db *db, const char *run, int64_t rows, Err *err);
/* The chunks' rows give way to one. */
MUST_CHECK bool ledger_finish(Db *db, const char *run, int64_t rows, Err *err);
MUST_CHECK bool ledger_clear(Db *db, const char *run, Err *err);

/* What state a target of replaces holds (marker.h), in the caller's transaction; *ret NULL: it is not known.
 */
MUST_CHECK bool ledger_read_state(Db *db, const char *target, char **ret, Err *err);
MUST_CHECK bool ledger_set_state(Db *db, const char *target, const char *state, Err *err);
