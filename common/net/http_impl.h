/* SPDX-License-Identifier: Apache-2.0
 * Inside of the HTTP server: http_server.c, http.c (requests and answers), http_read.c (what a request says),
 * http_head.c (what a head says), http_conn.c
 * (a connection and its deadlines), http_gate.c (accepting, quotas), http_route.c (routes, and who may),
 * http_audit.c, http_listen.c (sockets), http_file.c (files). Nobody else includes this.
 */
#pragma once

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

#include "http.h"
#include "http_head.h"

enum { HTTP_MAX_PARAMS = 4, HTTP_PLACES = 1024 };
/* Least urgent, so that a crowd of strangers comes after ticks, answers of the database and the coordinator;
 * where the loop has no priorities they are all alike. */
enum { HTTP_STRANGER_PRIORITY = 2 };

/* Which share of the connections one counts against. */
typedef enum HttpShare {
    HTTP_COMMANDING, /* coordinator, operator, admin: what makes a replica resume */
    HTTP_HEALTHY,    /* strangers that asked for their health: load balancers, Prometheus */
    HTTP_OTHERS,     /* viewers, peers, and whoever has not shown yet who it is */
    HTTP_SHARES
} HttpShare;

typedef struct HttpListener {
    HttpServer *server;
    struct event *event;
    bool is_unix, is_tls, is_local;
    char *path; /* unix */
    int port, fd;
} HttpListener;

typedef TAILQ_HEAD(HttpRequests, HttpRequest) HttpRequests;
typedef TAILQ_HEAD(HttpConns, HttpConn) HttpConns;

struct HttpServer {
    struct event_base *base;
    HttpService service; /* routes, roles, context, audit */
    RoleMap *nobody;
    struct ssl_ctx_st *tls;
    HttpListener *listeners;
    size_t n;
    HttpRequests requests;
    HttpConns conns[HTTP_SHARES]; /* each the oldest first */
    size_t count[HTTP_SHARES], most[HTTP_SHARES];
    uint16_t from[HTTP_SHARES][HTTP_PLACES];
    size_t body_bytes[HTTP_SHARES]; /* promised by heads, of bodies that are being read */
    struct event *again;            /* accepting is put off until then */
    int64_t refused, refused_ms;    /* by role, since that was told last */
};

typedef enum HttpPhase {
    HTTP_IDLE, /* between two requests, or before the first byte */
    HTTP_HANDSHAKE,
    HTTP_HEAD,
    HTTP_BODY,
    HTTP_ANSWERING, /* a handler has it */
    HTTP_WRITING,
    HTTP_LINGERING, /* the answer is out, what the client still sends is thrown away */
} HttpPhase;

typedef struct HttpConn {
    TAILQ_ENTRY(HttpConn) next;
    HttpServer *server;
    HttpListener *listener;
    HttpShare share;
    uint16_t place; /* where it comes from: the same for those of one address */
    HttpPhase phase;
    struct bufferevent *bev;
    struct event *deadline;
    RoleCaller caller; /* what the connection itself shows */
    char certificate[ROLE_NAME_BYTES];
    RoleSet roles;         /* of the connection; a request may show a token besides */
    RoleSet last;          /* of its last request */
    HttpRequest *req;      /* being read or answered */
    size_t promised_bytes; /* of its body, counted in the server's of the share */
    HttpShare promised_to;
    bool closes; /* after the present answer */
    bool unread; /* the client may still be sending what nobody reads */
} HttpConn;

struct HttpRequest {
    TAILQ_ENTRY(HttpRequest) next;
    HttpServer *server; /* NULL: freed */
    HttpConn *conn;     /* NULL: the client is gone */
    HttpHead head;
    const char *names[HTTP_MAX_PARAMS];
    size_t name_lengths[HTTP_MAX_PARAMS];
    char *values[HTTP_MAX_PARAMS];
    size_t params;
    struct evkeyvalq query, out;
    char *text; /* body as it came */
    size_t text_bytes;
    json_t *body;
    const HttpRoute *route; /* NULL: none found */
    const char *door;
    char who[ROLE_NAME_BYTES];
    RoleSet roles;
    int64_t about;
    char *why; /* the text of an error answer */
    bool audited;
    void (*closed)(HttpRequest *req, void *arg);
    void *closed_arg;
    bool dying; /* its closed callback runs */
    int fd;     /* of a file being served, -1: none */
    void (*more)(HttpRequest *req, void *arg, int64_t at, int64_t left); /* of a stream; NULL: none */
    void *more_arg;
    bool is_asked; /* for more, which has not come yet */
    int64_t body_left, body_at;
};

/* http_listen.c */
MUST_CHECK bool http_listen(HttpListener *l, const char *listen, const Tls *tls, Err *err);
bool http_host_is_loopback(const char *host);

/* http_gate.c */
void http_gate_open(HttpServer *s);
void http_gate_listen(HttpListener *l);
void http_gate_close(HttpServer *s);
MUST_CHECK bool http_gate_admit(HttpConn *c); /* false: there is no room */
void http_gate_leave(HttpConn *c);
/* The share that fits the roles and the route; false: it is full of others who go on. */
MUST_CHECK bool http_gate_move(HttpConn *c, RoleSet roles, bool asks_health);
bool http_gate_takes_body(HttpConn *c, size_t bytes); /* until http_gate_forget_body */
void http_gate_forget_body(HttpConn *c);

/* http_conn.c */
void http_conn_new(HttpListener *l, int fd); /* takes fd */
void http_conn_free(HttpConn *c);            /* its request is told */
void http_conn_pace(HttpConn *c, size_t n);  /* n bytes have to leave within a while; 0: nothing has to */

/* The answer is in the output buffer. */
static inline void http_conn_answered(HttpConn *c)
{
    c->phase = HTTP_WRITING;
    event_del(c->deadline);
}

/* http_route.c: finds the route and asks whether the caller may; false: answered. */
bool http_route(HttpRequest *req);
void http_reply_status_error(HttpRequest *req, int status, const Err *err);

/* http_audit.c: once for each request that leaves a trail. */
void http_audit(HttpRequest *req, int status);

/* http_file.c */
/* A file, or a stream: is it under way? */
static inline bool http_is_sent_by_blocks(const HttpRequest *req)
{
    return req && (req->fd >= 0 || req->more);
}
/* What was written has left. False: the file is shorter than was promised, the connection is to be freed. */
MUST_CHECK bool http_file_more(HttpRequest *req);

/* http.c */
HttpRequest *http_request_new(HttpConn *c);
void http_request_gone(HttpRequest *req); /* its connection is freed */
/* Writes the answer's head, of `bytes` that follow. */
void http_send_head(HttpRequest *req, int status, int64_t bytes);
/* Answers; `body` may be NULL. The request is gone afterwards. */
void http_send(HttpRequest *req, int status, const char *body, size_t n);
void http_request_free(HttpRequest *req);
