/* SPDX-License-Identifier: Apache-2.0
 * What the index of some records should hold, read from the primary as it is now.
 */
#pragma once

#include "common/db/db.h"
#include "replica-agent/index/entries.h"
#include "replica-agent/index/source.h"
#include "replica-agent/index/tokenize.h"
#include "replica-agent/index/word_position.h"

typedef struct Records {
    Db *db;
    Source source;
    Tokenizer *tokenizer;
    Terms *terms;
    WordPosition position;
} Records;

MUST_CHECK bool records_open(Db *db, const IndexDefinition *d, Records *ret, Err *err);
void records_close(Records *r);
/* Reads these records anew; `terms` holds them afterwards, sorted. */
MUST_CHECK bool records_read(Records *r, const int64_t *keys, size_t n, Err *err);
