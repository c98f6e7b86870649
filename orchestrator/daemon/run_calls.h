/* SPDX-License-Identifier: Apache-2.0
 * What a run's agents are told: the run itself, the common GTID and go, requests of people. Each call may be
 * made again; its effect is seen in the agent's state, not in its answer.
 */
#pragma once

#include "orchestrator/core/run_view.h"
#include "state.h"

enum { RUN_CALL_TIMEOUT_MS = 10000 };

const AgentRun *run_part_seen(const Coord *c, const Part *p, const char *run);
/* The claim is on record: whoever does not know the run yet gets it. */
void run_give_out(Coord *c, Entry *e);
/* Asks the parts that still stand frozen to begin; only when all were aligned. */
void run_go_parts(Coord *c, Entry *e, const AgentRun *const *seen);
/* Every part stands stopped: to the common GTID, and on from there once all are at it. */
void run_align_parts(Coord *c, Entry *e, const AgentRun *const *seen, const RunView *v);
/* The first part's agent fetches the results of the others into its own; then theirs are not needed. */
void run_gather_parts(Coord *c, Entry *e, const AgentRun *const *seen);
void run_drop_results(Coord *c, Entry *e, const AgentRun *const *seen);
void run_ask(Coord *c, Entry *e, Part *p, TaskAction action, const char *by);
void run_forward_request(Coord *c, Entry *e, const AgentRun *const *seen);
