/* SPDX-License-Identifier: Apache-2.0
 * Commits that wait for a replica to acknowledge them, on a server that is, or is to be, no source.
 */
#pragma once

#include "op_impl.h"

/* Clients whose commits wait are counted; and cut off, each without an answer, and so never told what no
 * replica may have, where that tells nobody else so (Flavor.kill_acknowledges: one that is alone). A killed
 * one that MySQL keeps waiting has no client any more. */
MUST_CHECK bool commits_cut_waiting(Db *db, int64_t *ret_n, Err *err);

/* Semi-sync as a source goes off on a replica whose applier is to be started: the option file has it on at
 * each start of the server, and what the applier commits would wait for an acknowledgement of nobody. Clients
 * that wait are cut off first. `leaves`: it is a person's. What fails is logged: the applier then waits. */
void commits_free_applier(Db *db, const ReplStatus *s, bool leaves);
