/* SPDX-License-Identifier: Apache-2.0
 * Which terms an agent believes. A term rises by one at each start of a coordinator and at each failover, so
 * one far ahead of what was heard is a mistake or an attack, and would fence the real coordinator for good.
 * Pure.
 */
#pragma once

#include <stdint.h>

#include "common/base/err.h"

enum { TERM_STEP_MOST = 1000, TERM_FIRST_MOST = 1000000 };

/* `seen`: the greatest heard, 0 for an agent that has heard none and takes any below TERM_FIRST_MOST.
 * ERR_REFUSED says how to get out of it. */
MUST_CHECK bool term_may_follow(int64_t seen, int64_t term, Err *err);

/* Two coordinators that were started at once may count to one term: it is of whoever was heard in it first.
 * What is not known is nobody's. ERR_STALE_TERM for a term that has passed, or is another's. */
MUST_CHECK bool term_is_of(int64_t seen, const char *seen_owner, int64_t term, const char *owner,
                           const char *node, Err *err);
