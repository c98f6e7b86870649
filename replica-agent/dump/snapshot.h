/* SPDX-License-Identifier: Apache-2.0
 * Connections that all see one moment. On a frozen replica nothing moves, and the position is checked at both
 * ends. On a live server the snapshots are opened while commits are held for a few milliseconds, or, without
 * the privilege for that, until the server says that all of them stand at one place of the binary log; one
 * connection alone needs neither. No statement used here is ever written to the binary log.
 */
#pragma once

#include "common/db/db.h"

typedef struct SnapshotPlan {
    const DbTarget *target;
    size_t threads;
    const char *frozen_gtid; /* the position the server must be at, and stay; NULL: a live server */
    int64_t lock_wait_s;
} SnapshotPlan;

typedef struct Snapshot {
    Db *control;  /* for names, definitions and positions; utf8mb4 */
    Db **readers; /* one a thread; values come as bytes in the columns' character sets */
    size_t n_readers;
    char method[200];                /* how consistency was reached, a sentence for people */
    char *frozen_gtid;               /* NULL on a live server */
    char *binlog_file, *binlog_gtid; /* the server's own binary log; "" where not known */
    int64_t binlog_pos;
    char *source_host, *source_file, *applied; /* of a replica; "" where not known */
    int64_t source_pos;
    int64_t started_at; /* wall clock, ms */
} Snapshot;

MUST_CHECK bool snapshot_connect(const SnapshotPlan *plan, Snapshot *ret, Err *err);
/* All readers at one moment; again: at a later one. */
MUST_CHECK bool snapshot_begin(const SnapshotPlan *plan, Snapshot *s, Err *err);
/* Frozen: the position has not moved. Live: true. */
MUST_CHECK bool snapshot_still_frozen(Snapshot *s, Err *err);
/* The position of the data, "" where nothing proves that it is one: for comparing only. Owned. */
char *snapshot_position(const Snapshot *s);
void snapshot_close(Snapshot *s);
