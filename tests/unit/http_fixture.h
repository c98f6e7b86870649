/* SPDX-License-Identifier: Apache-2.0
 * An HTTP server with a few handlers, over real sockets, and a client that speaks bytes to it.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/net/http.h"
#include "loop.h"

typedef struct Fixture {
    struct event_base *base;
    HttpServer *server;
    char dir[40], socket[80], file[80];
    int port;
    HttpRequest *kept;
    bool is_kept, is_closed, late;
    RoleMap *roles;
    Str audited;
    _Atomic int64_t given; /* of a stream; a slow client's thread reads it */
} Fixture;
extern Fixture f;
extern const HttpRoute routes[];

/* Byte n of a stream is n % 251. One that breaks ends at half of it. */
enum { STREAM_BYTES = 3000000, LONG_BYTES = 64 << 20, STREAM_PART = 100000 };

typedef struct Ask {
    bool over_unix, then_leave;
    int rcvbuf;
    Str request, answer;
} Ask;

int dial(const Ask *a);    /* -1: nobody takes it */
void ask_aside(void *arg); /* an Ask: what with_loop() runs; the answer is left in it */
char *ask_bytes(Ask *a);   /* owned */
/* A request by loopback TCP: its answer begins so, and holds this. */
void expect(const char *line, const char *headers, const char *body, const char *start, const char *holds);

int set_up(void **state);
int tear_down(void **state);
