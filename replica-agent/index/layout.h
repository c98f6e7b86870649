/* SPDX-License-Identifier: Apache-2.0
 * Rows of the target from sorted entries, in the definition's layout: a row an entry, or a row a term.
 */
#pragma once

#include "common/db/rowsum.h"
#include "replica-agent/index/definition.h"
#include "replica-agent/index/entries.h"

/* Columns as definition_columns names them; valid during the call. */
typedef bool (*LayoutSink)(void *arg, const RowSumField *columns, size_t n, Err *err);

static inline PostingKind definition_kind(const IndexDefinition *d)
{
    return d->positions ? POSTING_POSITIONS : POSTING_COUNTS;
}

typedef struct Layout Layout;
Layout *layout_new(const IndexDefinition *d, LayoutSink sink, void *arg);
void layout_free(Layout *l);
/* Layout hitlist: no row crosses these records, ascending; a row ends with the last of them at most. The
 * array outlives the layout. */
void layout_bound(Layout *l, const int64_t *last_records, size_t n);
/* An EntrySink. */
bool layout_put(void *layout, const char *term, size_t n, const Entry *e, Err *err);
MUST_CHECK bool layout_end(Layout *l, Err *err);
/* "3,17,42" */
void layout_positions(const Entry *e, Str *out);
