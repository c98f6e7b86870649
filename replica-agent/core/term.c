/* SPDX-License-Identifier: Apache-2.0 */
#include "term.h"

#include <inttypes.h>

#include "common/base/str.h"

bool term_may_follow(int64_t seen, int64_t term, Err *err)
{
    bool near = seen > 0 ? term <= seen || term - seen <= TERM_STEP_MOST : term <= TERM_FIRST_MOST;
    return near || err_set(err, ERR_REFUSED, 0,
                           "term %" PRId64 " is more than %d above the greatest heard (%" PRId64
                           "): siding cluster reset-term puts the terms in order",
                           term, seen > 0 ? TERM_STEP_MOST : TERM_FIRST_MOST, seen);
}

bool term_is_of(int64_t seen, const char *seen_owner, int64_t term, const char *owner, const char *node,
                Err *err)
{
    if (term < seen)
        return err_set(err, ERR_STALE_TERM, 0, "term %" PRId64 " has passed: %s has heard of term %" PRId64,
                       term, node, seen);
    if (term > seen || !owner || !*owner || !seen_owner || !*seen_owner || str_eq(owner, seen_owner))
        return true;
    return err_set(err, ERR_STALE_TERM, 0,
                   "term %" PRId64 " is of another coordinator: %s has heard %.8s… in it, not %.8s…", term,
                   node, seen_owner, owner);
}
