/* SPDX-License-Identifier: Apache-2.0
 * Copies of results: from another agent into this one's spool, or from the own spool into a folder that the
 * configuration names as a destination. The coordinator asks for them; a fetch below a supervisor makes them,
 * verified, and a copy takes its name only when it is whole. Asked again, one that was cut short goes on.
 */
#pragma once

#include "common/wire/wire_run.h"

struct Agent;

/* `to` NULL: into the spool. ERR_REFUSED: a folder that is no destination. Done already: nothing happens. */
MUST_CHECK bool copies_begin(struct Agent *a, const RunSource *from, const char *to, Err *err);
/* The job's destinations, or those of all; of these the folders that hold the run already. */
const StrList *copies_destinations(const struct Agent *a, const char *job);
void copies_done(const char *run, const StrList *destinations, StrList *ret);
/* The result has expired: so have its copies in folders. */
void copies_remove(struct Agent *a, const char *run, const char *job);
void copies_close(struct Agent *a);
