/* SPDX-License-Identifier: Apache-2.0
 * What the index of some records should hold, read from the primary as it is now.
 */
#pragma once

#include "common/db/db.h"
#include "replica-agent/index/entries.h"
#include "replica-agent/index/source.h"
#include "replica-agent/index/tokenize.h"
#include "replica-agent/index/word_position.h"

typedef struct CurrentRecords {
    Db *db;
    FieldSource source;
    Tokenizer *tokenizer;
    Terms *terms;
    WordPosition position;
} CurrentRecords;

MUST_CHECK bool records_open(Db *db, const IndexDefinition *d, CurrentRecords *ret, Err *err);
void records_close(CurrentRecords *r);
/* Reads these records anew; `terms` holds them afterwards, sorted. */
MUST_CHECK bool records_read(CurrentRecords *r, const int64_t *keys, size_t n, Err *err);
