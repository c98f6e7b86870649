/* SPDX-License-Identifier: Apache-2.0
 * `siding bootstrap`: schema, procedures and least-privilege accounts on the primary, idempotently.
 */
#pragma once

#include "common/net/coordconf.h"

typedef struct BootstrapPlan {
    bool dry_run; /* only collect the statements */
    bool rotate, end_rotation, remove;
    const char *reader_host; /* only the account that new hosts are filled with, from this one; NULL: all */
} BootstrapPlan;

/* Appends one line a thing done (or, dry, each statement, passwords hidden) to `out`. Refuses with the reason
 * a server that is a replica, too old, without GTIDs or without row binary log. */
MUST_CHECK bool bootstrap_run(const SidingConfig *cfg, const BootstrapPlan *plan, Str *out, Err *err);
