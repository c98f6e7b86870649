/* SPDX-License-Identifier: Apache-2.0
 * What a supervisor and the keeper of a job say to each other: a closed list of messages on a socket that
 * keeps their borders, each checked by its size and its strings before anything is done with it. A keeper may
 * be root where its supervisor is not.
 */
#pragma once

#include <sys/types.h>

#include "common/base/err.h"
#include "common/base/str.h"

#define JAIL_TYPES(X)                                                                                        \
    X(JAIL_PROBE)     /* → which level is there */                                                         \
    X(JAIL_LEVEL)     /* ← its name */                                                                     \
    X(JAIL_SPAWN)     /* → JailOrder, with JAIL_FDS descriptors */                                         \
    X(JAIL_READY)     /* ← pid: it stands, kept apart, and waits */                                        \
    X(JAIL_GO)        /* → exec it */                                                                      \
    X(JAIL_STARTED)   /* ← it has been executed */                                                         \
    X(JAIL_FAILED)    /* ← text: why it could not be started; nothing runs */                              \
    X(JAIL_SIGNAL)    /* → number: TERM, TSTP, STOP, CONT to the program, KILL to all that is there */     \
    X(JAIL_STOPPED)   /* ← */                                                                              \
    X(JAIL_CONTINUED) /* ← */                                                                              \
    X(JAIL_ENDED)     /* ← JailEnd: nothing of it is left, its folder belongs to who asked */

typedef enum JailType {
#define X(name) name,
    JAIL_TYPES(X)
#undef X
        JAIL_TYPES_N
} JailType;

enum { JAIL_BYTES = 128 * 1024, JAIL_TEXT = 400, JAIL_LIST = 4096 };

/* Descriptors that come with JAIL_SPAWN: of the program, and its option file. The last is optional. */
enum { JAIL_FD_OUT, JAIL_FD_ERR, JAIL_FD_PROGRESS, JAIL_FD_CNF, JAIL_FD_SPLIT, JAIL_FDS };

typedef struct JailOrder {
    char *run, *user; /* user "": the keeper's choice */
    char *program, *result, *cnf;
    StrList args, env;
    StrList hide;                      /* folders and files it does not see */
    StrList show;                      /* what it sees of them all the same */
    int64_t nice, memory_bytes, tasks; /* limits: 0 none */
} JailOrder;

typedef struct JailEnd {
    int32_t status; /* of wait(2) */
    int64_t max_rss_bytes, cpu_ms;
} JailEnd;

typedef struct JailMessage {
    JailType type;
    int64_t number; /* pid, signal */
    JailEnd end;
    char text[JAIL_TEXT];
    JailOrder order;
    int fds[JAIL_FDS]; /* -1: none */
    pid_t sender;      /* where the socket passes credentials, in our numbers; else 0 */
} JailMessage;

void jail_order_done(JailOrder *o);
/* Frees, and closes descriptors that nobody has taken. */
void jail_message_done(JailMessage *m);

MUST_CHECK bool jail_send(int socket, const JailMessage *m, Err *err);
MUST_CHECK bool jail_send_plain(int socket, JailType type, int64_t number, const char *text, Err *err);
/* One message; waits at most `timeout_ms` (-1: for ever). ERR_TIMEOUT; ERR_LOST where the other side is gone;
 * ERR_PROTOCOL for what is none of the list. */
MUST_CHECK bool jail_receive(int socket, int timeout_ms, JailMessage *ret, Err *err);
/* Of a message's bytes alone, without descriptors. */
MUST_CHECK bool jail_parse(const void *bytes, size_t n, JailMessage *ret, Err *err);
