/* SPDX-License-Identifier: Apache-2.0
 * What speaks against pausing this replica just now, beside what common/servercheck finds in its settings;
 * each with the statement or line that mends it. An "error" refuses the pause, a "warning" is told. Pure.
 */
#pragma once

#include "common/flavor.h"
#include "common/repl.h"
#include "common/wire.h"
#include "lease.h"

/* Appends to `ret` (Finding, without node). A server that is no replica gets none. */
void preflight_threads(const Flavor *f, const ReplStatus *s, WireList *ret);
/* The first error as ERR_REFUSED "text; mend"; true if there is none. */
MUST_CHECK bool preflight_allows(const WireList *findings, Err *err);
void preflight_add(WireList *findings, const char *name, const char *level, const char *mend, const char *fmt,
                   ...) PRINTF_LIKE(5, 6);

/* Catch-up settings: durability relaxed (flush 2, never 0: after a crash with 0 the server's positions lie),
 * at least `workers` parallel threads, and nothing worse than the server's own. Values owned by `ret`. */

void boost_settings(const Flavor *f, const LeaseSettings *own, int64_t workers, LeaseSettings *ret);
