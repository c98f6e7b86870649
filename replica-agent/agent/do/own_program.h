/* SPDX-License-Identifier: Apache-2.0
 * A program of our own, started as something that outlives this one: a session of its own, no descriptors but
 * the log, which is standard output and error.
 */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "common/base/err.h"

/* `how`: O_APPEND or O_TRUNC; `blocked`: signals that it begins with blocked. The caller reaps it. `what` is
 * for the error: "start WHAT". */
MUST_CHECK bool own_program_start(const char *program, char *const argv[], const char *log, int how,
                                  const sigset_t *blocked, const char *what, pid_t *ret, Err *err);
