/* SPDX-License-Identifier: Apache-2.0
 * Bytes to an HTTP server of this process.
 */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "fuzz.h"

typedef struct FuzzAsk {
    const char *path; /* of its socket */
    const char *bytes;
    size_t n;
    int64_t patience_ms;
    char least;    /* the first digit of a status is no less, and no more than 5; 500 is of kind io */
    bool says_all; /* nothing comes behind the bytes, and the server is told so */
    /* Whether the server keeps the request for an answer that may take long: then the client leaves without
     * it. NULL: it never does. */
    bool (*is_kept)(void *arg);
    void *arg;
    const char *secret; /* is in no answer; NULL: nothing */
} FuzzAsk;

/* Runs the loop until the connection has ended; aborts where that does not come in time, or what comes is no
 * HTTP or is secret. */
void fuzz_ask(struct event_base *base, const FuzzAsk *a);
