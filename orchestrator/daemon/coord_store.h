/* SPDX-License-Identifier: Apache-2.0
 * The database side of the coordinator: three worker threads with a connection to the primary each. One
 * writes: what the loop gave it in one turn is one transaction, in that order, behind a check of the term.
 * One reads for answers, one reads what others have put into the queue. A dead or hung primary delays
 * operations and nothing else: the loop never waits, callers keep what is not saved and give it again.
 *
 * An operation that writes checks first and writes then: ERR_CONFLICT, _NOT_FOUND, _REFUSED and _USAGE mean
 * that it has written nothing, and the others of its transaction go on without it. After any other error the
 * transaction is taken back and tried again, in halves, so that only the operation fails that cannot be
 * done; deadlocks, lock waits and broken connections are tried again with jitter. `work` may therefore be
 * called more than once, and starts from what it was given. A COMMIT without an answer is looked up by the
 * number that each transaction leaves in siding.meta.
 */
#pragma once

#include "common/db/db.h"
#include "coord_state.h"

typedef enum StoreKind { STORE_WRITE, STORE_READ, STORE_INTAKE } StoreKind;

/* Embedded first in an operation's struct, which holds copies of all it needs. */
typedef struct StoreOp StoreOp;
struct StoreOp {
    StoreKind kind;
    const char *what;                            /* for error texts: "claim task 12" */
    bool (*work)(Db *db, StoreOp *op, Err *err); /* worker thread */
    void (*done)(Coord *c, StoreOp *op);         /* loop; looks at ok and err, then frees op */
    bool takes_over;                             /* it sets term and owner itself */
    bool ok;
    Err err; /* ERR_LOST and ERR_TIMEOUT: it may have happened */
    /* store's own */
    int64_t begun_ms; /* monotonic: what is read is not older */
    bool connected;
    struct StoreOp *next;
};

/* Called when the database is found to have gone back: what was read from it counts no more. */
typedef void StoreWentBack(Coord *c);

CoordStore *store_new(Coord *c, StoreWentBack *went_back);
void store_free(Coord *c); /* what is queued is tried once */
/* Takes `op`: `done` is called once, never from in here, also where no primary is known or too much waits. */
void store_start(Coord *c, StoreOp *op);
void store_target(const Coord *c, DbTarget *ret); /* the primary's server; owned */
void store_send(Coord *c); /* at the end of a turn: what was given goes off, a batch at a time */
bool store_is_up(const Coord *c);
const char *store_error(const Coord *c); /* NULL while up */
/* Why the queue cannot be read or written now, never NULL: it may only be read for the first time. */
const char *store_trouble(const Coord *c);
int64_t store_since(const Coord *c); /* wall time of the last change */
