/* SPDX-License-Identifier: Apache-2.0
 * External sort: batches of postings spilled as sorted run files, merged into one sorted sequence with a
 * bounded number of open files. Counts of one (term, record, field) in several runs are added up.
 */
#pragma once

#include "replica-agent/index/terms.h"

enum { RUNS_MAX_OPEN = 64 };

/* Writes what `t` holds, sorting it first. */
MUST_CHECK bool run_write(const char *path, Terms *t, Err *err);

/* False stops the merge with what the sink put into err. */
typedef bool (*RunSink)(void *arg, const char *term, size_t n, const Posting *posting, Err *err);
/* Removes the files as it consumes them; more than RUNS_MAX_OPEN go through intermediate files in `folder`.
 */
MUST_CHECK bool runs_merge(PostingKind kind, const char *folder, StrList *paths, RunSink sink, void *arg,
                           Err *err);
