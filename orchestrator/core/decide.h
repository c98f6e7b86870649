/* SPDX-License-Identifier: Apache-2.0
 * The decider of the queue: which of the tasks that are ready start now, and where. It goes through the heads
 * of all demands in the queue's order. The first that does not fit, but will once what runs has ended,
 * reserves what it waits for: no later one takes that, so that a wide task does not starve behind narrow
 * ones. Where the primary has no slot, one of a lower priority that works there sleeps for it and is woken
 * afterwards; one that may be preempted so is stopped and waits again. Uploads, and jobs on replicas unless
 * they say so, are left alone. Where a window shuts over a task, that sleeps or stops if it says so. Of a
 * group only one runs, or only one is awake; a task that runs alone waits for the end of all, and nothing
 * behind it starts meanwhile. Above SLOT_STOPS_OTHERS a task stops what bears its name. Pure: the same input
 * gives the same decisions.
 */
#pragma once

#include "choose.h"
#include "slots.h"

typedef struct DecideInput {
    const ChooseNode *nodes;
    size_t n_nodes;
    ChooseRules rules;
    int64_t primary_slots; /* jobs on the primary at once, uploads aside */
    const char *hold;      /* nothing starts, for this reason; NULL: go on */
    SlotTime now;
    size_t most;   /* starts in one turn */
    int64_t slots; /* jobs at once in all, uploads aside; 0: no limit */
} DecideInput;

typedef enum DecisionKind {
    DECIDE_START, /* on `nodes` */
    DECIDE_STOP,  /* an upload whose run has ended otherwise: it goes with it */
    DECIDE_SLEEP, /* on the primary, for one of a higher priority */
    DECIDE_WAKE,
    DECIDE_REQUEUE, /* stops and waits again, for one of a higher priority */
} DecisionKind;

typedef struct QueueDecision {
    DecisionKind kind;
    int64_t id;
    StrList nodes;
} QueueDecision;

typedef struct QueueDecisions {
    QueueDecision *v;
    size_t n;
    bool more; /* `most` was reached, or what starts has made others to be looked at */
} QueueDecisions;

/* What starts is active from then on; what is stopped keeps its place until it is ended. */
void decide(Slots *q, const DecideInput *in, QueueDecisions *ret);
void decisions_done(QueueDecisions *d);

/* When a recurring task is next due: now + sleeptime, or with fixed_time the first old + k·sleeptime after
 * now. */
int64_t decide_next_run_at(int64_t old_run_at, int64_t now_ms, int64_t sleeptime_ms, bool fixed_time);
