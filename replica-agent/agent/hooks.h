/* SPDX-License-Identifier: Apache-2.0
 * Programs of agent.conf that are told before a replica leaves the readers and after it is back:
 * before_pause, after_caught_up. Run without a shell, with a deadline, as the agent's user. That before_pause
 * was called stands in hook.json first, so that after_caught_up follows whatever happens in between.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct Agent;

typedef struct HookJournal {
    char *owner, *reason, *gtid;
    bool over; /* after_caught_up is due */
    int64_t tries;
} HookJournal;

typedef struct Hooks {
    HookJournal j; /* owner NULL: nothing is open */
    bool in_flight;
    int64_t retry_ms;
    int64_t failed; /* counter since the start */
} Hooks;

void hooks_load(struct Agent *a);
void hooks_tick(struct Agent *a);
void hooks_close(struct Agent *a);
/* Calls before_pause and then `done` with ok, or with why the pause is refused. At once where there is no
 * hook. */
void hooks_before_pause(struct Agent *a, const char *owner, const char *reason,
                        void (*done)(struct Agent *a, bool ok, const Err *err));
/* The replica serves again, or was not paused after all. */
void hooks_after(struct Agent *a, const char *gtid);
