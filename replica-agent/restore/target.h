/* SPDX-License-Identifier: Apache-2.0
 * The server that is filled, before anything is loaded: what it holds already, how it stores names, whether
 * it takes the longest statement.
 */
#pragma once

#include <jansson.h>

#include "common/db/db.h"
#include "folder.h"

typedef struct Target {
    bool folds_case; /* names are stored in lower case */
    json_t *marks;   /* of objects that an earlier run has made */
    bool resumed;
} Target;

/* All checks; with `overwrite` the dump's databases are dropped unless an earlier run has begun. */
MUST_CHECK bool target_prepare(Db *db, const Folder *f, bool overwrite, Target *ret, Err *err);
void target_done(Target *t);
/* A name as the server stores it. Owned. */
MUST_CHECK bool target_name(const Target *t, Db *db, const char *name, char **ret, Err *err);
