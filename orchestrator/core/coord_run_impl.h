/* SPDX-License-Identifier: Apache-2.0
 * Inside coord_run: a step under way, and what its duties and answers have in common.
 */
#pragma once

#include "coord_run.h"
#include "run_view.h"

#define S(state) (1u << CRUN_##state)

/* Agents are seen by long poll, so that short states may be jumped over: a row's `from` holds every state
 * that may come before. One that this version does not know was written by a newer sidingd: the run is under
 * way, and what its agents report leads on. */
#define BEFORE_CAUGHT_UP                                                                                     \
    (S(CLAIMED) | S(PAUSING) | S(RUNNING) | S(SLEEPING) | S(SEALING) | S(RESUMING) | S(UNKNOWN))
#define ANY_UNDER_WAY (BEFORE_CAUGHT_UP | S(CAUGHT_UP))
#define ANY_BEFORE_END (ANY_UNDER_WAY | S(UPLOADING))

enum { RETRY_MOST_MS = 3000 };

/* A step under way: the run, what is known of it, what it leads to. */
typedef struct RunLook {
    CoordRun *run;
    Task *t;
    Run *r;
    const CoordRunKnown *known;
    const CoordRunInput *in;
    const AgentRun **seen; /* what each part's agent reports, or is taken to */
    CoordRunEvent event;   /* that led to its present state */
    RunView v;
    CoordRunEffects *out;
} RunLook;

CoordRunEffect *look_effect(RunLook *l, CoordRunEffectKind kind);
void look_write(RunLook *l); /* once, however much of the row has changed */
/* Take `text`. */
void look_say(RunLook *l, const char *level, const char *node, char *text);
void look_log(RunLook *l, const char *level, char *text);

/* The event's row is followed: every change of state but the claim, which is on record already. `detail`
 * replaces the row's reason; NULL: none. An event without a row is logged. */
void look_enter(RunLook *l, CoordRunEvent event, const char *detail);
/* State and task alone. */
void look_change(RunLook *l, const CoordRunRow *row);
void look_no_place(RunLook *l, CoordRunEvent event);

CoordPart *look_part(const RunLook *l, size_t i);
bool look_works(const RunLook *l, size_t i); /* reported, and not over */
bool look_may_call(const RunLook *l, size_t i);
CoordRunEffect *look_call(RunLook *l, CoordRunEffectKind kind, size_t i);
void look_ask(RunLook *l, size_t i, TaskAction action, const char *by);
void look_retry(RunLook *l, CoordPart *p); /* a call about it later */
