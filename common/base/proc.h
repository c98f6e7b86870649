/* SPDX-License-Identifier: Apache-2.0
 * Processes as /proc shows them. A pid alone may be another process by now: it is always named together
 * with its start time. A zombie does not count as alive, unless threads of it are left: killed on a disk that
 * hangs, those end only with that, and hold its port and files as long.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/err.h"

int64_t proc_start_time(pid_t pid); /* clock ticks since boot; 0: no such process, or a zombie */
bool proc_is(pid_t pid, int64_t start_time);
/* SIGKILL to every process of session `sid` and to descendants of `root` (0: none); how many there were. */
int proc_kill_session(pid_t sid, pid_t root);
/* Direct children of this process that are no zombies and not in `except`. Signals each; how many. */
int proc_signal_children(pid_t except, int signo);
/* Before a program is run: every signal does what it does by default, and none is blocked. */
void proc_reset_signals(void);
/* Where memory runs out, this process and what it starts are ended before servers and daemons are. */
void proc_goes_first(void);
/* First thing in a program that holds passwords: no core dump of it or of what it starts. */
void proc_no_core(void);
int proc_open(pid_t pid); /* pidfd, -1 on failure */
