/* SPDX-License-Identifier: Apache-2.0
 * HTTP client on libcurl. URLs: "http://host:port", "https://…" (client certificate from Tls),
 * "unix:/path/to.sock". httpc_call blocks (programs, worker threads); an HttpClient runs any number of calls
 * on a libevent loop. A non-2xx answer with our error body becomes that Err (kind, text); otherwise
 * ERR_PROTOCOL. Other errors: ERR_UNREACHABLE (nothing was sent), ERR_TIMEOUT, ERR_LOST (outcome unknown),
 * ERR_AUTH (certificates), each naming the URL. Proxies of the environment are not used, redirects not
 * followed. Ignores SIGPIPE in the whole process.
 */
#pragma once

#include <event2/event.h>
#include <jansson.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "tls.h"

enum { HTTPC_DEFAULT_TIMEOUT_MS = 30000, HTTPC_CONNECT_TIMEOUT_MS = 5000, HTTPC_MAX_BODY_BYTES = 64 << 20 };

/* The code of an ERR_AUTH. */
typedef enum HttpcRefusal { HTTPC_NO_REFUSAL, HTTPC_THEIR_CERTIFICATE, HTTPC_OUR_CERTIFICATE } HttpcRefusal;

typedef struct HttpCall {
    const char *base_url;      /* as above */
    const char *method, *path; /* "GET", "/v1/state?after=3" */
    const json_t *body;        /* NULL: none; borrowed for the duration of the starting call only */
    int64_t timeout_ms;        /* whole call; 0: the default, for a download: none but HTTPC_STALL_S */
    const Tls *tls;            /* NULL: plain or system defaults; borrowed like body */
    /* "sha256//…" of the key that the other end must prove itself with, whatever its certificate says; NULL:
     * by the CA of tls. */
    const char *pin;
    const char *owner; /* of the term that it is made in: header X-Siding-Owner; NULL: none */
    /* The answer is no JSON: given is {"text", "bytes", "next"}, made fit for a terminal; next: as below, or
     * null. */
    bool as_text;
    int64_t *next; /* of a download: where a log goes on (header X-Siding-Next), left alone where that is not
                      said */
} HttpCall;

/* *ret is the parsed body (an object or array; an empty body gives json null), owned by the caller. */
MUST_CHECK bool httpc_call(const HttpCall *call, json_t **ret, Err *err);

/* From here on blocking calls and downloads of this thread use a connection again where there is one: for
 * programs that fetch many files. */
void httpc_keep_connections(void);

typedef struct HttpClient HttpClient;
HttpClient *httpc_new(struct event_base *base);
void httpc_free(HttpClient *c); /* cancels all: their callbacks get ERR_CANCELLED. Not from a callback */
/* `done` runs in the loop exactly once: ok with the body (borrowed), or not with err. Returns an id for
 * httpc_cancel. Never calls back before it returns. */
typedef void (*HttpDone)(void *arg, bool ok, json_t *body, const Err *err);
uint64_t httpc_start(HttpClient *c, const HttpCall *call, HttpDone done, void *arg);
void httpc_cancel(HttpClient *c, uint64_t id); /* `done` gets ERR_CANCELLED before this returns */

/* A part of a file, at most `most` bytes from `from` on: fewer only at its end. `etag` may be NULL. */
typedef struct HttpPart {
    int64_t size; /* of the whole file */
    const char *etag, *bytes;
    size_t n;
} HttpPart;
typedef void (*HttpPartDone)(void *arg, const HttpPart *part, const Err *err); /* part NULL: err says why */
/* As httpc_start. */
uint64_t httpc_start_part(HttpClient *c, const HttpCall *call, int64_t from, size_t most, HttpPartDone done,
                          void *arg);

/* Downloads to `path` from its present size on (resumable); `etag` guards against another version (may be
 * NULL): a present part of another version is fetched anew, an answer of another version is ERR_CORRUPT.
 * `on_bytes` may be NULL; returning false cancels. Text streams for logs use it with path NULL. The file is
 * synced at the end. A stall of HTTPC_STALL_S is ERR_TIMEOUT. */
enum { HTTPC_STALL_S = 30 };
typedef bool (*HttpBytes)(void *arg, const char *bytes, size_t n);
MUST_CHECK bool httpc_download(const HttpCall *call, const char *path, const char *etag, HttpBytes on_bytes,
                               void *arg, Err *err);

/* Appends `value` percent-encoded as one path segment or query value. */
void httpc_encode(Str *out, const char *value);
