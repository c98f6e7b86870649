/* SPDX-License-Identifier: Apache-2.0
 * Reading the fields of an index: each field's query as a derived table, by ranges of its key.
 */
#pragma once

#include "common/db/db.h"
#include "replica-agent/index/definition.h"

/* A key column of each field's query, found by asking the server. */
typedef struct FieldSource {
    const IndexDefinition *definition;
    StrList keys; /* quoted */
} FieldSource;

/* Errors name the field: a query that fails, has not two columns, or whose key is not an integer. */
MUST_CHECK bool source_open(Db *db, const IndexDefinition *d, FieldSource *ret, Err *err);
void source_close(FieldSource *s);

/* Ranges (bounds[i-1], bounds[i]], open at both ends of the list: n bounds make n + 1 ranges. */
typedef struct SourceBounds {
    int64_t *v;
    size_t n;
    int64_t rows; /* of the first field */
} SourceBounds;
/* Walks the keys of the first field in steps of `step` rows. */
MUST_CHECK bool source_bounds(Db *db, const FieldSource *s, int64_t step, SourceBounds *ret, Err *err);
void source_bounds_done(SourceBounds *b);

/* `field` counts from 1. False stops the reading with what the sink put into err. */
typedef bool (*SourceSink)(void *arg, int64_t record, unsigned field, const char *text, size_t n, Err *err);
/* Range `i` of the bounds, all fields. */
MUST_CHECK bool source_read_range(Db *db, const FieldSource *s, const SourceBounds *b, size_t i,
                                  SourceSink sink, void *arg, Err *err);
/* The records named, all fields. */
MUST_CHECK bool source_read_keys(Db *db, const FieldSource *s, const int64_t *keys, size_t n, SourceSink sink,
                                 void *arg, Err *err);
