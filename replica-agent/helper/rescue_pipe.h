/* SPDX-License-Identifier: Apache-2.0
 * Transactions on their way into a server: whole groups of relay files, read here, made into statements by
 * mariadb-binlog and run by mariadb, through pipes. The client holds a lock in the server for as long as it
 * lives, so that nobody starts replication beside it.
 */
#pragma once

#include "common/db/binlog_query.h"
#include "common/db/gtid.h"
#include "replica-agent/host/config.h"

typedef struct RescuePipe RescuePipe;

/* Not `logged`: what goes in does not go into the server's own binary log. */
MUST_CHECK bool rescue_pipe_open(const AgentConfig *conf, const StrList *files, bool logged, RescuePipe **ret,
                                 Err *err);
/* One whole transaction; `q` not NULL: with `sql` in the place of that statement. ERR_LOST if the other end
 * has gone: rescue_pipe_close says why. */
MUST_CHECK bool rescue_pipe_feed(RescuePipe *p, const BinlogGroup *g, const BinlogQuery *q, const char *sql,
                                 Err *err);
/* Its GTID, and `sql` alone in the place of everything that follows. */
MUST_CHECK bool rescue_pipe_feed_statement(RescuePipe *p, const BinlogGroup *g, const BinlogQuery *q,
                                           const char *sql, Err *err);
void rescue_pipe_end(RescuePipe *p); /* nothing more comes */
bool rescue_pipe_is_done(RescuePipe *p);
/* Waits for both programs. */
MUST_CHECK bool rescue_pipe_close(RescuePipe *p, Err *err);
