/* SPDX-License-Identifier: Apache-2.0
 * Transactions on their way into a server: whole groups of relay files, read here, made into statements by
 * mariadb-binlog and run by mariadb, through pipes. The client holds a lock in the server for as long as it
 * lives, so that nobody starts replication beside it.
 */
#pragma once

#include "common/binlog.h"
#include "common/gtid.h"
#include "config.h"

typedef struct RescuePipe RescuePipe;

MUST_CHECK bool rescue_pipe_open(const AgentConfig *conf, const StrList *files, RescuePipe **ret, Err *err);
/* One whole transaction. ERR_LOST if the other end has gone: rescue_pipe_close says why. */
MUST_CHECK bool rescue_pipe_feed(RescuePipe *p, const BinlogGroup *g, Err *err);
void rescue_pipe_end(RescuePipe *p); /* nothing more comes */
bool rescue_pipe_is_done(RescuePipe *p);
/* Waits for both programs. */
MUST_CHECK bool rescue_pipe_close(RescuePipe *p, Err *err);

char *rescue_program(const char *name); /* its path; owned, NULL if it is not installed */
