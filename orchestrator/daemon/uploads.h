/* SPDX-License-Identifier: Apache-2.0
 * From a sealed result to its upload task and back: the upload is on record in the transaction that records
 * the seal, exactly one a run; the run is done when its upload is.
 */
#pragma once

#include "state.h"

bool uploads_wanted(const Entry *e, const AgentRun *seen); /* `seen` may be NULL */
void uploads_record(Coord *c, Entry *e, const AgentRun *seen);
/* The run's agents are done: follow its upload to the end. */
void uploads_settle(Coord *c, Entry *e, const AgentRun *seen);
void uploads_step(Coord *c); /* ends uploads whose run failed meanwhile */
