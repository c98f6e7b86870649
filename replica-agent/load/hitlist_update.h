/* SPDX-License-Identifier: Apache-2.0
 * Changed records in a table of layout "hitlist". Which lists hold a record stands nowhere: the whole table
 * is read once for some thousand records, a page at a time, and the lists that change are replaced, a page in
 * one transaction. While a load runs nobody else may write to such a table.
 */
#pragma once

#include "replica-agent/load/delta.h"

MUST_CHECK bool hitlist_update(Db *db, const IndexDefinition *d, const char *schema, const char *table,
                               const DeltaKeys *keys, Err *err);
