/* SPDX-License-Identifier: Apache-2.0
 * External sort: batches of postings spilled as sorted runs, merged into one sorted sequence, or into several
 * side by side: the terms are cut into parts that hold about as many postings each. Counts of one (term,
 * record, field) in several runs are added up.
 */
#pragma once

#include "replica-agent/index/runfile.h"

enum { RUNS_MAX_OPEN = 64 };

typedef struct Runs {
    RunFile *v;
    size_t n;
} Runs;

void runs_add(Runs *r, RunFile file); /* takes it */
void runs_done(Runs *r);              /* the files stay */

/* Writes what `t` holds, sorting it first. */
MUST_CHECK bool run_write(const char *path, Terms *t, RunFile *ret, Err *err);

/* Merges the first ones, through intermediate files in `folder`, until at most RUNS_MAX_OPEN are left.
 * Removes those it has merged. */
MUST_CHECK bool runs_reduce(Runs *r, PostingKind kind, const char *folder, Err *err);

/* The terms from `from` on, up to those before `to`; NULL: no end. */
typedef struct RunsPart {
    const RunMark *from, *to;
} RunsPart;

/* At most `most` parts, in order, in `ret`, which point into `r`; their number. A term is never cut. Pure. */
size_t runs_cut(const Runs *r, size_t most, RunsPart *ret);

/* False stops the merge with what the sink put into err. */
typedef bool (*RunSink)(void *arg, const char *term, size_t n, const Posting *posting, Err *err);
/* `buffer`: bytes for each run. */
MUST_CHECK bool runs_merge(const Runs *r, PostingKind kind, RunsPart part, size_t buffer, RunSink sink,
                           void *arg, Err *err);
