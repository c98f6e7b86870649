/* SPDX-License-Identifier: Apache-2.0
 * Which row of an INSERT the server refuses: its error names a column, or a constraint, and at best the
 * number of a row in a statement of thousands.
 */
#pragma once

#include "common/db/db.h"

/* Behind VALUES of "INSERT INTO t (…) VALUES (…),(…)"; NULL: there are no rows to tell apart. Pure. */
const char *blame_rows_of(const char *sql, size_t n);
/* The row at *at, and *at behind it and its comma; false: there is none. Pure. */
bool blame_next_row(const char **at, const char *end, const char **ret, size_t *ret_n);

/* The `number`th INSERT of a file was refused with `failed`: err is that, with the row and its first values.
 * `in_transaction`: parts of it are tried until the row is found, and the transaction is taken back; else
 * only what the server says is used. Returns false. */
bool blame_row(Db *db, const char *sql, size_t n, int64_t number, bool in_transaction, const Err *failed,
               Err *err);
