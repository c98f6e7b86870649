/* SPDX-License-Identifier: Apache-2.0
 * Changes made after the freeze: finds the changed records on the primary and indexes them anew, in the
 * shadow table before the swap and in the live one after it.
 */
#pragma once

#include "common/db/db.h"
#include "replica-agent/index/definition.h"

typedef struct DeltaKeys {
    int64_t *v; /* ascending, each once */
    size_t n;
} DeltaKeys;
void delta_keys_done(DeltaKeys *k);
/* Which of the ascending keys it is, SIZE_MAX: none. */
size_t delta_key_place(const int64_t *keys, size_t n, int64_t key);
/* How many are in `a` or `b`. */
size_t delta_keys_union(const DeltaKeys *a, const DeltaKeys *b);

/* Records changed at or after `since`, less the definition's margin. */
MUST_CHECK bool delta_find(Db *db, const IndexDefinition *d, int64_t since_wall_ms, DeltaKeys *ret, Err *err);
/* The primary's clock. */
MUST_CHECK bool delta_now(Db *db, int64_t *ret_wall_ms, Err *err);

typedef enum DeltaPlace {
    DELTA_SHADOW, /* nobody else writes: records are read without locks */
    DELTA_LIVE,   /* see reindex.c */
} DeltaPlace;
/* Replaces the records' rows in schema.table. */
MUST_CHECK bool delta_apply(Db *db, const IndexDefinition *d, const char *schema, const char *table,
                            DeltaPlace place, const DeltaKeys *keys, Err *err);
