/* SPDX-License-Identifier: Apache-2.0
 * How a server's processes have ended, by the marks that it leaves itself: the first binary log of a process
 * says when that began, and the last one ends with a Stop event if it was shut down in order, with all of it
 * on the disk. A crash, a kill and a power cut leave none, and no recovery adds one.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/db/db.h"

/* True if a process has begun since `since_ms` (wall clock), and each of them came after one that had ended
 * in order. False too where the files do not reach back so far or cannot be read: then *ret_why says so
 * (owned). Files that MySQL has encrypted are read by the server of `db`, which needs REPLICATION SLAVE;
 * without one (NULL) they cannot be. */
bool clean_end_since(Db *db, const StrList *binlogs, int64_t since_ms, char **ret_why);
