/* SPDX-License-Identifier: Apache-2.0
 * Does a replica still stand as it was frozen? One rule for all who ask: the verification of a result, the
 * watch over a pause, and an agent that meets the server again. Pure.
 */
#pragma once

#include "common/db/repl.h"
#include "lease.h"

/* What was found when the applier had stopped; borrowed, as a lease holds it. */
typedef struct FrozenPoint {
    const char *gtid, *binlog_gtid; /* applied; the server's own binary log */
    const char *source_host;        /* NULL: not known, then no source is compared */
    int64_t source_port;
    const LeaseServer *server; /* NULL: not known, then no process is compared */
} FrozenPoint;
FrozenPoint frozen_point(const Lease *l);

typedef struct FrozenReading {
    DbFlavor flavor;
    const ReplStatus *status;
    const LeaseServer *server; /* NULL: not known */
    bool held_lost;            /* the connection kept since the pause has ended; read only for a proof */
} FrozenReading;

typedef enum FrozenFor {
    FROZEN_FOR_WATCH, /* what is not known counts as unchanged: the next reading tells more */
    FROZEN_FOR_PROOF, /* a result depends on it: what is not known counts as changed, own writes count too */
} FrozenFor;

/* In the order in which they are looked for: of several the one that explains the others. */
typedef enum FrozenChange {
    FROZEN_STILL,
    FROZEN_RESTARTED, /* another server process */
    FROZEN_UNPROVEN,  /* for a proof: whether it is the same process cannot be told */
    FROZEN_REPOINTED, /* it has another source: what it had received is lost */
    FROZEN_STARTED,   /* the applier runs */
    FROZEN_MOVED,     /* the applier stands elsewhere */
    FROZEN_WRITTEN,   /* for a proof: the server itself has been written to */
} FrozenChange;

FrozenChange frozen_compare(const FrozenPoint *was, const FrozenReading *now, FrozenFor purpose);

/* The change as a sentence for people: of a job whose result it voids (FROZEN_FOR_PROOF), or of the pause
 * (FROZEN_FOR_WATCH). Owned; NULL for FROZEN_STILL. */
char *frozen_text(FrozenChange change, const FrozenPoint *was, const FrozenReading *now, FrozenFor purpose);
