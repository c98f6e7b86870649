/* SPDX-License-Identifier: Apache-2.0
 * Inside of the HTTP server: http.c (requests, routes, answers), http_listen.c (sockets), http_file.c
 * (files). Nobody else includes this.
 */
#pragma once

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

#include "http.h"

enum { HTTP_IDLE_S = 60, HTTP_MAX_HEADER_BYTES = 32 << 10, HTTP_MAX_PARAMS = 4 };

typedef struct HttpListener {
    HttpServer *server;
    struct evhttp *http;
    bool is_unix, is_tls, is_local;
    char *path; /* unix */
    int port;
} HttpListener;

typedef TAILQ_HEAD(HttpRequests, HttpRequest) HttpRequests;

struct HttpServer {
    struct event_base *base;
    const HttpRoute *routes;
    void *context;
    struct ssl_ctx_st *tls;
    HttpListener *listeners;
    size_t n;
    HttpRequests requests;
    HttpRequest *current; /* being handled now; NULL once answered */
};

struct HttpRequest {
    TAILQ_ENTRY(HttpRequest) next;
    HttpServer *server; /* NULL: freed */
    HttpListener *listener;
    struct evhttp_request *ev; /* NULL: the client is gone */
    const char *names[HTTP_MAX_PARAMS];
    size_t name_lengths[HTTP_MAX_PARAMS];
    char *values[HTTP_MAX_PARAMS];
    size_t params;
    struct evkeyvalq query;
    json_t *body;
    char *peer;
    void (*closed)(HttpRequest *req, void *arg);
    void *closed_arg;
    bool dying; /* its closed callback runs */
    int fd;     /* of a file being served, -1: none */
    int64_t file_left, file_at;
};

/* http_listen.c */
MUST_CHECK bool http_listen(HttpServer *s, HttpListener *l, const char *listen, const Tls *tls, Err *err);
void http_unlisten(HttpListener *l);
bool http_host_is_loopback(const char *host);

/* http.c */
void http_dispatch(struct evhttp_request *ev, void *listener);
/* Answers; `body` may be NULL and is drained. The request is gone afterwards. */
void http_send(HttpRequest *req, int status, struct evbuffer *body);
void http_request_free(HttpRequest *req);
void http_set_timeouts(HttpRequest *req, int read_s, int write_s); /* 0: none */
