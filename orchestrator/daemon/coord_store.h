/* SPDX-License-Identifier: Apache-2.0
 * The database side of the coordinator: one worker thread, one connection to the primary, operations in the
 * order they were given. A dead or hung primary delays operations and nothing else: the loop never waits,
 * callers keep what is not saved and give it again.
 */
#pragma once

#include "common/db/db.h"
#include "coord_state.h"

/* Embedded first in an operation's struct, which holds copies of all it needs. */
typedef struct StoreOp StoreOp;
struct StoreOp {
    const char *what;                            /* for error texts: "claim task 12" */
    bool (*work)(Db *db, StoreOp *op, Err *err); /* worker thread */
    void (*done)(Coord *c, StoreOp *op);         /* loop; looks at ok and err, then frees op */
    bool transaction;                            /* work runs between BEGIN and COMMIT */
    bool ok;
    Err err; /* ERR_LOST and ERR_TIMEOUT: it may have happened */
    /* store's own */
    Coord *c;
    DbTarget target;
    bool connected;
};

CoordStore *store_new(Coord *c);
void store_free(CoordStore *s); /* what is queued is tried once */
/* False without calling `done`: no primary known, or too much waits already. The caller keeps `op`. */
MUST_CHECK bool store_start(Coord *c, StoreOp *op, Err *err);
bool store_is_up(const Coord *c);
const char *store_error(const Coord *c); /* NULL while up */
int64_t store_since(const Coord *c);     /* wall time of the last change */
