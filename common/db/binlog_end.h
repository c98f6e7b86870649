/* SPDX-License-Identifier: Apache-2.0
 * Where the binary log of a server that does not run ends: every transaction that stands in it whole, as a
 * GTID position of its flavour, which the files name. Only the newest file is read as a whole; it begins with
 * what stands before it.
 */
#pragma once

#include "common/base/str.h"
#include "db.h"

/* Files in the order they were written. A transaction that a kill has cut off is left out. ERR_CORRUPT where
 * no file says what stands before it, ERR_REFUSED for encrypted files and what is not understood. Owned. */
MUST_CHECK bool binlog_end(const StrList *files, char **ret, Err *err);
