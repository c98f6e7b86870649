/* SPDX-License-Identifier: Apache-2.0
 * An HttpRequest lives from dispatch to its answer. Its evhttp_request dies with the connection; libevent
 * frees it itself or leaves it to us, told apart in on_connection_closed.
 */
#include "http.h"

#include <event2/bufferevent_ssl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
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

static struct bufferevent *bev_of(const HttpRequest *req)
{
    return evhttp_connection_get_bufferevent(evhttp_request_get_connection(req->ev));
}

void http_set_timeouts(HttpRequest *req, int read_s, int write_s)
{
    struct timeval r = {read_s, 0}, w = {write_s, 0};
    bufferevent_set_timeouts(bev_of(req), read_s ? &r : NULL, write_s ? &w : NULL);
}

void http_request_free(HttpRequest *req)
{
    if (req->server) {
        TAILQ_REMOVE(&req->server->requests, req, next);
        if (req->server->current == req)
            req->server->current = NULL;
    }
    for (size_t i = 0; i < req->params; i++)
        free(req->values[i]);
    evhttp_clear_headers(&req->query);
    json_decref(req->body);
    free(req->peer);
    if (req->fd >= 0)
        close(req->fd);
    free(req);
}

/* The kept request is dead for its handler; without a callback it waits for its answer as an empty shell. */
static void tell_closed(HttpRequest *req)
{
    void (*closed)(HttpRequest *, void *) = req->closed;
    if (!closed && req->fd < 0)
        return;
    req->dying = true;
    if (closed)
        closed(req, req->closed_arg);
    http_request_free(req);
}

static void on_connection_closed(struct evhttp_connection *connection, void *arg)
{
    HttpRequest *req = arg;
    struct evhttp_request *ev = STEAL(req->ev);
    (void)connection;
    /* After a network error libevent has cut the request off and left it to us; else it frees it next. */
    if (!evhttp_request_get_connection(ev))
        evhttp_request_free(ev);
    tell_closed(req);
}

static const char *status_text(int status)
{
    return status == 422 ? "Unprocessable Content" : NULL; /* NULL: libevent knows */
}

void http_send(HttpRequest *req, int status, struct evbuffer *body)
{
    if (req->dying)
        return;
    struct evhttp_request *ev = req->ev;
    if (ev) {
        bool head = evhttp_request_get_command(ev) == EVHTTP_REQ_HEAD;
        evhttp_connection_set_closecb(evhttp_request_get_connection(ev), NULL, NULL);
        http_set_timeouts(req, HTTP_IDLE_S, HTTP_IDLE_S);
        evhttp_add_header(evhttp_request_get_output_headers(ev), "X-Content-Type-Options", "nosniff");
        evhttp_send_reply(ev, status, status_text(status), head ? NULL : body);
    }
    req->ev = NULL;
    http_request_free(req);
}

/* ---- answers ------------------------------------------------------------------------------------- */

void http_reply_header(HttpRequest *req, const char *name, const char *value)
{
    if (!req->ev || req->dying)
        return;
    evhttp_remove_header(evhttp_request_get_output_headers(req->ev), name);
    evhttp_add_header(evhttp_request_get_output_headers(req->ev), name, value);
}

void http_reply_text(HttpRequest *req, int status, const char *content_type, const char *bytes, size_t n)
{
    struct evbuffer *body = evbuffer_new();
    evbuffer_add(body, bytes, n);
    http_reply_header(req, "Content-Type", content_type);
    http_send(req, status, body);
    evbuffer_free(body);
}

void http_reply_json(HttpRequest *req, int status, json_t *j)
{
    AUTOFREE char *text = json_text(j);
    json_decref(j);
    AUTOFREE char *line = xasprintf("%s\n", text ? text : "null");
    http_reply_text(req, status, "application/json", line, strlen(line));
}

static void reply_status_error(HttpRequest *req, int status, const Err *err)
{
    json_t *e = json_object();
    json_set_str(e, "kind", err_kind_name(err->kind));
    json_set_str(e, "text", err->text);
    json_set_int(e, "code", err->code);
    http_reply_json(req, status, json_pack("{s:o}", "error", e));
}

void http_reply_error(HttpRequest *req, const Err *err)
{
    reply_status_error(req, http_status_of(err->kind), err);
}

/* ---- what a request says --------------------------------------------------------------------------- */

const char *http_param(const HttpRequest *req, const char *name)
{
    for (size_t i = 0; i < req->params; i++)
        if (strlen(name) == req->name_lengths[i] && strncmp(name, req->names[i], req->name_lengths[i]) == 0)
            return req->values[i];
    return NULL;
}

const char *http_query(const HttpRequest *req, const char *name)
{
    return evhttp_find_header(&req->query, name);
}

bool http_query_int(const HttpRequest *req, const char *name, int64_t min, int64_t max, int64_t fallback,
                    int64_t *ret, Err *err)
{
    long long n = fallback;
    const char *text = http_query(req, name);
    if (text && !str_to_i64(text, min, max, &n))
        return err_set(err, ERR_USAGE, 0,
                       "parameter \"%s\" is \"%s\", it must be a whole number from %lld to %lld", name, text,
                       (long long)min, (long long)max);
    *ret = n;
    return true;
}

const char *http_header(const HttpRequest *req, const char *name)
{
    return req->ev ? evhttp_find_header(evhttp_request_get_input_headers(req->ev), name) : NULL;
}

const char *http_peer(const HttpRequest *req)
{
    return req->peer;
}

bool http_body(HttpRequest *req, json_t **ret, Err *err)
{
    struct evbuffer *in = req->ev ? evhttp_request_get_input_buffer(req->ev) : NULL;
    size_t n = in ? evbuffer_get_length(in) : 0;
    if (!req->body && n == 0)
        req->body = json_object();
    if (!req->body && !json_parse((const char *)evbuffer_pullup(in, -1), n, &req->body, err))
        return err_prefix(err, "request body");
    if (!json_is_object(req->body))
        return err_set(err, ERR_USAGE, 0, "the request body must be a JSON object");
    *ret = req->body;
    return true;
}

void http_on_close(HttpRequest *req, void (*closed)(HttpRequest *req, void *arg), void *arg)
{
    req->closed = closed;
    req->closed_arg = arg;
}

/* ---- routing ------------------------------------------------------------------------------------- */

static size_t segment_length(const char *p)
{
    return strcspn(p, "/");
}

/* Decodes one segment of a path; NULL where it is not one plain name: "..", an encoded "/", control bytes. */
static char *decode_segment(const char *p, size_t n)
{
    AUTOFREE char *raw = xstrndup(p, n);
    for (const char *c = raw; (c = strchr(c, '%')); c++)
        if (strspn(c + 1, "0123456789abcdefABCDEF") < 2)
            return NULL;
    size_t length;
    char *decoded = evhttp_uridecode(raw, 0, &length);
    bool bad = !decoded || strlen(decoded) != length || length == 0 || strchr(decoded, '/') ||
               strcmp(decoded, ".") == 0 || strcmp(decoded, "..") == 0;
    for (size_t i = 0; !bad && i < length; i++)
        bad = (unsigned char)decoded[i] < 32 || decoded[i] == 127;
    if (!bad)
        return decoded;
    free(decoded);
    return NULL;
}

static char *decode_rest(const char *p)
{
    AUTO(str_done) Str all = STR_INIT;
    for (;;) {
        size_t n = segment_length(p);
        AUTOFREE char *one = decode_segment(p, n);
        if (!one)
            return NULL;
        str_adds(&all, one);
        if (!p[n])
            return str_take(&all);
        str_addc(&all, '/');
        p += n + 1;
    }
}

static bool take_param(HttpRequest *req, const char *name, size_t n, char *value)
{
    if (!value || req->params == HTTP_MAX_PARAMS) {
        free(value);
        return false;
    }
    req->names[req->params] = name;
    req->name_lengths[req->params] = n;
    req->values[req->params++] = value;
    return true;
}

static void drop_params(HttpRequest *req)
{
    while (req->params)
        free(req->values[--req->params]);
}

/* Both begin behind a slash. */
static bool match(HttpRequest *req, const char *pattern, const char *path)
{
    drop_params(req);
    for (;;) {
        size_t m = segment_length(pattern), n = segment_length(path);
        bool named = m > 2 && pattern[0] == '{';
        if (named && m > 5 && strncmp(pattern + m - 4, "...}", 4) == 0)
            return take_param(req, pattern + 1, m - 5, decode_rest(path));
        if (named ? !take_param(req, pattern + 1, m - 2, decode_segment(path, n))
                  : m != n || strncmp(pattern, path, n) != 0)
            return false;
        if (!pattern[m] || !path[n])
            return pattern[m] == path[n];
        pattern += m + 1;
        path += n + 1;
    }
}

static const char *method_name(enum evhttp_cmd_type type)
{
    switch (type) {
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_PUT:
        return "PUT";
    case EVHTTP_REQ_DELETE:
        return "DELETE";
    default:
        return "?";
    }
}

static const HttpRoute *find_route(HttpRequest *req, const char *path, const char *method, Str *ret_allowed)
{
    for (const HttpRoute *r = req->server->routes; path[0] == '/' && r->path; r++) {
        if (!match(req, r->path + 1, path + 1))
            continue;
        if (strcmp(r->method, method) == 0)
            return r;
        str_addf(ret_allowed, "%s%s", ret_allowed->len ? ", " : "", r->method);
    }
    return NULL;
}

/* A page in a browser may make it send requests here under a name its owner points at 127.0.0.1. */
static bool check_host(HttpRequest *req, Err *err)
{
    if (req->listener->is_unix || req->listener->is_tls)
        return true;
    const char *host = evhttp_request_get_host(req->ev);
    if (host && http_host_is_loopback(host))
        return true;
    return err_set(err, ERR_REFUSED, 0,
                   "the Host header \"%s\" does not name a loopback address: use localhost, 127.0.0.1 or "
                   "[::1] in the URL",
                   host ? host : "");
}

static bool check_content_type(HttpRequest *req, const char *method, Err *err)
{
    if (strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0)
        return true;
    const char *type = http_header(req, "Content-Type");
    size_t n = strlen("application/json");
    if (type && strncasecmp(type, "application/json", n) == 0 && strchr("; \t", type[n]))
        return true;
    return err_set(err, ERR_USAGE, 0, "%s needs Content-Type: application/json, not \"%s\"", method,
                   type ? type : "");
}

static void route(HttpRequest *req, const char *path)
{
    Err err;
    AUTO(str_done) Str allowed = STR_INIT;
    const char *method = method_name(evhttp_request_get_command(req->ev));
    if (!check_host(req, &err)) {
        http_reply_error(req, &err);
        return;
    }
    const HttpRoute *r = find_route(req, path, method, &allowed);
    if (r && !check_content_type(req, method, &err)) {
        reply_status_error(req, 415, &err);
    } else if (r) {
        r->handle(req, req->server->context);
    } else if (allowed.len) {
        http_reply_header(req, "Allow", str_z(&allowed));
        err_set(&err, ERR_USAGE, 0, "%s does not take this method, it takes %s", path, str_z(&allowed));
        reply_status_error(req, 405, &err);
    } else {
        err_set(&err, ERR_NOT_FOUND, 0, "no such path: %.300s", path);
        http_reply_error(req, &err);
    }
}

static char *peer_of(HttpRequest *req)
{
    char name[200];
    if (req->listener->is_unix)
        return xstrdup("unix");
    if (req->listener->is_tls) {
        tls_peer_name(bufferevent_openssl_get_ssl(bev_of(req)), name, sizeof name);
        if (name[0])
            return xstrdup(name);
    }
    char *address = NULL;
    ev_uint16_t port;
    evhttp_connection_get_peer(evhttp_request_get_connection(req->ev), &address, &port);
    return xstrdup(address ? address : "");
}

/* While a handler keeps the request, reads go on without a reader, so that the end of the connection is seen;
 * a pipelined request stays in the buffer. Nothing times out meanwhile: that is the handler's business. */
static void watch_for_close(HttpRequest *req)
{
    bufferevent_data_cb on_read, on_write;
    bufferevent_event_cb on_event;
    void *arg;
    struct bufferevent *bev = bev_of(req);
    bufferevent_getcb(bev, &on_read, &on_write, &on_event, &arg);
    bufferevent_setcb(bev, NULL, on_write, on_event, arg);
    http_set_timeouts(req, 0, 0);
    bufferevent_enable(bev, EV_READ);
}

void http_dispatch(struct evhttp_request *ev, void *arg)
{
    HttpListener *l = arg;
    HttpRequest *req = NEW(HttpRequest);
    req->server = l->server;
    req->listener = l;
    req->ev = ev;
    req->fd = -1;
    TAILQ_INIT(&req->query);
    TAILQ_INSERT_TAIL(&l->server->requests, req, next);
    l->server->current = req;
    req->peer = peer_of(req);
    struct evhttp_connection *connection = evhttp_request_get_connection(ev);
    evhttp_connection_set_closecb(connection, on_connection_closed, req);
    /* What a client may pile up unread behind its request. */
    bufferevent_setwatermark(bev_of(req), EV_READ, 0, HTTP_MAX_BODY_BYTES + HTTP_MAX_HEADER_BYTES);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(ev);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
    if (query && evhttp_parse_query_str(query, &req->query) < 0) {
        Err err;
        err_set(&err, ERR_USAGE, 0, "the query of the URL cannot be read");
        http_reply_error(req, &err);
    } else {
        route(req, path ? path : "");
    }
    if (l->server->current == req)
        watch_for_close(req);
    l->server->current = NULL;
}

/* ---- server ------------------------------------------------------------------------------------------ */

static void log_libevent(int severity, const char *text)
{
    log_line(severity >= EVENT_LOG_WARN ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "libevent: %s", text);
}

bool http_serve(struct event_base *base, const StrList *listen, const Tls *tls, const HttpRoute *routes,
                void *context, HttpServer **ret, Err *err)
{
    signal(SIGPIPE, SIG_IGN);
    event_set_log_callback(log_libevent);
    HttpServer *s = NEW(HttpServer);
    s->base = base;
    s->routes = routes;
    s->context = context;
    s->listeners = xcalloc(listen->n, sizeof *s->listeners);
    TAILQ_INIT(&s->requests);
    for (size_t i = 0; i < listen->n; i++) {
        s->n++;
        if (!http_listen(s, &s->listeners[i], listen->v[i], tls, err)) {
            http_server_free(s);
            return false;
        }
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
    if (req->fd >= 0 || req->listener->is_tls)
        return;
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                     "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(body), body);
    ssize_t written = write(bufferevent_getfd(bev_of(req)), text, (size_t)n);
    (void)written;
}

void http_server_free(HttpServer *s)
{
    if (!s)
        return;
    HttpRequest *req;
    TAILQ_FOREACH(req, &s->requests, next)
    if (req->ev)
        answer_shutting_down(req);
    for (size_t i = 0; i < s->n; i++)
        http_unlisten(&s->listeners[i]); /* closes the connections: closed callbacks run */
    while ((req = TAILQ_FIRST(&s->requests))) {
        TAILQ_REMOVE(&s->requests, req, next);
        req->server = NULL;
        req->listener = NULL;
    }
    tls_context_free(s->tls);
    free(s->listeners);
    free(s);
}
