/* SPDX-License-Identifier: Apache-2.0
 * What the operations on a server share. An operation is one blocking function, `op_NAME(in, cancel, out)`,
 * with structs of its own, in a file of its own: it opens its own connection, ends by a deadline, and says
 * what it saw and what it has left in the server. It decides nothing that core/ decides, knows no agent and
 * keeps nothing. Nothing it does gets a GTID of its own.
 *
 * In: owned by whoever made it, freed by NAME_in_done; read, never changed. Out: zeroed by the caller
 * before, freed by NAME_out_done, whatever the result; `err` says why it is not OP_DONE, and counts for
 * nothing otherwise. Returns whether it is.
 */
#pragma once

#include <stdatomic.h>

#include "common/db/repl.h"
#include "replica-agent/core/lease.h"

typedef enum OpResult {
    OP_DONE,    /* what was asked for is so */
    OP_FAILED,  /* refused, or not reached: err says why; nothing of it is left in the server */
    OP_UNKNOWN, /* no answer in time: it may still take effect, look again */
    OP_WAITING, /* may not be done now; nothing was touched */
    OP_STALLED, /* restore: what was received is not applied, and nothing goes on */
    OP_MOVED,   /* verify: the frozen state has changed */
} OpResult;

/* Ends an operation's waiting, from another thread. It lives until the operation has returned. A wait for an
 * answer or a position ends within about a second (a connection being made: within DB_CONNECT_TIMEOUT_MS)
 * with ERR_CANCELLED. The way back is never cut short: what an operation has stopped or changed it starts or
 * puts back first, by its own deadlines; each header says from where on it is carried through. */
typedef struct Cancel {
    atomic_bool asked;
} Cancel;
void cancel_ask(Cancel *c);
bool cancel_asked(const Cancel *c); /* `c` may be NULL: nobody cancels */

/* Which server, and for how long an ordinary statement is waited for. */
typedef struct OpServer {
    DbTarget target;
    int64_t statement_ms;
} OpServer;
void op_server_done(OpServer *s);

/* What a server said of itself, last. */
typedef struct ServerSeen {
    DbVersion version;
    ReplStatus status;
    LeaseServer server;
} ServerSeen;
void server_seen_done(ServerSeen *s);

/* Which process answers on `db`. */
void server_identify(Db *db, const ReplStatus *st, LeaseServer *ret);
