/* SPDX-License-Identifier: Apache-2.0
 * The server: its listeners opened, and all of it closed.
 */
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "http_impl.h"

static void log_libevent(int severity, const char *text)
{
    log_line(severity >= EVENT_LOG_WARN ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "libevent: %s", text);
}

bool http_server_renew_tls(HttpServer *s, const Tls *tls, Err *err)
{
    struct ssl_ctx_st *fresh = NULL;
    if (!s->tls)
        return true;
    if (!tls_server_context(tls, s->service.anonymous, &fresh, err))
        return false;
    tls_context_free(s->tls); /* sessions hold it until they end */
    s->tls = fresh;
    return true;
}

void http_set_roles(HttpServer *s, const RoleMap *roles)
{
    s->service.roles = roles;
}

bool http_serve(struct event_base *base, const HttpService *service, HttpServer **ret, Err *err)
{
    const StrList *listen = service->listen;
    signal(SIGPIPE, SIG_IGN);
    event_set_log_callback(log_libevent);
    HttpServer *s = NEW(HttpServer);
    s->base = base;
    s->service = *service;
    s->nobody = roles_nobody();
    s->listeners = xcalloc(listen->n, sizeof *s->listeners);
    TAILQ_INIT(&s->requests);
    http_gate_open(s);
    for (size_t i = 0; i < listen->n; i++) {
        s->listeners[i] = (HttpListener){.server = s, .fd = -1};
        s->n++;
        if (!http_listen(&s->listeners[i], listen->v[i], service->tls, err)) {
            http_server_free(s);
            return false;
        }
        http_gate_listen(&s->listeners[i]);
    }
    *ret = s;
    return true;
}

int http_server_port(const HttpServer *s, size_t i)
{
    return s->listeners[i].port;
}

/* Best effort: the socket takes a short answer at once, the loop may never run again. */
static void answer_shutting_down(HttpRequest *req)
{
    static const char body[] =
        "{\"error\":{\"kind\":\"unreachable\",\"text\":\"the server is shutting down\",\"code\":0}}\n";
    char text[400];
    if (req->fd >= 0 || req->conn->listener->is_tls || req->conn->phase != HTTP_ANSWERING)
        return;
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                     "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(body), body);
    ssize_t written = write(bufferevent_getfd(req->conn->bev), text, (size_t)n);
    (void)written;
}

void http_server_free(HttpServer *s)
{
    if (!s)
        return;
    HttpRequest *req;
    TAILQ_FOREACH(req, &s->requests, next)
    if (req->conn)
        answer_shutting_down(req);
    http_gate_close(s); /* closes the connections: closed callbacks run */
    while ((req = TAILQ_FIRST(&s->requests))) {
        TAILQ_REMOVE(&s->requests, req, next);
        req->server = NULL;
    }
    tls_context_free(s->tls);
    roles_free(s->nobody);
    free(s->listeners);
    free(s);
}
