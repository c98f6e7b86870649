/* SPDX-License-Identifier: Apache-2.0
 * What the head of a request says: HTTP/1.1 as in RFC 9112, and nothing lenient, since two readers that
 * disagree about where a request ends are a hole. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum { HTTP_MAX_HEAD_BYTES = 32 << 10, HTTP_MAX_HEADERS = 100 };

typedef struct HttpHead {
    char *text;                        /* all of it, cut into the strings below */
    const char *method, *path, *query; /* "GET"; still encoded; query NULL: none */
    char *host;                        /* without port; "" where none is named. Owned */
    struct {
        const char *name, *value;
    } headers[HTTP_MAX_HEADERS];
    size_t n;
    int64_t body_bytes;
    bool keeps_alive, expects_continue, is_head;
} HttpHead;

/* `text` of n bytes ends with the empty line. On failure *ret_status is the answer's, and the connection is
 * to be closed: nobody knows where the next request begins. */
MUST_CHECK bool http_head_read(const char *text, size_t n, HttpHead *ret, int *ret_status, Err *err);
void http_head_done(HttpHead *h);
const char *http_head_find(const HttpHead *h, const char *name);
