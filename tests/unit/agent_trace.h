/* SPDX-License-Identifier: Apache-2.0
 * An agent without a server: inputs as words, effects as lines. Drains as the loop does: posted inputs
 * follow, what has changed is "written", and what waited for it comes behind.
 */
#pragma once

#include "replica-agent/core/agent_step.h"

typedef struct TraceDisk {
    Record *v;
    size_t n;
} TraceDisk;

typedef struct Trace {
    AgentState s;
    AgentRules rules;
    JobRules job;             /* the only one, once a story has named it */
    char *job_words, *job_on; /* its at_limit and on */
    int64_t now_ms, wall_ms;  /* wall_ms runs with now_ms */
    bool disk_fails;          /* records of what follows are not written */
    uint64_t op[OP_KINDS];    /* the last order of each kind; 0: answered, or none */
    char *op_run[OP_KINDS];
    ReplStatus op_status; /* of the last report */
    LeaseServer op_server;
    uint64_t token;
    int64_t server_pid;
    TraceDisk disk, waiting; /* what has been written; what could not be */
    bool waits;
    void (*done)(struct Trace *t, const Effect *e); /* NULL: effects become lines */
    void *arg;
    Str out;             /* lines since the last clear */
    const char *boot_id; /* NULL: the first */
    bool cut;            /* the journal was damaged at its end */
    bool more_comes;     /* an input of the same drain follows `first` */
    Input *first;
    bool nothing_kept; /* at the agent's next start no relay file is kept */
} Trace;

void trace_begin(Trace *t);
void trace_end(Trace *t);
/* One line of words: what happens. False (and a line in `out`): not understood. */
bool trace_line(Trace *t, const char *line);
void trace_input(Trace *t, Input *in);                        /* takes it */
const json_t *trace_on_disk(const Trace *t, const char *key); /* borrowed; NULL: not there */
/* The agent is killed; another begins with what is on disk. */
void trace_restart(Trace *t);
