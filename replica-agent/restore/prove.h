/* SPDX-License-Identifier: Apache-2.0
 * Compares restored tables with the checksums the dump says they had.
 */
#pragma once

#include "common/db/db.h"
#include "folder.h"

/* *ret_tables: how many could be compared. ERR_CORRUPT names the first that differs. */
MUST_CHECK bool prove_tables(Db *db, const Folder *f, size_t *ret_tables, Err *err);
