/* SPDX-License-Identifier: Apache-2.0
 * What can be known of an index job before a replica stands still for it: its queries run, its target takes a
 * swap, and changed_since finds changes. A predicate that is never true finds none without a word, and the
 * swap would undo what it should have found.
 */
#pragma once

#include "common/db/db.h"
#include "replica-agent/index/definition.h"

/* ERR_CONFIG or ERR_REFUSED names field or option. Reads a row or two of each source. */
MUST_CHECK bool proof_of_index(Db *db, const IndexDefinition *d, Err *err);
