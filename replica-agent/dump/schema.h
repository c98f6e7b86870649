/* SPDX-License-Identifier: Apache-2.0
 * Definitions: one file a database, table, view, sequence, a table's triggers, a database's routines and
 * events. Texts are read and written as utf8mb4 with the sql_mode, character set and time zone they were made
 * under.
 */
#pragma once

#include "catalogue.h"
#include "dumpfolder.h"

typedef struct SchemaParts {
    bool triggers;
    bool others; /* routines and events */
} SchemaParts;

/* Writes all definition files. What they cannot carry is told on stderr. *ret: `databases`, with options that
 * are set last, and `objects` with their environments (environment.h). */
MUST_CHECK bool schema_write(Db *db, const Catalogue *c, const SchemaParts *parts, DumpFolder *out,
                             json_t **ret, Err *err);

/* A placeholder for a view, of the same columns: other loaders create views in any order over them. Pure. */
void schema_placeholder(Str *out, const DumpTable *view);
/* A statement whose body may hold semicolons, so that both a client and a loader that ends statements at
 * ";\n" run it whole. `executes_text`: by EXECUTE IMMEDIATE, else enclosed. False: by DELIMITER, which only
 * clients know. Pure. */
bool schema_add_body(Str *out, const char *sql, const char *sql_mode, bool executes_text);
