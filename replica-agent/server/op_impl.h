/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of the operations.
 */
#pragma once

#include "common/db/binlog.h"
#include "common/db/flavor.h"
#include "op.h"
#include "vault.h"

enum { OP_SLICE_MS = 1000 }; /* of a wait for a position: between two, a cancel is seen */

static inline void op_db_close(Db **db)
{
    if (*db)
        db_close(*db);
}
#define AUTODB AUTO(op_db_close)

/* A connection whose statements get no GTID. Each is waited for `ms`, and as long as nobody cancels. */
MUST_CHECK bool op_open(const OpServer *s, int64_t ms, const Cancel *cancel, Db **ret, Err *err);
/* By another account, with nothing set. */
MUST_CHECK bool op_open_as(const DbTarget *t, int64_t ms, const Cancel *cancel, Db **ret, Err *err);
/* From here on it is carried through: ERR_CANCELLED if a cancel came before, and none counts after. */
MUST_CHECK bool op_commit(Db *db, const Cancel *cancel, Err *err);
MUST_CHECK bool op_look(Db *db, ServerSeen *ret, Err *err);

/* The answer did not come: the statement may take effect. */
bool op_is_unanswered(const Err *err);
static inline OpResult op_failed_or_unknown(const Err *err)
{
    return op_is_unanswered(err) ? OP_UNKNOWN : OP_FAILED;
}

ReplSettings op_settings(const LeaseSettings *l); /* borrowed */
static inline const Flavor *op_flavor(const Db *db)
{
    return flavor_of(db_version(db)->flavor);
}

/* What the applier, which stands, has left half done: *ret_text as half_done_judge, NULL: nothing. */
MUST_CHECK bool op_half_done(Db *db, char **ret_text, bool *ret_passes, Err *err);
MUST_CHECK bool op_count_rows(Db *db, const char *sql, int64_t *ret, Err *err);

/* Names what is in the way of a STOP, where the server itself is. False. */
bool op_stop_failed(const ReplStatus *s, Err *err);
/* Semi-sync as a source: nothing is acknowledged before `acks` replicas have it, also after a time, and also
 * when none is there. */
MUST_CHECK bool op_wait_for_ever(Db *db, int64_t acks, Err *err);

/* A session; also one that is gone already. OP_NOT_ITS_OWNER: its account has rights that keep this one from
 * it (MySQL's SYSTEM_USER). */
enum { OP_NOT_ITS_OWNER = 1095 };
MUST_CHECK bool op_kill(Db *db, uint64_t id, Err *err);

/* From the next start of the receiver on nothing is acknowledged, whatever the option file says, and whatever
 * was set before this replica was counted out. A server without that setting acknowledges nothing. */
MUST_CHECK bool op_be_silent(Db *db, Err *err);
/* STOP of both threads. */
MUST_CHECK bool op_stop_both(Db *db, const ReplStatus *s, Err *err);
/* What the relay files of `place` hold; on MySQL the server has scanned them when it started. */
MUST_CHECK bool op_scan(Db *db, const VaultPlace *place, const ReplStatus *s, BinlogScan *ret, Err *err);
/* Up to where the relay files reach: of those that only the server can read, by what it says. Owned. */
MUST_CHECK bool op_held(Db *db, const VaultPlace *place, const ReplStatus *s, char **ret, Err *err);
