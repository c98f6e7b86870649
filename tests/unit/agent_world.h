/* SPDX-License-Identifier: Apache-2.0
 * What surrounds an agent that is driven at random (test_agent_random.c): its server, which does what it is
 * asked, or not (agent_world.c), and what must hold after every input (agent_world_holds.c).
 */
#pragma once

#include "agent_trace.h"
#include "test.h"

enum { PENDING = 16 };

typedef struct Pending {
    OpOrder op; /* borrowed strings are not kept */
    bool taken_effect;
} Pending;

typedef struct AgentWorld {
    Trace *t;
    uint64_t rng;
    bool up, sql, lease_owed;
    int io; /* ReplIo */
    int64_t applied, received, pid;
    int flush;    /* as it is in the server; 1 is its own */
    bool by_stop; /* the last that stopped the applier was a STOP of this agent */
    bool ours;    /* the applier was stopped by an order of this agent, or by a start of the server */
    bool moves;   /* somebody writes on the primary */
    Pending pending[PENDING], last;
    size_t n_pending;
    bool has_last;
    StrList programs; /* RUN/NAME that are running: one that is being ended may outlive its pause */
    int64_t term;     /* the greatest that was ordered in */
    bool fenced;      /* the fence was answered, and the record still says so */
    bool rescue, hook, hook_before;
    int next_run;
    const char *wrong; /* what does not hold */
    Str story;
} AgentWorld;

static inline uint64_t agent_world_next(AgentWorld *w)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return w->rng;
}

static inline size_t agent_world_below(AgentWorld *w, size_t n)
{
    return agent_world_next(w) % n;
}

static inline bool agent_world_one_in(AgentWorld *w, size_t n)
{
    return agent_world_below(w, n) == 0;
}

/* agent_world_holds.c */
const char *agent_world_lease(const AgentWorld *w); /* its state on disk; "": none */
const json_t *agent_world_vote(const AgentWorld *w);
void agent_world_must(AgentWorld *w, bool holds, const char *what);
void agent_world_effect(Trace *t, const Effect *e); /* of a trace whose arg is the world */
void agent_world_check(AgentWorld *w);

/* agent_world.c */
Input *agent_world_input(InputKind kind, const char *owner);
void agent_world_happens(AgentWorld *w, Input *in);
char *agent_world_gtid(int64_t n); /* owned */
void agent_world_reads(AgentWorld *w, int64_t age_ms);
/* `badly`: refused, unanswered (with or without effect), no worker free. */
void agent_world_answers(AgentWorld *w, bool badly);
OpEnd agent_world_carries_out(AgentWorld *w, const OpOrder *o, StartWay *way);
Pending agent_world_take(AgentWorld *w, size_t i);
void agent_world_drop(Pending *p);
