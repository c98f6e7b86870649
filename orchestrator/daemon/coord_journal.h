/* SPDX-License-Identifier: Apache-2.0
 * cluster.json in the state folder: term, primary and its address. Written and fsynced before anybody acts on
 * it; the database's copy of the term follows. One coordinator per folder, by a lock held as long as it
 * lives.
 */
#pragma once

#include "coord_state.h"

/* ERR_CONFLICT names the process that holds it. Sets alive_until. */
MUST_CHECK bool coord_journal_lock(Coord *c, Err *err);
/* Leaves on the lock's file the time until which a coordinator was there: with each tick, not synced. */
void coord_journal_alive(const Coord *c);
/* Reads the journal where there is one and raises the term by one. */
MUST_CHECK bool coord_journal_open(Coord *c, Err *err);
MUST_CHECK bool coord_journal_set_term(Coord *c, int64_t term, Err *err);
MUST_CHECK bool coord_journal_set_primary(Coord *c, const char *name, const char *address, int64_t port,
                                          Err *err);
/* Takes `failover`, also where it fails. */
MUST_CHECK bool coord_journal_set_failover(Coord *c, json_t *failover, Err *err);
void coord_journal_close(Coord *c);
