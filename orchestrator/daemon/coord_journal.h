/* SPDX-License-Identifier: Apache-2.0
 * cluster.json in the state folder: term, primary and its address. Written and fsynced before anybody acts on
 * it; the database's copy of the term follows. One coordinator per folder, by a lock held as long as it
 * lives.
 */
#pragma once

#include "coord_state.h"

MUST_CHECK bool coord_journal_lock(Coord *c, Err *err); /* ERR_CONFLICT names the process that holds it */
/* Reads the journal where there is one and raises the term by one. */
MUST_CHECK bool coord_journal_open(Coord *c, Err *err);
MUST_CHECK bool coord_journal_set_term(Coord *c, int64_t term, Err *err);
MUST_CHECK bool coord_journal_set_primary(Coord *c, const char *name, const char *address, int64_t port,
                                          Err *err);
void coord_journal_close(Coord *c);
