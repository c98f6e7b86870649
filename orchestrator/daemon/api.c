/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "events.h"

static const HttpRoute routes[] = {
    {"POST", "/v1/tasks", api_submit},
    {"GET", "/v1/tasks", api_list_tasks},
    {"GET", "/v1/tasks/{id}", api_get_task},
    {"GET", "/v1/tasks/{id}/why", api_get_why},
    {"GET", "/v1/tasks/{id}/log", api_get_log},
    {"POST", "/v1/tasks/{id}/request", api_request},
    {"GET", "/v1/results", api_list_results},
    {"GET", "/v1/results/{run}", api_get_result},
    {"GET", "/v1/nodes", api_list_nodes},
    {"POST", "/v1/nodes/{name}/pause", api_pause},
    {"POST", "/v1/nodes/{name}/resume", api_resume},
    {"GET", "/v1/cluster", api_cluster},
    {"GET", "/v1/status", api_status},
    {"GET", "/v1/check", api_check},
    {"GET", "/v1/events", events_handle_get},
    {"GET", "/healthz", api_healthz},
    {"GET", "/metrics", api_metrics},
    {NULL, NULL, NULL},
};

bool api_open(Coord *c, Err *err)
{
    return http_serve(c->base, &c->conf.listen, tls_is_set(&c->conf.tls) ? &c->conf.tls : NULL, routes, c,
                      &c->server, err);
}

void api_error(HttpRequest *req, ErrKind kind, const char *fmt, ...)
{
    Err err = {.kind = kind};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err.text, sizeof err.text, fmt, ap);
    va_end(ap);
    http_reply_error(req, &err);
}
