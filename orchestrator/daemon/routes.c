/* SPDX-License-Identifier: Apache-2.0 */
#include "routes.h"

#include "events.h"
#include "handlers.h"

static const HttpRoute routes[] = {
    {"POST", "/v1/tasks", handle_submit},
    {"GET", "/v1/tasks", handle_list_tasks},
    {"GET", "/v1/tasks/{id}", handle_get_task},
    {"GET", "/v1/tasks/{id}/why", handle_get_why},
    {"GET", "/v1/tasks/{id}/log", handle_get_log},
    {"POST", "/v1/tasks/{id}/request", handle_request},
    {"GET", "/v1/results", handle_list_results},
    {"GET", "/v1/results/{run}", handle_get_result},
    {"GET", "/v1/nodes", handle_list_nodes},
    {"POST", "/v1/nodes/{name}/pause", handle_pause},
    {"POST", "/v1/nodes/{name}/resume", handle_resume},
    {"GET", "/v1/cluster", handle_cluster},
    {"GET", "/v1/status", handle_status},
    {"GET", "/v1/check", handle_check},
    {"GET", "/v1/events", events_handle_get},
    {"GET", "/healthz", handle_healthz},
    {"GET", "/metrics", handle_metrics},
    {NULL, NULL, NULL},
};

bool routes_open(Coord *c, Err *err)
{
    return http_serve(c->base, &c->conf.listen, tls_is_set(&c->conf.tls) ? &c->conf.tls : NULL, routes, c,
                      &c->server, err);
}
