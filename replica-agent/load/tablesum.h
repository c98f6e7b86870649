/* SPDX-License-Identifier: Apache-2.0
 * Checksums of whole tables, computed in the server.
 */
#pragma once

#include "common/db/db.h"
#include "replica-agent/load/bundle.h"

/* The checksum of all rows; NULL where the table does not exist. */
MUST_CHECK bool tablesum(Db *db, const char *schema, const char *table, const StrList *columns, char **ret,
                         Err *err);

/* Of a table that nobody else writes to, so that no read view is held (a long one would slow down the
 * primary's queues). An index's table is
 * read in two halves side by side, the second on a connection of its own to `target`: `paths` are its files,
 * in whose middle the other half begins. */
MUST_CHECK bool tablesum_alone(Db *db, const DbTarget *target, const Bundle *b, const StrList *paths,
                               const char *schema, const char *table, char **ret, Err *err);
