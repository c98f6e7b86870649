/* SPDX-License-Identifier: Apache-2.0
 * Waiting for a task's end before a terminal (a bar on stderr) or in a script (a line a change). A
 * coordinator that restarts meanwhile is waited for.
 */
#pragma once

#include "client.h"

/* `timeout_ms` 0: none. True once the task has ended, however; *ret_json is the task as sidingd gave it. */
MUST_CHECK bool wait_for_task(const Cli *cli, int64_t id, int64_t timeout_ms, Task *ret, json_t **ret_json,
                              Err *err);
/* The failure of an ended task as an error; true for one that is done. */
MUST_CHECK bool wait_outcome(const Task *t, Err *err);
/* Until each task has done what it was asked for: is asleep, runs again, has ended. ERR_TIMEOUT names the
 * first that has not, and what it is. */
MUST_CHECK bool wait_acknowledged(const Cli *cli, const StrList *ids, const char *action, int64_t within_ms,
                                  Err *err);
