/* SPDX-License-Identifier: Apache-2.0
 * A hook: a program of agent.conf that is told of something, run without a shell, with a deadline, as the
 * agent's user, with a log of its own name. What all have in common; who calls it holds it within his own
 * struct.
 */
#pragma once

#include <stdatomic.h>

#include "common/base/err.h"
#include "common/base/str.h"

struct Agent;

typedef struct HookProgram {
    char *program, *log;
    StrList env;
    int64_t timeout_ms, took_ms;
    atomic_bool cancel;
    bool ok;
    Err err; /* unless ok */
} HookProgram;

/* `name` is "before_pause", … : SIDING_HOOK and the log's. More variables are added to env. */
void hook_program_init(HookProgram *h, const struct Agent *a, const char *name, const char *program);
void hook_program_run(HookProgram *h); /* in a worker */
void hook_program_done(HookProgram *h);
