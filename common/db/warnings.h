/* SPDX-License-Identifier: Apache-2.0
 * What the server warned of during the last statement. A server that cuts a value, or gives NULL for one that
 * it cannot make, only warns: for data that are read to be kept, or written, that is an error.
 */
#pragma once

#include "db.h"

typedef enum WarningsOf {
    WARNINGS_READ, /* a source SELECT: lost data are errors, the rest is logged */
    WARNINGS_OWN,  /* a SELECT of ours: lost data are errors, the rest is nothing to people */
    WARNINGS_LOAD, /* rows written: whatever is no note or deprecation is an error too */
} WarningsOf;

/* Right after the statement, its rows read to the end. `what` begins the message. ERR_DB with the warning. */
MUST_CHECK bool warnings_check(Db *db, WarningsOf of, const char *what, Err *err);
/* Does the warning mean that a value is not what it was? Pure. */
bool warnings_is_loss(DbFlavor flavor, int64_t code);
