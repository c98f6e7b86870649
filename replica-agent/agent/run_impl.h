/* SPDX-License-Identifier: Apache-2.0
 * What the run_*.c files share. run_event is the one setter of a run's state: it journals, then acts.
 */
#pragma once

#include "run.h"

extern const WireField run_journal_fields[];

const char *run_id(const Runner *r);
void run_put(char **to, const char *text);
void run_event(struct Agent *a, Runner *r, RunEvent ev);
/* The same with an outcome "error"; the first outcome of a run stays. */
void run_fail(struct Agent *a, Runner *r, RunEvent ev, const Err *err);
void run_set_outcome(Runner *r, const char *outcome, ErrKind kind, const char *text);
void run_act(struct Agent *a, Runner *r, RunAction action);
void run_stamp(Runner *r, RunState to);
MUST_CHECK bool run_save(struct Agent *a, Runner *r, Err *err);
void run_void(struct Agent *a, Runner *r, const Err *err); /* the frozen state is lost */
/* run_stage.c */
void run_stage_start(struct Agent *a, Runner *r, const char *name);
void run_stage_cut(struct Agent *a, Runner *r);
void run_stage_drop(Runner *r); /* it is not watched any more */
void run_take_progress(struct Agent *a, Runner *r);
/* run_split.c */
void run_split_tick(struct Agent *a, Runner *r);
void run_split_close(Runner *r);
/* run.c */
Runner *run_add(struct Agent *a);
void run_discard(struct Agent *a, Runner *r); /* frees it */
