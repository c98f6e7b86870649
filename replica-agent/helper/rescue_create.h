/* SPDX-License-Identifier: Apache-2.0
 * CREATE TABLE … SELECT is one transaction in the relay files, a CREATE TABLE and rows. The applier runs it
 * as one; a client cannot: it would log the CREATE under the transaction's GTID, and the rows would come too
 * late. So the table is made aside without a log, and then created from there by one statement.
 */
#pragma once

#include "rescue_pipe.h"

bool rescue_create_is(const BinlogGroup *g, const BinlogQuery *q);
MUST_CHECK bool rescue_create(const AgentConfig *conf, Db *db, const StrList *files, const BinlogGroup *g,
                              const BinlogQuery *q, Err *err);
/* What one that was cut off has left. */
MUST_CHECK bool rescue_create_clean(Db *db, Err *err);
