/* SPDX-License-Identifier: Apache-2.0
 * What is in the server afterwards against what the dump says: tables by checksum, or by number of rows where
 * it is mydumper's; objects by the environment they were made in.
 */
#pragma once

#include "loader.h"
#include "restore.h"

/* `unmade`: views that are known to be missing. */
MUST_CHECK bool prove(Db *db, const Restore *r, const StrList *unmade, RestoreOutcome *out, Err *err);
