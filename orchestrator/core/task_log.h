/* SPDX-License-Identifier: Apache-2.0
 * A task's log over its runs, from the pieces that agents keep of it: in the order of its runs, each behind a
 * line that names it. Of what is too long the oldest is left out. Pure.
 */
#pragma once

#include "common/wire/wire.h"

/* A log as it was read: its end, or why it could not be. */
typedef struct LogText {
    Str text;
    bool cut; /* something may stand before it */
    Err err;  /* ERR_NONE: it was read */
} LogText;

typedef struct TaskLogPiece {
    char *run, *node; /* its key */
    int64_t no, at;
    char *text;
    bool whole; /* nothing of it has been rotated away */
} TaskLogPiece;

/* Takes what an agent has answered: [{run, at, text, whole}]. What is older than the task is another's, of a
 * queue that was there before. */
void task_log_add(WireList *pieces, const char *node, const json_t *answer, int64_t submitted_at);
/* A single piece stands there as it is. `most`: bytes; 0: any. */
void task_log_write(WireList *pieces, size_t most, Str *out);
void task_log_done(WireList *pieces);
