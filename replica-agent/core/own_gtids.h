/* SPDX-License-Identifier: Apache-2.0
 * MariaDB's gtid_binlog_state ("0-1-270,0-2-271,7-1-5": the last of each domain and server), seen from a
 * replica that has transactions of its own behind the replicated ones. Pure.
 */
#pragma once

#include <stdint.h>

#include "common/db/gtid.h"

/* The state without what this server wrote beyond the applied position. Owned. */
char *gtids_without_own(const char *state, const char *applied, int64_t server_id);
/* The state after one more transaction. Owned. */
char *gtids_with(const char *state, const char *gtid);
/* For each domain the greatest of the state and of `applied`. Owned; NULL if one cannot be parsed. */
char *gtids_position(DbFlavor flavor, const char *state, const char *applied);
