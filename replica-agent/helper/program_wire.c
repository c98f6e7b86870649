/* SPDX-License-Identifier: Apache-2.0
 * Field tables of the files in a supervised program's folder.
 */
#include "supervise.h"

/* clang-format off */
#define ROW(T, f, type) {#f, type, offsetof(T, f), NULL, 0}
#define END {NULL, WIRE_STR, 0, NULL, 0}

const WireField program_spec_fields[] = {
    ROW(ProgramSpec, program, WIRE_STR),            ROW(ProgramSpec, args, WIRE_STRS),
    ROW(ProgramSpec, env, WIRE_STRS),               ROW(ProgramSpec, cwd, WIRE_STR),
    ROW(ProgramSpec, user, WIRE_STR),               ROW(ProgramSpec, capture, WIRE_STR),
    ROW(ProgramSpec, split, WIRE_STRS),
    ROW(ProgramSpec, nice, WIRE_INT),
    ROW(ProgramSpec, memory_limit_bytes, WIRE_INT), ROW(ProgramSpec, time_limit_ms, WIRE_INT),
    ROW(ProgramSpec, stop_grace_ms, WIRE_INT),      ROW(ProgramSpec, sleep_grace_ms, WIRE_INT), END,
};

const WireField program_supervisor_fields[] = {
    ROW(ProgramSupervisor, pid, WIRE_INT),     ROW(ProgramSupervisor, pid_start, WIRE_INT),
    ROW(ProgramSupervisor, job_pid, WIRE_INT), ROW(ProgramSupervisor, job_start, WIRE_INT), END,
};

const WireField program_progress_fields[] = {
    ROW(ProgramProgress, done, WIRE_INT), ROW(ProgramProgress, total, WIRE_INT),
    ROW(ProgramProgress, unit, WIRE_STR), ROW(ProgramProgress, note, WIRE_STR),
    ROW(ProgramProgress, asleep, WIRE_BOOL), END,
};

const WireField program_exit_fields[] = {
    ROW(ProgramExit, started, WIRE_BOOL),       ROW(ProgramExit, exit_code, WIRE_INT),
    ROW(ProgramExit, signal, WIRE_INT),         ROW(ProgramExit, ended_by, WIRE_STR),
    ROW(ProgramExit, error, WIRE_STR),          ROW(ProgramExit, started_at, WIRE_TIME),
    ROW(ProgramExit, ended_at, WIRE_TIME),      ROW(ProgramExit, max_rss_bytes, WIRE_INT),
    ROW(ProgramExit, cpu_ms, WIRE_INT), END,
};
/* clang-format on */
