/* SPDX-License-Identifier: Apache-2.0
 * Looks every few seconds at what should have started or ended by now, and at what takes much longer than
 * usual, and tells it as events; and keeps what jobs have taken.
 */
#pragma once

#include "coord_state.h"
#include "orchestrator/core/deadline.h"

/* A task has a place in the queue: one with a deadline is watched from then on. */
void deadlines_watch(Coord *c, const Task *t);
void deadlines_ended_well(Coord *c, const Task *t); /* its last run has */
void deadlines_step(Coord *c);
const JobRecords *deadlines_jobs(const Coord *c);
void deadlines_free(Coord *c);
