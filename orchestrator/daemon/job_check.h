/* SPDX-License-Identifier: Apache-2.0
 * What makes a job or its upload impossible, asked of agents before any replica stands still for it: where
 * rows would go is looked at on the primary, not on the replica that has an older state of it.
 */
#pragma once

#include "agents.h"
#include "common/net/http.h"

/* The primary's agent, where it can be asked and knows the job; NULL: the job loads nothing, or nobody can be
 * asked. */
AgentLink *job_check_of_upload(const Coord *c, const Task *t);
void job_check_ask(AgentLink *a, const char *job, const CallRef *ref);
/* True: an agent's answer names an obstacle to its job; err is ERR_REFUSED. */
bool job_check_obstacle(const char *node, const json_t *findings, Err *err);

/* Replies `plan` with `obstacles`, each {node, text, mend}: of the nodes of the plan, or, where it has none,
 * of those that know the job; and of the primary. Takes `plan`. */
void job_check_plan(Coord *c, const Task *t, json_t *plan, HttpRequest *req);
