/* SPDX-License-Identifier: Apache-2.0
 * HTTP/1.1 server on libevent: unix sockets, loopback TCP, TLS with client certificates elsewhere (a plain
 * listener on any other address is refused). JSON in and out; files by range. Loop thread only.
 * Every route has roles, and a request without one of them is answered 403 with its name. Requests over
 * loopback TCP must name a loopback host, bodies must be application/json, and what a browser sends changes
 * nothing: a web page can do nothing here.
 */
#pragma once

#include <event2/event.h>
#include <jansson.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "roles.h"
#include "tls.h"

typedef struct HttpServer HttpServer;
typedef struct HttpRequest HttpRequest;

/* A route's path may hold {name} parts, each one path segment: "/v1/runs/{id}/log"; a last {name...} takes
 * the rest. The handler answers now, or keeps the request and answers later (exactly once). GET must change
 * nothing. */
typedef struct HttpRoute {
    const char *method, *path;
    RoleSet roles; /* one of them is needed; ROLE_HEALTH: nobody is asked */
    void (*handle)(HttpRequest *req, void *context);
    const char *query; /* parameters it knows, "state,limit"; NULL: none. Any other is refused, and one that
                          is given twice */
    /* For the audit trail: "{action} task {id}", filled from the path, the query and the body. NULL: leaves
     * none, as reading does unless what is read is worth a word. */
    const char *does;
} HttpRoute;

/* A request that leaves a trail, once it is answered or refused. */
typedef struct HttpAudit {
    const char *who, *door, *claimed; /* proved, "unix socket", said by the request itself or NULL */
    RoleSet roles;
    const char *what;
    int64_t about; /* http_about(); 0 */
    int status;    /* 0: the client left before the answer */
    int64_t more;  /* refused since the last that was told */
    const char *why;
} HttpAudit;

char *http_audit_text(const HttpAudit *a); /* "alice (unix socket) asked to kill task 12: done". Owned */
const char *http_audit_level(const HttpAudit *a); /* of the event: "warn" for one who may not */

typedef struct HttpService {
    const StrList *listen;
    const Tls *tls;
    const HttpRoute *routes; /* ended by a row without a path */
    const RoleMap *roles;    /* borrowed; NULL: nobody but this account and root by unix socket */
    void *context;
    void (*audit)(void *context, const HttpAudit *a); /* may be NULL */
    bool anonymous;   /* TLS asks nobody for a certificate: what a request says has to prove it */
    size_t most_body; /* bytes; 0: HTTP_MAX_BODY_BYTES */
} HttpService;

/* Priorities of a loop whose own work comes before strangers: for event_base_priority_init, at once. */
enum { HTTP_MAX_BODY_BYTES = 8 << 20, HTTP_PRIORITIES = 3 };

/* `listen`: "unix:/path" (a stale socket is replaced; mode 0660, or 0666 where roles name other accounts, who
 * are told apart by SO_PEERCRED), "127.0.0.1:port", "[::1]:port", "host:port" with TLS, "tls:host:port" with
 * TLS also on loopback. `tls` NULL or without files: plain. Unknown paths get 404, wrong methods 405, both as
 * JSON. Ignores SIGPIPE in the whole process. */
MUST_CHECK bool http_serve(struct event_base *base, const HttpService *service, HttpServer **ret, Err *err);
/* Kept requests are answered 503 and their closed callbacks called. */
void http_server_free(HttpServer *s);
/* New certificates for connections from now on. */
MUST_CHECK bool http_server_renew_tls(HttpServer *s, const Tls *tls, Err *err);
int http_server_port(const HttpServer *s, size_t i); /* of listener i, 0 for a unix socket */
bool http_address_is_local(const char *listen);      /* unix or loopback. Pure */
/* The one rule of who may listen without TLS: unix sockets and loopback. ERR_REFUSED otherwise. Pure. */
MUST_CHECK bool http_listen_allowed(const char *listen, const Tls *tls, Err *err);
/* The same for whom a program dials: "http://" only on loopback, "https://" with tls, "unix:/". Pure. */
MUST_CHECK bool http_url_allowed(const char *url, const Tls *tls, Err *err);
/* The same of a configuration's option "listen", which names one address at least; `example` is one. */
MUST_CHECK bool http_listen_check(const char *path, const StrList *listen, const Tls *tls,
                                  const char *example, Err *err);

const char *http_param(const HttpRequest *req, const char *name); /* {name} part, decoded; NULL if absent */
const char *http_query(const HttpRequest *req, const char *name); /* ?name=; NULL if absent */
MUST_CHECK bool http_query_int(const HttpRequest *req, const char *name, int64_t min, int64_t max,
                               int64_t fallback, int64_t *ret, Err *err);
const char *http_header(const HttpRequest *req, const char *name);
const char *http_who(const HttpRequest *req); /* proved: "alice", "certificate db1", "token x" */
RoleSet http_roles(const HttpRequest *req);
enum { HTTP_PEER_BYTES = 64 };
/* The address of the other end of TCP; "" where there is none. */
void http_peer(const HttpRequest *req, char ret[HTTP_PEER_BYTES]);
/* How to write down who asks: the proved name, with what the request claims beside it. Owned. */
char *http_by(const HttpRequest *req, const char *claimed);
void http_about(HttpRequest *req, int64_t about);         /* for the audit: the number of what was made */
void http_set_roles(HttpServer *s, const RoleMap *roles); /* from the next request on; borrowed */
/* The body as a JSON object (an empty body is {}); borrowed until the answer. POST bodies must be
 * application/json. */
MUST_CHECK bool http_body(HttpRequest *req, json_t **ret, Err *err);

void http_reply_json(HttpRequest *req, int status, json_t *j); /* takes j */
void http_reply_error(HttpRequest *req, const Err *err);       /* status from the kind */
void http_reply_text(HttpRequest *req, int status, const char *content_type, const char *bytes, size_t n);
void http_reply_header(HttpRequest *req, const char *name,
                       const char *value); /* before the reply; NULL: none */
/* An open file, which is closed afterwards, honouring Range and If-Range with `etag` (may be NULL); 404 if
 * `fd` is -1 or no plain file. Served by blocks, safe against truncation. */
void http_reply_file(HttpRequest *req, int fd, const char *content_type, const char *etag);
/* An answer whose bytes come by and by. `more` asks for the next ones, those from `at` on, `left` in all:
 * once what was given before has left, so that little is held for a slow client. They are given by
 * http_stream_add, in `more` or later. */
typedef struct HttpStream {
    int64_t size; /* of the whole; what the Range asks for is sent */
    const char *content_type, *etag;
    void (*more)(HttpRequest *req, void *arg, int64_t at, int64_t left);
    void *arg;
} HttpStream;
/* False: nothing is wanted (HEAD, no bytes in the range), the request is answered. True: http_on_close tells
 * of a client that goes away before the end. */
bool http_reply_stream(HttpRequest *req, const HttpStream *stream);
/* At most what is left. False: that was the last, the request is answered. */
bool http_stream_add(HttpRequest *req, const char *bytes, size_t n);
/* There will be no more: the connection ends, so that the client notices. The request is gone; its closed
 * callback is not called. Not from `more`. */
void http_stream_break(HttpRequest *req);
/* Leaves no audit trail, though its route says what it does: the same has just been told. */
void http_untold(HttpRequest *req);
/* Called if the client goes away before the answer (or the server is freed): the handler's kept request is
 * dead then. Without a callback the request stays valid until its answer, which is dropped. */
void http_on_close(HttpRequest *req, void (*closed)(HttpRequest *req, void *arg), void *arg);

int http_status_of(ErrKind kind); /* Pure: ERR_USAGE 400, NOT_FOUND 404, CONFLICT 409, STALE_TERM 412, REFUSED
                                     422, AUTH 403, UNREACHABLE/TIMEOUT/LOST 503, others 500 */

typedef enum HttpRange { HTTP_RANGE_NONE, HTTP_RANGE_PART, HTTP_RANGE_UNSATISFIABLE } HttpRange;
/* One "bytes=" range of a file of `size` bytes; anything odd (several ranges, other units) is NONE. Pure. */
HttpRange http_parse_range(const char *header, int64_t size, int64_t *ret_from, int64_t *ret_bytes);
