/* SPDX-License-Identifier: Apache-2.0
 * One program run to its end, without a shell: the only place that starts what an administrator names. It
 * blocks; a daemon runs it in a worker.
 */
#pragma once

#include <stdatomic.h>

#include "str.h"

enum { SUBPROCESS_LOG_MAX = 1 << 20, SUBPROCESS_WORDS = 400 };

typedef struct Subprocess {
    const char *program;       /* absolute */
    const StrList *args;       /* without the program; NULL: none */
    const char *const *env;    /* NULL: ours */
    int64_t timeout_ms;        /* 0: none */
    const atomic_bool *cancel; /* NULL: none; looked at ten times a second */
    /* Kept: a part of our own work, in our session, which whoever stops us stops too; `in` and `out` are its
     * standard input and output, 0: ours; `progress`: it tells in our place how far it is, on descriptor 3,
     * which is open. Else it gets a session of its own, which is killed with all that is
     * left in it when the program has ended or its time is over. */
    bool kept;
    int in, out;
    bool progress;
    /* For one that is not kept. */
    const char *input; /* file that it reads; NULL: /dev/null */
    const char *log;   /* file that gets the first SUBPROCESS_LOG_MAX bytes of what it writes; NULL: none */
} Subprocess;

typedef enum SubprocessHow {
    SUBPROCESS_EXITED,
    SUBPROCESS_SIGNALLED,
    SUBPROCESS_TIMED_OUT,
    SUBPROCESS_CANCELLED
} SubprocessHow;

typedef struct SubprocessEnd {
    SubprocessHow how;
    int status;                       /* of exit, or the signal */
    char words[SUBPROCESS_WORDS + 1]; /* the last of what it wrote, in one line; "" if kept */
} SubprocessEnd;

/* False only if it could not be started. */
MUST_CHECK bool subprocess_run(const Subprocess *p, SubprocessEnd *ret, Err *err);
/* True for exit status 0; else says what happened: ERR_TIMEOUT, ERR_CANCELLED or ERR_REFUSED. */
MUST_CHECK bool subprocess_succeeded(const Subprocess *p, const SubprocessEnd *end, Err *err);
/* Both. */
MUST_CHECK bool subprocess_do(const Subprocess *p, Err *err);
