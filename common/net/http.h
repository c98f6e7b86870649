/* SPDX-License-Identifier: Apache-2.0
 * HTTP/1.1 server on libevent: unix sockets, loopback TCP, TLS with client certificates elsewhere (a plain
 * listener on any other address is refused). JSON in and out; files by range. Loop thread only.
 * Requests over loopback TCP must name a loopback host, and bodies must be application/json: a web page that
 * a browser of this machine shows can do nothing here.
 */
#pragma once

#include <event2/event.h>
#include <jansson.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "tls.h"

typedef struct HttpServer HttpServer;
typedef struct HttpRequest HttpRequest;

/* A route's path may hold {name} parts, each one path segment: "/v1/runs/{id}/log"; a last {name...} takes
 * the rest. The handler answers now, or keeps the request and answers later (exactly once). */
typedef struct HttpRoute {
    const char *method, *path;
    void (*handle)(HttpRequest *req, void *context);
} HttpRoute;

enum { HTTP_MAX_BODY_BYTES = 8 << 20 };

/* `listen`: "unix:/path" (mode 0660, a stale socket is replaced), "127.0.0.1:port", "[::1]:port", "host:port"
 * with TLS, "tls:host:port" with TLS also on loopback. `tls` NULL or without files: plain. Routes end with a
 * row without a path. Unknown paths get 404, wrong methods 405, both as JSON. Ignores SIGPIPE in the whole
 * process. */
MUST_CHECK bool http_serve(struct event_base *base, const StrList *listen, const Tls *tls,
                           const HttpRoute *routes, void *context, HttpServer **ret, Err *err);
/* Kept requests are answered 503 and their closed callbacks called. */
void http_server_free(HttpServer *s);
int http_server_port(const HttpServer *s, size_t i); /* of listener i, 0 for a unix socket */
bool http_address_is_local(const char *listen);      /* unix or loopback. Pure */
/* The one rule of who may listen without TLS: unix sockets and loopback. ERR_REFUSED otherwise. Pure. */
MUST_CHECK bool http_listen_allowed(const char *listen, const Tls *tls, Err *err);
/* The same of a configuration's option "listen", which names one address at least; `example` is one. */
MUST_CHECK bool http_listen_check(const char *path, const StrList *listen, const Tls *tls,
                                  const char *example, Err *err);

const char *http_param(const HttpRequest *req, const char *name); /* {name} part, decoded; NULL if absent */
const char *http_query(const HttpRequest *req, const char *name); /* ?name=; NULL if absent */
MUST_CHECK bool http_query_int(const HttpRequest *req, const char *name, int64_t min, int64_t max,
                               int64_t fallback, int64_t *ret, Err *err);
const char *http_header(const HttpRequest *req, const char *name);
const char *http_peer(const HttpRequest *req); /* "unix", address, or the client certificate's name */
/* The body as a JSON object (an empty body is {}); borrowed until the answer. POST bodies must be
 * application/json. */
MUST_CHECK bool http_body(HttpRequest *req, json_t **ret, Err *err);

void http_reply_json(HttpRequest *req, int status, json_t *j); /* takes j */
void http_reply_error(HttpRequest *req, const Err *err);       /* status from the kind */
void http_reply_text(HttpRequest *req, int status, const char *content_type, const char *bytes, size_t n);
void http_reply_header(HttpRequest *req, const char *name, const char *value); /* before the reply */
/* A file, honouring Range and If-Range with `etag` (may be NULL); 404 if absent. Served by blocks, safe
 * against truncation. */
void http_reply_file(HttpRequest *req, const char *path, const char *content_type, const char *etag);
/* Called if the client goes away before the answer (or the server is freed): the handler's kept request is
 * dead then. Without a callback the request stays valid until its answer, which is dropped. */
void http_on_close(HttpRequest *req, void (*closed)(HttpRequest *req, void *arg), void *arg);

int http_status_of(ErrKind kind); /* Pure: ERR_USAGE 400, NOT_FOUND 404, CONFLICT 409, STALE_TERM 412, REFUSED
                                     422, AUTH 403, UNREACHABLE/TIMEOUT/LOST 503, others 500 */

typedef enum HttpRange { HTTP_RANGE_NONE, HTTP_RANGE_PART, HTTP_RANGE_UNSATISFIABLE } HttpRange;
/* One "bytes=" range of a file of `size` bytes; anything odd (several ranges, other units) is NONE. Pure. */
HttpRange http_parse_range(const char *header, int64_t size, int64_t *ret_from, int64_t *ret_bytes);
