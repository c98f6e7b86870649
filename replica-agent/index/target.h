/* SPDX-License-Identifier: Apache-2.0
 * What the target of a load is on the primary now, and whether it can take the load: its kind of table, what
 * a RENAME would break, and its definition, which is the primary's and not the one that the replica was
 * frozen with.
 */
#pragma once

#include "common/db/db.h"

typedef struct TargetName {
    const char *schema, *table;
} TargetName;

/* ERR_REFUSED with the reason: a view, triggers, foreign keys, an engine that holds no rows of its own. */
MUST_CHECK bool target_check_swap(Db *db, const TargetName *t, Err *err);
/* Rows and their ledger row must be one transaction: an engine without them is refused unless `allow`. */
MUST_CHECK bool target_check_rows(Db *db, const TargetName *t, bool allow, Err *err);
/* *ret: rows of that table of the schema take part in transactions. True for one that is not there. */
MUST_CHECK bool target_is_transactional(Db *db, const char *schema, const char *table, bool *ret, Err *err);

/* ERR_REFUSED unless the live table has exactly these columns. */
MUST_CHECK bool target_check_columns(Db *db, const TargetName *t, const StrList *columns, Err *err);
/* SHOW CREATE TABLE without what two tables of one definition may differ in: name, next number, comment,
 * names of checks. Owned; NULL where there is no such table. */
MUST_CHECK bool target_definition(Db *db, const char *schema, const char *table, char **ret, Err *err);
/* Pure: of a text that SHOW CREATE gave. */
char *target_plain_definition(const char *create);
