/* SPDX-License-Identifier: Apache-2.0
 * Sessions of clients that keep a failover from its next step: found, named, ended.
 *
 * Who holds a lock is not shown by every server (MariaDB needs a plugin for it), and what a lock blocks is:
 * an applier that waits for one, a STOP that is not answered, a table that is in use though no statement
 * names it. Behind such a sign all clients of that server are ended: until it is opened they could only read.
 */
#pragma once

#include "op_impl.h"

/* Of `information_schema.PROCESSLIST p`: neither the server's own threads, nor Siding's, nor a replica's; nor
 * a commit that waits for an acknowledgement: its end could be taken for one (Flavor.kill_acknowledges). */
#define SESSIONS_OF_CLIENTS                                                                                  \
    "p.ID <> CONNECTION_ID() AND p.USER NOT IN ('system user', 'event_scheduler') AND p.USER NOT LIKE "      \
    "'siding%' AND p.COMMAND NOT LIKE 'Binlog Dump%' AND p.COMMAND NOT IN ('Daemon', 'Killed', "             \
    "'Slave_IO', 'Slave_SQL', 'Slave_worker') AND COALESCE(p.STATE, '') NOT LIKE 'Waiting for semi-sync "    \
    "ACK%'"

enum { SESSIONS_MOST = 64 };
typedef struct Sessions {
    uint64_t ids[SESSIONS_MOST];
    size_t n;
    char *first; /* "session 12 (app@host), 40 s: UPDATE …"; NULL: none */
} Sessions;

void sessions_done(Sessions *s);
/* Adds what `sql` selects, one `?` being `from_s`: id, who, seconds, what. */
MUST_CHECK bool sessions_find(Db *db, const char *sql, int64_t from_s, Sessions *s, Err *err);
MUST_CHECK bool sessions_find_all(Db *db, Sessions *s, Err *err);
/* One that is gone already is no failure; one that cannot be ended is named after all others have been. `why`
 * goes into the log: "that were in the way of a switchover". */
MUST_CHECK bool sessions_end(Db *db, const Sessions *s, const char *why, Err *err);

/* True: the applier has waited for a lock of others all through a moment. */
MUST_CHECK bool sessions_block_applier(Db *db, bool *ret, Err *err);
/* True: this session waits for a lock of others. */
MUST_CHECK bool sessions_block(Db *db, uint64_t id, bool *ret, Err *err);
/* True: a session has tables locked; one that only reads them has a statement that names them. `reader` sees
 * tables, `db` everybody's statements. */
MUST_CHECK bool sessions_lock_tables(Db *db, Db *reader, bool *ret, Err *err);
/* All clients of a server that is to be the primary are ended. `told` (owned by the caller, NULL or what was
 * told before) says who they were, for an event. */
MUST_CHECK bool sessions_end_before_opening(Db *db, const char *sign, char **told, Err *err);
