/* SPDX-License-Identifier: Apache-2.0
 * A dump of BibSched's table schTASK (mysqldump), row by row, and the task that a row stands for. Pure, but
 * for the time zone of this host, in which the dump's times are read.
 */
#pragma once

#include "common/base/str.h"
#include "common/file/json.h"

typedef struct BibschedRow {
    int64_t id, priority, sequence_id;
    char *proc, *host, *user, *runtime, *sleeptime, *status; /* NULL: the dump has no such column */
    Str arguments;                                           /* as BibSched's Python wrote them (marshal) */
} BibschedRow;

typedef bool (*BibschedTake)(void *arg, const BibschedRow *row, Err *err);

/* Calls `take` with each row of INSERT INTO schTASK. ERR_CORRUPT names the place of what cannot be read. */
MUST_CHECK bool bibsched_read(const char *text, size_t n, BibschedTake take, void *arg, Err *err);
/* The words of `arguments`: a list of texts. False: it is something else. */
bool bibsched_words(const Str *arguments, StrList *ret);
/* A body for POST /v1/tasks; NULL: the row is not taken. What could not be taken over is added to `ret_lost`,
 * a sentence each. */
json_t *bibsched_task(const BibschedRow *row, int64_t now_ms, StrList *ret_lost);
