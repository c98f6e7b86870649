/* SPDX-License-Identifier: Apache-2.0
 * What the meaning of a view, trigger, routine or event hangs on beside its text: character set of the
 * client, collations of connection and database, sql_mode, time zone, definer. Noted by a dump, compared
 * after a restore.
 */
#pragma once

#include <jansson.h>

#include "common/db/db.h"

/* Adds one object each to `out`: kind, database, name, table (triggers), and the columns named above. */
MUST_CHECK bool environment_read(Db *db, const char *database, json_t *out, Err *err);
/* The first column that differs; NULL: none. `definers` false: whose they are does not count. Pure. */
const char *environment_difference(const json_t *a, const json_t *b, bool definers);
/* "kind database.name". Owned. Pure. */
char *environment_name(const json_t *object);
