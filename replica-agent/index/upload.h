/* SPDX-License-Identifier: Apache-2.0
 * What siding-index tells the loader: the `upload` object, made from the definition and from the target as
 * it is on the frozen server; and the replica's position, which must not move during the run.
 */
#pragma once

#include "common/db/db.h"
#include "common/file/json.h"
#include "replica-agent/index/definition.h"

typedef struct FrozenTarget {
    char *create;   /* its own definition, NULL where it does not exist */
    char *checksum; /* NULL: does not exist, or not asked for */
} FrozenTarget;

/* Refuses a target whose columns are not those of the index. */
MUST_CHECK bool frozen_target_read(Db *db, const IndexDefinition *d, bool checksum, FrozenTarget *ret,
                                   Err *err);
void frozen_target_done(FrozenTarget *t);

json_t *upload_object(const JobFile *job, const FrozenTarget *target, int64_t rows, const char *checksum,
                      int64_t frozen_at);

/* *ret is owned; "" where the server tells none. */
MUST_CHECK bool position_read(Db *db, char **ret, Err *err);
/* ERR_REFUSED unless the server stands at `gtid`. */
MUST_CHECK bool position_check(Db *db, const char *gtid, Err *err);
