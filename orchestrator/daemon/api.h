/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's HTTP API (docs/api.md). Handlers read the state and answer; what needs the database or an
 * agent keeps the request and answers later. Files: api_tasks.c, api_results.c, api_nodes.c, check.c,
 * metrics.c.
 */
#pragma once

#include "common/net/http.h"
#include "state.h"

MUST_CHECK bool api_open(Coord *c, Err *err);

void api_error(HttpRequest *req, ErrKind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
Entry *api_entry(HttpRequest *req, Coord *c); /* by {id}; NULL: answered with the error */

void api_submit(HttpRequest *req, void *context);
void api_list_tasks(HttpRequest *req, void *context);
void api_get_task(HttpRequest *req, void *context);
void api_get_why(HttpRequest *req, void *context);
void api_get_log(HttpRequest *req, void *context);
void api_request(HttpRequest *req, void *context);
void api_list_results(HttpRequest *req, void *context);
void api_get_result(HttpRequest *req, void *context);
void api_list_nodes(HttpRequest *req, void *context);
void api_pause(HttpRequest *req, void *context);
void api_resume(HttpRequest *req, void *context);
void api_cluster(HttpRequest *req, void *context);
void api_status(HttpRequest *req, void *context);
void api_check(HttpRequest *req, void *context);
void api_healthz(HttpRequest *req, void *context);
void api_metrics(HttpRequest *req, void *context);
