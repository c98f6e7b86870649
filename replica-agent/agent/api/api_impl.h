/* SPDX-License-Identifier: Apache-2.0
 * What the api_*.c files share: handlers for the table in api.c, and checks that answer for them.
 */
#pragma once

#include "replica-agent/agent/agent.h"

/* Takes the query's term and the sign of life; false: answered. */
bool api_heard(HttpRequest *req, Agent *a);
/* The same of a poll, with the primary's position and whether nobody else acknowledges. */
MUST_CHECK bool api_hear_poll(const HttpRequest *req, Agent *a, const AgentPoll *p, Err *err);
/* Only the coordinator has terms, and one that jumps far ahead is a mistake or an attack. ERR_AUTH,
 * ERR_REFUSED. */
MUST_CHECK bool api_may_take_term(const HttpRequest *req, const Agent *a, int64_t term, Err *err);
/* Who asks, for the record: what the coordinator says of its own callers, else who was proved. Owned. */
char *api_by(const HttpRequest *req, const char *by);
/* A result comes from a configured node only: its URL takes the place of the order's. */
MUST_CHECK bool api_settle_source(const Agent *a, RunSource *from, Err *err);
MUST_CHECK bool api_body_term(HttpRequest *req, Agent *a, json_t **ret, Err *err);
void api_post_split(HttpRequest *req, void *context);
void api_post_copy(HttpRequest *req, void *context);
void api_post_gather(HttpRequest *req, void *context);
const char *api_run_param(const HttpRequest *req, const Agent *a); /* of the path, as a key; borrowed */
AgentRunner *api_run_of(HttpRequest *req, Agent *a);               /* of the path; NULL: answered 404 */
MUST_CHECK bool api_has_space(const Agent *a, Err *err);
/* ERR_STALE_TERM if a greater one was heard; 0: none given. A sign of life of the coordinator. */
MUST_CHECK bool api_hear_term(const HttpRequest *req, Agent *a, int64_t term, Err *err);
json_t *api_run_json(Agent *a, const char *run);
/* About the run of the path, answered with it; to be filled and posted. */
Input *api_request(HttpRequest *req, Agent *a, InputKind kind);
Input *api_resume_input(const char *by, const char *reason);

void api_post_order(HttpRequest *req, void *context);
void api_get_standing(HttpRequest *req, void *context);
void api_post_fill(HttpRequest *req, void *context);
void api_get_runs(HttpRequest *req, void *context);
void api_post_run(HttpRequest *req, void *context);
void api_get_run(HttpRequest *req, void *context);
void api_delete_run(HttpRequest *req, void *context);
void api_post_align(HttpRequest *req, void *context);
void api_post_go(HttpRequest *req, void *context);
void api_post_request(HttpRequest *req, void *context);
void api_get_log(HttpRequest *req, void *context);
void api_get_task_logs(HttpRequest *req, void *context);
void api_get_results(HttpRequest *req, void *context);
void api_delete_result(HttpRequest *req, void *context);
void api_get_result_file(HttpRequest *req, void *context);
void api_post_purge_hold(HttpRequest *req, void *context);
void api_delete_purge_hold(HttpRequest *req, void *context);
void api_post_pause(HttpRequest *req, void *context);
void api_post_resume(HttpRequest *req, void *context);
void api_post_open(HttpRequest *req, void *context);
json_t *api_state_json(Agent *a, const char *run);
/* Semi-sync as a source is off on its server, and agent.conf says that a person switches it on, nobody else:
 * what is opened there with acknowledgements is refused (order_open.c). */
bool api_left_without_semi_sync(const Agent *a);
