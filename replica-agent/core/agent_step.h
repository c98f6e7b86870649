/* SPDX-License-Identifier: Apache-2.0
 * The agent as one function: what has happened goes in, what follows comes out as data, and the state has
 * moved on. The caller drains: it steps through the inputs that are queued, those posted by the way included,
 * then has what has changed written down, and only then carries out the effects that wait for it. Pure.
 */
#pragma once

#include "common/file/recordlog.h"
#include "effect.h"

/* Takes what the input carries where it needs it; the input stays the caller's. Effects are appended. */
void agent_step(AgentState *s, Input *in, Effects *out);

/* What has changed since the last call, for the caller to write. Keys: lease, role, vote, server, hook,
 * rates, ways, run/ID. Freed by recordlog_free_records. */
Record *agent_records(AgentState *s, size_t *ret_n);
/* A record as it was found at a start. False: it cannot be understood (err), and is left out; a lease that
 * cannot is one to be released. */
MUST_CHECK bool agent_restore(AgentState *s, const char *key, const json_t *value, int64_t wall_ms, Err *err);
/* Some of what was promised could not be read. A pause that could goes on; what was set for it is not known,
 * so that at its end everything is put back, whatever is set. */
void agent_records_lost(AgentState *s);
