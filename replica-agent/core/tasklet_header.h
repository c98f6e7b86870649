/* SPDX-License-Identifier: Apache-2.0
 * The header of a tasklet: comment lines near the top of a program, each "KEY: value" behind "#", "//" or
 * "--". It begins with the name and ends with the first line that is no comment, or an empty one.
 *
 *     #!/usr/bin/env python3
 *     # tasklet: fibonacci
 *     # text: Prints the Fibonacci sequence.
 *     # on: primary
 *     # time-limit: 10m
 *     # param: n int = 30 -- How many numbers.
 *     # param: to text -- Without a default it must be given.
 *
 * Errors are ERR_CONFIG and begin with the line's number. Pure.
 */
#pragma once

#include "common/wire/tasklet.h"

enum { TASKLET_HEADER_BYTES = 16384, TASKLET_HEADER_WITHIN = 50 /* lines */ };

typedef struct TaskletHeader {
    char *name;
    NodeRole on; /* the primary, unless it says */
    int64_t time_limit_ms;
    Tasklet t;
} TaskletHeader;

/* `text` is the beginning of the program. ERR_NOT_FOUND: it has no header. `ret` is zeroed. */
MUST_CHECK bool tasklet_header_read(const char *text, TaskletHeader *ret, Err *err);
void tasklet_header_done(TaskletHeader *h);
