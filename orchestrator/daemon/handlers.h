/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's HTTP API (docs/api.md). Handlers read the state and answer; what needs the database or an
 * agent keeps the request and answers later. The routes stand in routes.c. Files: handlers_tasks.c,
 * handlers_results.c, handlers_nodes.c, check.c, coord_metrics.c.
 */
#pragma once

#include "common/net/http.h"
#include "coord_state.h"

void handle_error(HttpRequest *req, ErrKind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
TaskEntry *handle_entry(HttpRequest *req, Coord *c); /* by {id}; NULL: answered with the error */

void handle_submit(HttpRequest *req, void *context);
void handle_list_tasks(HttpRequest *req, void *context);
void handle_get_task(HttpRequest *req, void *context);
void handle_get_why(HttpRequest *req, void *context);
void handle_get_log(HttpRequest *req, void *context);
void handle_request(HttpRequest *req, void *context);
void handle_list_results(HttpRequest *req, void *context);
void handle_get_result(HttpRequest *req, void *context);
void handle_list_nodes(HttpRequest *req, void *context);
void handle_pause(HttpRequest *req, void *context);
void handle_resume(HttpRequest *req, void *context);
void handle_cluster(HttpRequest *req, void *context);
void handle_status(HttpRequest *req, void *context);
void handle_check(HttpRequest *req, void *context);
void handle_healthz(HttpRequest *req, void *context);
void handle_metrics(HttpRequest *req, void *context);
