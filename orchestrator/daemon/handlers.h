/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's HTTP API (docs/api.md). Handlers read the state and answer; what needs the database or an
 * agent keeps the request and answers later. The routes stand in routes.c. Files: handlers_tasks.c,
 * handlers_results.c, handlers_nodes.c, handlers_queue.c, check.c, coord_metrics.c.
 */
#pragma once

#include "common/net/http.h"
#include "coord_state.h"

void handle_error(HttpRequest *req, ErrKind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Calls `then` with the task, from memory while the coordinator deals with it, else as the database has it:
 * at once or later. Where there is none the request is answered. */
typedef void (*HandleTask)(HttpRequest *req, Coord *c, const Task *t);
void handle_with_task(HttpRequest *req, Coord *c, int64_t id, HandleTask then);
/* The newest tasks of these states (none: all) before an id; `then` takes nothing. Where the database is
 * away or slow, those that are under way, and `partial` says why. */
typedef void (*HandleTasks)(HttpRequest *req, Coord *c, const Task *const *tasks, size_t n,
                            const char *partial);
void handle_with_tasks(HttpRequest *req, Coord *c, const StrList *states, int64_t before, int64_t limit,
                       HandleTasks then);

/* Of the path; false: answered. */
bool handle_read_id(HttpRequest *req, int64_t *ret);
json_t *handle_task_json(const Task *t);
json_t *
handle_task_in_list(const Task *t); /* without what was submitted with it: `siding task show` has that */

void handle_submit(HttpRequest *req, void *context);
void handle_list_tasks(HttpRequest *req, void *context);
void handle_get_task(HttpRequest *req, void *context);
void handle_get_why(HttpRequest *req, void *context);
void handle_get_log(HttpRequest *req, void *context);
void handle_request(HttpRequest *req, void *context);
void handle_set(HttpRequest *req, void *context);
void handle_list_tasklets(HttpRequest *req, void *context);
void handle_get_tasklet(HttpRequest *req, void *context);
void handle_list_schedules(HttpRequest *req, void *context);
void handle_get_schedule(HttpRequest *req, void *context);
void handle_apply_schedule(HttpRequest *req, void *context);
void handle_change_schedule(HttpRequest *req, void *context);
void handle_forecast(HttpRequest *req, void *context);
void handle_list_results(HttpRequest *req, void *context);
void handle_get_result(HttpRequest *req, void *context);
void handle_get_result_file(HttpRequest *req, void *context);
void handle_list_nodes(HttpRequest *req, void *context);
void handle_pause(HttpRequest *req, void *context);
void handle_resume(HttpRequest *req, void *context);
void handle_open(HttpRequest *req, void *context);
void handle_cordon(HttpRequest *req, void *context);
void handle_uncordon(HttpRequest *req, void *context);
void handle_remove(HttpRequest *req, void *context);
void handle_queue(HttpRequest *req, void *context);
void handle_manual(HttpRequest *req, void *context);
void handle_auto(HttpRequest *req, void *context);
void handle_quiet(HttpRequest *req, void *context);
void handle_hold_lane(HttpRequest *req, void *context);
void handle_release_lane(HttpRequest *req, void *context);
void handle_cluster(HttpRequest *req, void *context);
void handle_status(HttpRequest *req, void *context);
void handle_check(HttpRequest *req, void *context);
void handle_healthz(HttpRequest *req, void *context);
void handle_metrics(HttpRequest *req, void *context);
