/* SPDX-License-Identifier: Apache-2.0
 * The agent's hold on a supervised program: started, or found again after a restart of the agent, watched
 * through the supervisor's pidfd. The folder is the truth, this struct only watches it. Loop thread only.
 */
#pragma once

#include <event2/event.h>

#include "replica-agent/helper/supervise.h"

typedef struct Program Program;

/* Called once, from the loop, after which the program may be freed. `exit` NULL: the supervisor died without
 * telling; whatever it ran has been killed. */
typedef void (*ProgramEnded)(void *arg, const ProgramExit *exit);

/* Writes the folder and starts the supervisor. A folder with a program that runs or has run is taken as it
 * is: starting twice is harmless. */
MUST_CHECK bool program_start(struct event_base *base, const char *dir, const ProgramSpec *spec,
                              ProgramEnded ended, void *arg, Program **ret, Err *err);
/* Forgets that the folder's program has run, so that it can be started again; its other files stay. The
 * old one must be gone: ERR_CONFLICT otherwise. */
MUST_CHECK bool program_reset(const char *dir, Err *err);
bool program_has_run(const char *dir); /* exit.json is there, or its supervisor died */

void program_free(Program *p);              /* stops watching; the program goes on */
void program_signal(Program *p, int signo); /* to the supervisor: SIGTERM, SIGUSR1 (kill), SIGTSTP, SIGCONT */
/* True if progress.json has changed since the last call. */
bool program_read_progress(Program *p, ProgramProgress *ret);
const char *program_dir(const Program *p);

/* The last lines of a log, at most `max` bytes, on one line; owned, "" if there are none. */
char *program_log_tail(const char *dir, const char *name, size_t max);
