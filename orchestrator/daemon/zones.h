/* SPDX-License-Identifier: Apache-2.0
 * Time zones from the system's database, read once and again when a file has changed.
 */
#pragma once

#include "coord_state.h"
#include "orchestrator/core/zone.h"

/* NULL as a name: that of this host. Borrowed, until the next call. ERR_USAGE: there is no such zone. */
MUST_CHECK bool zones_find(const Coord *c, const char *name, const Zone **ret, Err *err);
/* Of a task's cron line; NULL: it has none, or its zone cannot be read. */
const Zone *zones_of_task(const Coord *c, const Task *t);
void zones_open(Coord *c);
void zones_free(Coord *c);
