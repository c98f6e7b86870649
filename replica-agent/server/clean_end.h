/* SPDX-License-Identifier: Apache-2.0
 * How a server's processes have ended, by the marks that it leaves itself: the first binary log of a process
 * says when that began, and the last one ends with a Stop event if it was shut down in order, with all of it
 * on the disk. A crash, a kill and a power cut leave none, and no recovery adds one.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

/* True if a process has begun since `since_ms` (wall clock), and each of them came after one that had ended
 * in order. False too where the files do not reach back so far, are encrypted, or cannot be read: then
 * *ret_why says so (owned). */
bool clean_end_since(const StrList *binlogs, int64_t since_ms, char **ret_why);
