/* SPDX-License-Identifier: Apache-2.0
 * HTTP client on libcurl. URLs: "http://host:port", "https://…" (client certificate from Tls),
 * "unix:/path/to.sock". httpc_call blocks (programs, worker threads); an HttpClient runs any number of calls
 * on a libevent loop. A non-2xx answer with our error body becomes that Err (kind, text); otherwise
 * ERR_PROTOCOL.
 */
#pragma once

#include <event2/event.h>
#include <jansson.h>

#include "err.h"
#include "str.h"
#include "tls.h"

typedef struct HttpCall {
    const char *base_url;      /* as above */
    const char *method, *path; /* "GET", "/v1/state?after=3" */
    const json_t *body;        /* NULL: none; borrowed for the duration of the starting call only */
    int64_t timeout_ms;        /* whole call */
    const Tls *tls;            /* NULL: plain or system defaults */
} HttpCall;

/* *ret is the parsed body (an object or array; null body gives json null), owned by the caller. */
MUST_CHECK bool httpc_call(const HttpCall *call, json_t **ret, Err *err);

typedef struct HttpClient HttpClient;
HttpClient *httpc_new(struct event_base *base);
void httpc_free(HttpClient *c); /* cancels all: their callbacks get ERR_CANCELLED */
/* `done` runs in the loop exactly once: ok with the body (borrowed), or not with err. Returns an id for
 * httpc_cancel. */
typedef void (*HttpDone)(void *arg, bool ok, json_t *body, const Err *err);
uint64_t httpc_start(HttpClient *c, const HttpCall *call, HttpDone done, void *arg);
void httpc_cancel(HttpClient *c, uint64_t id); /* `done` gets ERR_CANCELLED before this returns */

/* Downloads to `path` from its present size on (resumable); `etag` guards against another version (may be
 * NULL). `on_bytes` may be NULL; returning false cancels. Text streams for logs use it with path NULL. */
typedef bool (*HttpBytes)(void *arg, const char *bytes, size_t n);
MUST_CHECK bool httpc_download(const HttpCall *call, const char *path, const char *etag, HttpBytes on_bytes,
                               void *arg, Err *err);
