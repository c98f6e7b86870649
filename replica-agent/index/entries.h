/* SPDX-License-Identifier: Apache-2.0
 * Entries of the index from sorted postings: how often a term stands in a field of a record and, where
 * positions are kept, at which words of it. Pure.
 */
#pragma once

#include "replica-agent/index/terms.h"

enum { ENTRY_MAX_POSITIONS = 16384 }; /* the first so many are kept */

typedef struct Entry {
    int64_t record;
    unsigned field;
    uint32_t frequency;
    const uint32_t *positions; /* ascending */
    size_t n_positions;        /* 0 where none are kept */
} Entry;

/* False stops with what the sink put into err. */
typedef bool (*EntrySink)(void *arg, const char *term, size_t n, const Entry *e, Err *err);

typedef struct Entries Entries;
Entries *entries_new(PostingKind kind, EntrySink sink, void *arg);
void entries_free(Entries *e);
/* In sorted order. */
MUST_CHECK bool entries_put(Entries *e, const char *term, size_t n, const Posting *p, Err *err);
MUST_CHECK bool entries_end(Entries *e, Err *err);
/* Puts all of a sorted table, and ends. */
MUST_CHECK bool entries_put_terms(Entries *e, const Terms *t, Err *err);
