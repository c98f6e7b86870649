/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/loadplan.h"

#include <stddef.h>

typedef enum Is { ANY, NO, YES } Is;
typedef enum Count { COUNT_ANY, COUNT_LESS, COUNT_EQUAL, COUNT_MORE } Count;
enum { MARKER_ANY = -1 };

typedef struct Row {
    Is swap, finished;
    int marker;
    Is ours, forbids, shadow;
    Count rows;
    Is verified;
    LoadStep step;
    const char *reason;
} Row;

/* The first row that fits decides. */
static const Row rows[] = {
    {ANY, YES, MARKER_ANY, ANY, ANY, ANY, COUNT_ANY, ANY, LOAD_NOTHING, "this run is loaded already"},
    {NO, NO, MARKER_ANY, ANY, ANY, ANY, COUNT_LESS, ANY, LOAD_ROWS, "rows are missing"},
    {NO, NO, MARKER_ANY, ANY, ANY, ANY, COUNT_EQUAL, ANY, LOAD_FINISH, "all rows are in"},
    {NO, NO, MARKER_ANY, ANY, ANY, ANY, COUNT_MORE, ANY, LOAD_REFUSE,
     "the ledger counts more rows of this run than its manifest has: the result was replaced by another"},
    {YES, NO, MARKER_DONE, YES, ANY, ANY, COUNT_ANY, ANY, LOAD_FINISH, "the new table is in place"},
    {YES, NO, MARKER_DONE, NO, YES, ANY, COUNT_ANY, ANY, LOAD_REFUSE,
     "the target holds the result of a run that was frozen later, or in another history: this result is "
     "older, "
     "or neither is. --allow-older swaps all the same"},
    {YES, NO, MARKER_TODO, YES, ANY, YES, COUNT_LESS, ANY, LOAD_ROWS, "rows are missing"},
    {YES, NO, MARKER_TODO, YES, ANY, YES, COUNT_EQUAL, NO, LOAD_VERIFY, "all rows are in the new table"},
    {YES, NO, MARKER_TODO, YES, ANY, YES, COUNT_EQUAL, YES, LOAD_SWAP, "the new table is verified"},
    {YES, NO, MARKER_ANY, ANY, ANY, ANY, COUNT_ANY, ANY, LOAD_BEGIN, "there is no new table of this run"},
};

static bool fits(Is want, bool is)
{
    return want == ANY || (want == YES) == is;
}

static bool count_fits(Count want, const LoadFacts *f)
{
    Count is = f->rows_loaded < f->rows_total    ? COUNT_LESS
               : f->rows_loaded == f->rows_total ? COUNT_EQUAL
                                                 : COUNT_MORE;
    return want == COUNT_ANY || want == is;
}

LoadStep load_next_step(const LoadFacts *f, const char **ret_reason)
{
    const Row *r = rows;
    while (!(fits(r->swap, f->swap) && fits(r->finished, f->finished) &&
             (r->marker == MARKER_ANY || r->marker == (int)f->marker) && fits(r->ours, f->marker_ours) &&
             fits(r->forbids, f->marker_forbids) && fits(r->shadow, f->shadow) && count_fits(r->rows, f) &&
             fits(r->verified, f->verified)))
        r++; /* the rows cover every case, see the test */
    *ret_reason = r->reason;
    return r->step;
}

bool load_facts_equal(const LoadFacts *a, const LoadFacts *b)
{
    return a->swap == b->swap && a->finished == b->finished && a->marker == b->marker &&
           a->marker_ours == b->marker_ours && a->marker_forbids == b->marker_forbids &&
           a->shadow == b->shadow && a->rows_loaded == b->rows_loaded && a->rows_total == b->rows_total &&
           a->verified == b->verified;
}
