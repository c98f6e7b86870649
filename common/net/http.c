/* SPDX-License-Identifier: Apache-2.0
 * An HttpRequest lives from its head to its answer. Its connection may go before it: then the handler is
 * told, or, where it does not ask to be told, the request waits for its answer as an empty shell.
 */
#include "http.h"

#include <string.h>
#include <unistd.h>

#include "common/file/json.h"
#include "http_impl.h"

static const struct {
    ErrKind kind;
    int status;
} statuses[] = {
    {ERR_USAGE, 400},    {ERR_AUTH, 403},       {ERR_NOT_FOUND, 404},
    {ERR_CONFLICT, 409}, {ERR_STALE_TERM, 412}, {ERR_REFUSED, 422},
    {ERR_TIMEOUT, 503},  {ERR_LOST, 503},       {ERR_UNREACHABLE, 503},
};

int http_status_of(ErrKind kind)
{
    for (size_t i = 0; i < COUNT(statuses); i++)
        if (statuses[i].kind == kind)
            return statuses[i].status;
    return 500;
}

/* ---- life of a request --------------------------------------------------------------------------- */

HttpRequest *http_request_new(HttpConn *c)
{
    HttpRequest *req = NEW(HttpRequest);
    req->server = c->server;
    req->conn = c;
    req->fd = -1;
    req->door = c->listener->is_unix ? "unix socket" : c->listener->is_tls ? "TLS" : "loopback TCP";
    TAILQ_INIT(&req->query);
    TAILQ_INIT(&req->out);
    TAILQ_INSERT_TAIL(&c->server->requests, req, next);
    return req;
}

void http_request_free(HttpRequest *req)
{
    http_audit(req, 0);
    if (req->server)
        TAILQ_REMOVE(&req->server->requests, req, next);
    for (size_t i = 0; i < req->params; i++)
        free(req->values[i]);
    evhttp_clear_headers(&req->query);
    evhttp_clear_headers(&req->out);
    http_head_done(&req->head);
    json_decref(req->body);
    free(req->text);
    free(req->why);
    if (req->fd >= 0)
        close(req->fd);
    free(req);
}

void http_request_gone(HttpRequest *req)
{
    void (*closed)(HttpRequest *, void *) = req->closed;
    bool is_kept = req->conn->phase == HTTP_ANSWERING;
    req->conn = NULL;
    if (is_kept && !closed && !http_is_sent_by_blocks(req))
        return;
    req->dying = true;
    if (closed)
        closed(req, req->closed_arg);
    http_request_free(req);
}

/* ---- answers ------------------------------------------------------------------------------------- */

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {{200, "OK"},
                 {201, "Created"},
                 {206, "Partial Content"},
                 {400, "Bad Request"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {409, "Conflict"},
                 {411, "Length Required"},
                 {412, "Precondition Failed"},
                 {413, "Content Too Large"},
                 {415, "Unsupported Media Type"},
                 {416, "Range Not Satisfiable"},
                 {422, "Unprocessable Content"},
                 {431, "Request Header Fields Too Large"},
                 {503, "Service Unavailable"},
                 {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < COUNT(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Internal Server Error";
}

void http_send_head(HttpRequest *req, int status, int64_t bytes)
{
    struct evkeyval *header;
    struct evbuffer *out = bufferevent_get_output(req->conn->bev);
    evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\nX-Content-Type-Options: nosniff\r\n", status,
                        status_text(status));
    TAILQ_FOREACH(header, &req->out, next)
    evbuffer_add_printf(out, "%s: %s\r\n", header->key, header->value);
    evbuffer_add_printf(out, "Content-Length: %lld\r\n%s\r\n", (long long)bytes,
                        req->conn->closes ? "Connection: close\r\n" : "");
}

void http_send(HttpRequest *req, int status, const char *body, size_t n)
{
    if (req->dying)
        return;
    http_audit(req, status);
    HttpConn *c = req->conn;
    if (c) {
        http_send_head(req, status, (int64_t)n);
        if (n && !req->head.is_head)
            evbuffer_add(bufferevent_get_output(c->bev), body, n);
        c->req = NULL;
    }
    http_request_free(req);
    if (c)
        http_conn_answered(c);
}

void http_reply_header(HttpRequest *req, const char *name, const char *value)
{
    if (!req->conn || req->dying || !value)
        return;
    evhttp_remove_header(&req->out, name);
    evhttp_add_header(&req->out, name, value);
}

void http_reply_text(HttpRequest *req, int status, const char *content_type, const char *bytes, size_t n)
{
    http_reply_header(req, "Content-Type", content_type);
    http_send(req, status, bytes, n);
}

void http_reply_json(HttpRequest *req, int status, json_t *j)
{
    AUTOFREE char *text = json_text(j);
    json_decref(j);
    AUTOFREE char *line = xasprintf("%s\n", text ? text : "null");
    http_reply_text(req, status, "application/json", line, strlen(line));
}

void http_reply_status_error(HttpRequest *req, int status, const Err *err)
{
    free(req->why);
    req->why = xstrdup(err->text);
    json_t *o = json_object();
    json_set_err(o, err);
    http_reply_json(req, status, o);
}

void http_reply_error(HttpRequest *req, const Err *err)
{
    http_reply_status_error(req, http_status_of(err->kind), err);
}
