/* SPDX-License-Identifier: Apache-2.0
 * The child's side of a supervised program: its own session, user, limits and nothing inherited but
 * /dev/null, two pipes for its output, file descriptor 3 for its progress and, in a run that is split, 4 for
 * its requests, which a helper passes on. The child waits until it is released.
 */
#pragma once

#include <sys/types.h>

#include "supervise.h"

typedef struct ChildPipes {
    int out, err, progress; /* read ends, non-blocking */
    int gate;               /* write end: the child goes on once it is closed after a byte */
    int trouble;            /* read end: why exec failed */
    pid_t helper;           /* of split requests; ends with the program; 0: none */
} ChildPipes;

/* Its start_by has passed. */
bool child_is_late(const ProgramSpec *p);

/* The other ends. */
typedef struct ChildEnds {
    int out, err, progress, gate, trouble;
    int split; /* -1: none */
} ChildEnds;

/* A supervisor holds one program and exits on failure: the pipes go with it. */
MUST_CHECK bool child_pipes(const ProgramSpec *spec, ChildPipes *ret, ChildEnds *ret_ends, Err *err);
/* Once they are the child's. */
void child_pipes_given(const ChildPipes *pipes, const ChildEnds *ends);

MUST_CHECK bool child_fork(const ProgramSpec *spec, ChildPipes *ret, pid_t *ret_pid, Err *err);
/* Lets the child exec; an exec that fails is the error. Closes gate and trouble. */
MUST_CHECK bool child_release(ChildPipes *pipes, const char *program, Err *err);
