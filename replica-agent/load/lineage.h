/* SPDX-License-Identifier: Apache-2.0
 * Has this server all that a result was made of? After a failover that lost transactions the new primary may
 * never have had some that a replica stood frozen at: such a result is ahead of it.
 */
#pragma once

#include "common/db/db.h"

/* ERR_REFUSED: `gtid` holds transactions that the server never had. A result without a position is not
 * judged. */
MUST_CHECK bool lineage_holds(Db *db, const char *gtid, Err *err);
