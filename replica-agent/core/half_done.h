/* SPDX-License-Identifier: Apache-2.0
 * What a stopped applier may have left half done. At such a place no copy can be made: its position claims
 * what its rows do not show, or what is lost with a restart. A preflight looks for the same, but a while
 * before the STOP. Pure.
 */
#pragma once

#include "common/base/str.h"

typedef struct HalfDone {
    int64_t xa_prepared; /* transactions; -1: may not be asked */
    int64_t temp_tables; /* replicated ones that are open */
    StrList filters;     /* as servercheck_filters */
} HalfDone;
void half_done_free(HalfDone *h);

/* What is in the way, with what mends it; NULL: nothing is. *ret_passes: the transactions that follow may end
 * it. Owned. */
char *half_done_judge(const HalfDone *h, bool *ret_passes);
