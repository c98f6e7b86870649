/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent supervise DIR`: one program run under a process that outlives the agent. DIR/spec.json says
 * what to run; supervisor.json, progress.json, log, err and exit.json are written there. The supervisor
 * takes SIGTERM (end it: SIGTERM, then SIGKILL), SIGUSR1 (SIGKILL now), SIGTSTP (sleep) and SIGCONT (wake)
 * for the program's whole group.
 */
#pragma once

#include "common/wire/wire_run.h"

/* clang-format off */
#define PROGRAM_SPEC_LIST(F, T)                                                               \
    F(T, STR, program)                                                                        \
    F(T, STRS, args)                                                                          \
    F(T, STRS, env) /* "NAME=value", all there is */                                          \
    F(T, STR, cwd)                                                                            \
    F(T, STR, user) /* of one that is kept apart */                                                                          \
    /* arguments of the siding-agent at the other end of SUPERVISE_SPLIT_FD; empty: none */   \
    F(T, STRS, split)                                                                         \
    F(T, STR, capture) /* file that its standard output goes to, compressed; NULL: the log */ \
    /* how it is kept apart: "helper", "namespace", NULL: not; with what it does not see, what it  \
       is shown all the same, and the option file that becomes its own */                           \
    F(T, BOOL, is_job) /* the user's: it gains no privileges */                               \
    F(T, STR, separation)                                                                     \
    F(T, STR, jobd_socket) /* NULL: the keeper is ours */                                     \
    F(T, STR, run)                                                                            \
    F(T, STR, cnf)                                                                            \
    F(T, STRS, hide)                                                                          \
    F(T, STRS, show)                                                                          \
    F(T, OBJ, start_by, StartBy, start_by_fields)                                             \
    F(T, INT, tasks_limit)                                                                    \
    F(T, INT, nice)                                                                           \
    F(T, INT, memory_limit_bytes)                                                             \
    F(T, INT, log_limit_bytes) /* 0: SUPERVISE_LOG_BYTES */                                   \
    F(T, INT, time_limit_ms)                                                                  \
    F(T, INT, stop_grace_ms)                                                                  \
    F(T, INT, sleep_grace_ms)
/* clang-format on */
WIRE_STRUCT(ProgramSpec, PROGRAM_SPEC_LIST);
extern const WireField program_spec_fields[];

/* clang-format off */
#define PROGRAM_SUPERVISOR_LIST(F, T) \
    F(T, INT, pid)                    \
    F(T, INT, pid_start)              \
    F(T, INT, job_pid)                \
    F(T, INT, job_start)              \
    F(T, STR, cgroup) /* of the job; NULL: none */
/* clang-format on */
WIRE_STRUCT(ProgramSupervisor, PROGRAM_SUPERVISOR_LIST);
extern const WireField program_supervisor_fields[];

/* clang-format off */
#define PROGRAM_PROGRESS_LIST(F, T) \
    F(T, INT, done)                 \
    F(T, INT, total)                \
    F(T, STR, unit)                 \
    F(T, STR, note)                 \
    F(T, BOOL, asleep)
/* clang-format on */
WIRE_STRUCT(ProgramProgress, PROGRAM_PROGRESS_LIST);
extern const WireField program_progress_fields[];

/* clang-format off */
#define PROGRAM_EXIT_LIST(F, T)                                               \
    F(T, BOOL, started) /* false: `error` says why it could not be started */ \
    F(T, INT, exit_code)                                                      \
    F(T, INT, signal)                                                         \
    F(T, STR, ended_by) /* NULL: by itself; "stop", "kill", "time limit" */   \
    F(T, STR, error)                                                          \
    F(T, BOOL, late) /* not started: start_by had passed */                   \
    F(T, TIME, started_at)                                                    \
    F(T, TIME, ended_at)                                                      \
    F(T, INT, max_rss_bytes)                                                  \
    F(T, INT, cpu_ms)
/* clang-format on */
WIRE_STRUCT(ProgramExit, PROGRAM_EXIT_LIST);
extern const WireField program_exit_fields[];

enum {
    SUPERVISE_LOG_BYTES = 1 << 20
}; /* log becomes log.1 at this size; log.start is its first byte's offset */

enum { SUPERVISE_PROGRESS_FD = 3, SUPERVISE_SPLIT_FD = 4 };

int supervise_main(const char *dir);
