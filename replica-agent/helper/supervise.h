/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent supervise DIR`: one program run under a process that outlives the agent. DIR/spec.json says
 * what to run; supervisor.json, progress.json, log, err and exit.json are written there. The supervisor
 * takes SIGTERM (end it: SIGTERM, then SIGKILL), SIGUSR1 (SIGKILL now), SIGTSTP (sleep) and SIGCONT (wake)
 * for the program's whole group.
 */
#pragma once

#include "common/wire/wire.h"

typedef struct ProgramSpec {
    char *program;
    StrList args;
    StrList env; /* "NAME=value", all there is */
    char *cwd, *user;
    StrList split; /* arguments of the siding-agent at the other end of SUPERVISE_SPLIT_FD; empty: none */
    char *capture; /* file that its standard output goes to, compressed; NULL: the log */
    int64_t nice, memory_limit_bytes, time_limit_ms, stop_grace_ms, sleep_grace_ms;
} ProgramSpec;
extern const WireField program_spec_fields[];

typedef struct ProgramSupervisor {
    int64_t pid, pid_start, job_pid, job_start;
} ProgramSupervisor;
extern const WireField program_supervisor_fields[];

typedef struct ProgramProgress {
    int64_t done, total;
    char *unit, *note;
    bool asleep;
} ProgramProgress;
extern const WireField program_progress_fields[];

typedef struct ProgramExit {
    bool started; /* false: `error` says why it could not be started */
    int64_t exit_code, signal;
    char *ended_by; /* NULL: by itself; "stop", "kill", "time limit" */
    char *error;
    int64_t started_at, ended_at; /* times */
    int64_t max_rss_bytes, cpu_ms;
} ProgramExit;
extern const WireField program_exit_fields[];

enum {
    SUPERVISE_LOG_BYTES = 1 << 20
}; /* log becomes log.1 at this size; log.start is its first byte's offset */

enum { SUPERVISE_PROGRESS_FD = 3, SUPERVISE_SPLIT_FD = 4 };

int supervise_main(const char *dir);
