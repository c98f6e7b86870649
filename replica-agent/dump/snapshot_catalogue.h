/* SPDX-License-Identifier: Apache-2.0
 * Rows of one moment and the definitions of that moment. On a live server tables are made, altered, dropped
 * and renamed meanwhile: what is read is held against that until the connection of `s` ends its transaction.
 */
#pragma once

#include "catalogue.h"
#include "snapshot.h"

/* `s` is connected. ERR_CONFLICT where tables come and go all the time. */
MUST_CHECK bool snapshot_catalogue_open(const SnapshotPlan *plan, const Filter *filter, Snapshot *s,
                                        Catalogue *ret, Err *err);
