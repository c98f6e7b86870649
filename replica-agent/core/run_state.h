/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of runs: run_step.c (inputs, time), run_programs_step.c, run_requests_step.c. A run's
 * state has one setter.
 */
#pragma once

#include "step_parts.h"

/* run_state.c */
void run_apply(Turn *t, AgentRunner *r, RunEvent ev);
void run_again(Turn *t, AgentRunner *r);   /* what its state asks for, once more */
void run_changed(Turn *t, AgentRunner *r); /* its journal, and what others see */
void run_set_outcome(Turn *t, AgentRunner *r, RunOutcome outcome, ErrKind kind,
                     const char *text);                                   /* the first stays */
RunEvent run_fails(Turn *t, AgentRunner *r, RunEvent ev, const Err *err); /* with that outcome, `ev` */
void run_cut(Turn *t, AgentRunner *r, const RunCut *c);                   /* it must end */
RunEvent run_cut_ended(Turn *t, AgentRunner *r);                          /* it has, by that */
bool run_is_upload(const AgentRunner *r);
const char *run_stage_after(const AgentRunner *r, const char *name); /* NULL: it is the last */
/* The stage is on disk before its program starts, or nobody would find it again. */
void run_start_stage(Turn *t, AgentRunner *r, const char *name);
void run_release_pause(Turn *t, const AgentRunner *r);

/* run_programs_step.c */
void run_program_ended(Turn *t, AgentRunner *r, ProgramEnd *p);
void run_take_split(Turn *t, AgentRunner *r, Input *in);
void run_take_progress(Turn *t, AgentRunner *r, Input *in);

/* run_requests_step.c */
void run_accept(Turn *t, Input *in);
void run_answer_request(Turn *t, AgentRunner *r, Input *in);
void run_order_forget(Turn *t, AgentRunner *r, uint64_t token);
void run_forgotten(Turn *t, AgentRunner *r, const Input *in);
void run_discard(AgentState *s, AgentRunner *r);
