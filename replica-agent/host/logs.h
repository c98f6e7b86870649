/* SPDX-License-Identifier: Apache-2.0
 * Logs of runs whose journal is forgotten: state_dir/logs/ID/{log,err} with what rotation left. People ask
 * for them long after the end, so they stay for LOGS_KEEP_DAYS; of a task that runs again and again the
 * newest, that together have no more than so many bytes.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"

enum { LOGS_KEEP_DAYS = 30 };

/* Moves the logs of a program's folder into the keeping of run `id` and removes what is too old, or too much
 * of its task. The run itself stays, however much it has said. */
MUST_CHECK bool logs_keep(const char *state_dir, const char *id, const char *program_dir, int64_t task_bytes,
                          Err *err);
/* The folder of a forgotten run's logs; NULL: none. Owned. */
char *logs_find(const char *state_dir, const char *id);
/* The keys of a task's runs whose logs are kept, the oldest first. */
void logs_of_task(const char *state_dir, int64_t task, StrList *ret);

/* A stream ("log", "err") of a folder from an offset on, at most so many bytes. Offsets count from the
 * program's first byte; what has been rotated away twice is skipped, so that the next piece does not begin at
 * the offset and what was read: ret_next is where. The size of all it has written. `out` is empty before. */
int64_t logs_read(const char *dir, const char *stream, int64_t offset, size_t most, Str *out,
                  int64_t *ret_next);
/* The last bytes of it. False: something stands before them, or did. */
bool logs_read_end(const char *dir, const char *stream, size_t most, Str *out);
