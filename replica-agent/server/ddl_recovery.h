/* SPDX-License-Identifier: Apache-2.0
 * A MariaDB replica that was killed inside a replicated DDL: what its crash recovery logged under the
 * server's own id is recognized by the relay files, taken out of its binary log, and the position set as if
 * it had been replicated. Both threads of replication are stopped.
 */
#pragma once

#include "common/db/repl.h"

typedef struct Recovered {
    char *state;    /* gtid_binlog_state without it */
    char *position; /* gtid_slave_pos */
    StrList found;  /* "0-2-198 is 0-1-198, done: ALTER TABLE …" */
} Recovered;
void recovered_done(Recovered *r);

/* *ret_explained: every transaction of this server's own was written by its crash recovery. */
MUST_CHECK bool recovered_explain(Db *db, const StrList *relay_files, const ReplStatus *status,
                                  bool *ret_explained, Recovered *ret, Err *err);
/* RESET MASTER and the positions, by an account that may. `path` keeps them until all is done. */
MUST_CHECK bool recovered_adopt(Db *db, const char *path, const Recovered *r, Err *err);
/* Ends one that was cut off. */
MUST_CHECK bool recovered_finish(Db *db, const char *path, const char *applied, Err *err);
