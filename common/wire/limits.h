/* SPDX-License-Identifier: Apache-2.0
 * Limits of one pause as a submitter gives them, in the options of a task: {"limits": {"relay_bytes": …,
 * "catchup_ms": …, "free_bytes": …, "at_limit": "stop"}}. Their bounds are rows of bounds.h, checked alike by
 * the coordinator, so that a wrong one is refused at once, and by the agent. The longest pause is a field of
 * the task itself. Pure.
 */
#pragma once

#include "wire.h"

typedef struct PauseLimits {
    int64_t relay_bytes; /* most received since the freeze; 0: not given */
    int64_t catchup_ms;  /* most estimated catch-up time; 0: not given */
    int64_t free_bytes;  /* least free space of relay logs, spool and state folder; 0: not given */
    char *at_limit;      /* stop, kill, let-finish; NULL: not given */
} PauseLimits;
extern const WireField pause_limits_fields[];

/* `options` may be NULL, and need not hold limits. `ret` is zeroed. */
MUST_CHECK bool limits_read(const json_t *options, PauseLimits *ret, Err *err);
/* {"allow": ["downstream", "delayed"]}: what a preflight would refuse otherwise. */
MUST_CHECK bool limits_read_allow(const json_t *options, bool *ret_downstream, bool *ret_delayed, Err *err);
