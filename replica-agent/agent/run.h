/* SPDX-License-Identifier: Apache-2.0
 * Runs on this host: the walker of core/run_machine. A run's journal (runs/ID/run.json) is replaced before
 * each step is acted on. A run never touches replication itself: it asks pause.c and is told the news.
 */
#pragma once

#include "common/wire/wire.h"
#include "pause.h"
#include "program.h"
#include "replica-agent/core/run_machine.h"

struct Agent;
struct JobConfig;

typedef struct RunJournal {
    char *state;
    char *program; /* the stage: job, fetch, load, seal, gather */
    bool verified; /* the frozen state was proven unmoved after the job */
    bool aligning, resumed_early;
    char *voided;                            /* the frozen state is lost: no result, whatever the job says */
    char *cut_outcome, *cut_kind, *cut_text; /* why it is being ended from outside */
    bool cut_hard;
    int64_t tries; /* of a program that may be started again */
    GatherOrder gather;
    AgentRun run;
} RunJournal;

typedef struct Runner {
    RunJournal j;
    RunState state;
    RunSide side;
    Program *program;
    struct RunWatch *watch; /* what the program's end is told with */
    uint64_t step;          /* a step under way for this run; 0: none */
    int64_t barrier_ms, frozen_ms;
    bool dirty;
    struct SplitList *split; /* of a run on several replicas, on the first of them; NULL: not in use */
} Runner;

typedef struct RunEnd {
    const char *outcome, *text;
    ErrKind kind;
    bool hard; /* at once, without asking */
} RunEnd;

Runner *run_find(const struct Agent *a, const char *id);
/* A new run, journalled; begins to walk. The spec is checked already. */
MUST_CHECK bool run_accept(struct Agent *a, const RunSpec *spec, Runner **ret, Err *err);
MUST_CHECK bool run_check(struct Agent *a, const RunSpec *spec, Err *err); /* job, arguments, cluster, side */
MUST_CHECK bool run_align(struct Agent *a, Runner *r, const RunAlign *to, Err *err);
MUST_CHECK bool run_go(struct Agent *a, Runner *r, Err *err);
MUST_CHECK bool run_request(struct Agent *a, Runner *r, const char *action, const char *by, Err *err);
char *run_log_dir(const struct Agent *a, const Runner *r); /* of the program whose log is asked for. Owned */
MUST_CHECK bool run_forget(struct Agent *a, Runner *r, Err *err);
void run_cut(struct Agent *a, Runner *r, const RunEnd *end);
bool run_is_under_way(const Runner *r);
Runner *run_of_pause(const struct Agent *a); /* the run that owns the present pause; NULL: none */
/* One that begins as soon as the present pause is over, all that it needs being applied; NULL: none. */
const Runner *run_next(const struct Agent *a);
bool run_on_replica(const RunSpec *spec, const struct JobConfig *job);

void run_pause_news(struct Agent *a, const char *id, PauseNews news, const Err *err);
void run_load_all(struct Agent *a); /* journals; programs are found again at once */
void run_met(struct Agent *a);      /* the server is known: what waits for it goes on */
void run_tick(struct Agent *a);
/* How many milliseconds the serving replica that is furthest behind is so: for loads under way. */
void run_told_lag(struct Agent *a, const char *lag_ms);
void run_close_all(struct Agent *a);

char *run_dir(const struct Agent *a, const char *id);     /* state_dir/runs/ID */
char *run_results(const struct Agent *a, const char *id); /* spool_dir/ID */

/* run_program.c: what a stage runs. */
MUST_CHECK bool run_program_spec(struct Agent *a, const Runner *r, const char *name, ProgramSpec *ret,
                                 Err *err);
const char *run_program_first(struct Agent *a, const Runner *r);
const char *run_program_after(const Runner *r, const char *name); /* NULL: it was the last */
char *run_program_dir(const struct Agent *a, const Runner *r, const char *name);
void run_program_clean(struct Agent *a,
                       const Runner *r); /* secrets and fetched files; the result too unless sealed */
/* A sentence, and what kind of failure it is. */
void run_program_failure(struct Agent *a, const Runner *r, const ProgramExit *e, Err *ret);
