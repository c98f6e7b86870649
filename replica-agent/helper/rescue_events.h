/* SPDX-License-Identifier: Apache-2.0
 * Scheduled events and a rescue: a replayed CREATE EVENT would be active on a replica, where the applier
 * would have made it disabled. The scheduler stands still meanwhile, and what became active is disabled as
 * the applier would have done. What was before is in scheduler.json until all is done.
 */
#pragma once

#include "common/db/db.h"

MUST_CHECK bool rescue_events_begin(Db *db, const char *path, Err *err);
MUST_CHECK bool rescue_events_end(Db *db, const char *path, Err *err);
