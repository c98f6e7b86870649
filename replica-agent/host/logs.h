/* SPDX-License-Identifier: Apache-2.0
 * Logs of runs whose journal is forgotten: state_dir/logs/ID/{log,err} with what rotation left. People ask
 * for them long after the end, so they stay for LOGS_KEEP_DAYS.
 */
#pragma once

#include "common/base/str.h"

enum { LOGS_KEEP_DAYS = 30 };

/* Moves the logs of a program's folder into the keeping of run `id` and removes what is too old. */
MUST_CHECK bool logs_keep(const char *state_dir, const char *id, const char *program_dir, Err *err);
/* The folder of a forgotten run's logs; NULL: none. Owned. */
char *logs_find(const char *state_dir, const char *id);
