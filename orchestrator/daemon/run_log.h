/* SPDX-License-Identifier: Apache-2.0
 * A run's log, fetched from the agent that keeps it. It blocks: for workers.
 */
#pragma once

#include "common/net/tls.h"
#include "orchestrator/core/task_log.h"

/* Owned by the job of a worker. */
typedef struct RunLogSource {
    char *url, *run;
    Tls tls;
} RunLogSource;

/* A copy for a worker of where the log of a run on that agent is. */
RunLogSource run_log_source(const char *url, const char *run, const Tls *tls);
void run_log_source_done(RunLogSource *s);
/* The last `most` bytes of a stream ("log", "err"), from the beginning of a line where something may be left
 * out. `ret` is empty. */
void run_log_tail(const RunLogSource *s, const char *stream, size_t most, LogText *ret);
