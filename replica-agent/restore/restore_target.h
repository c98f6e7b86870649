/* SPDX-License-Identifier: Apache-2.0
 * The server that is filled, before anything is loaded: what it holds already, how it stores names, whether
 * it takes the longest statement.
 */
#pragma once

#include <jansson.h>

#include "common/db/db.h"
#include "folder.h"

typedef struct RestoreTarget {
    bool folds_case; /* names are stored in lower case */
    json_t *marks;   /* of objects that an earlier run has made */
    bool resumed;
} RestoreTarget;

/* All checks; with `overwrite` the dump's databases are dropped unless an earlier run has begun. */
MUST_CHECK bool restore_target_prepare(Db *db, const Folder *f, bool overwrite, RestoreTarget *ret, Err *err);
void restore_target_done(RestoreTarget *t);
/* A name as the server stores it. Owned. */
MUST_CHECK bool restore_target_name(const RestoreTarget *t, Db *db, const char *name, char **ret, Err *err);
