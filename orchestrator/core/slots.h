/* SPDX-License-Identifier: Apache-2.0
 * The queue's inside: what must be known of each task that is not ended, in exactly one place, so that an
 * event costs O(log n) however many tasks wait.
 *
 *     put ──> timers (due, window) ──> blocked on one key ──> ready, one heap a demand ──> active ──> gone
 *               ▲                          │    ▲                                             │
 *               └──────── look ◄───────────┴────┴── the key's holder lets go ◄────────────────┘
 *
 * A key is what one task has and another waits for: an order by ids (a sequence, the uploads), a name, or a
 * gate (a job that an agent knows, a parent's run, a lane that a failure or a person holds, a person's hand).
 * When a key is let go, its first waiter is looked at again; one that does not take the key passes the wake
 * on. A gate that opens wakes all. Looks are taken in slices (slots_advance). Why a task waits follows from
 * its place. Pure: times are given.
 */
#pragma once

#include "common/wire/wire_run.h"
#include "common/wire/wire_task.h"
#include "zone.h"

enum {
    SLOT_LEAST_PRIORITY = -10, /* below it a task starts only by hand */
    SLOT_STOPS_OTHERS = 100,   /* above it one stops those that conflict with it */
};

typedef struct Slots Slots;

typedef struct SlotTime {
    int64_t wall_ms, mono_ms;
} SlotTime;

/* Of tasks that bear one concurrency key. */
typedef struct SlotLimit {
    int64_t at_once;        /* under way; 0: as many as there are */
    int64_t starts, per_ms; /* so many starts within any such time; 0: as many as may be */
} SlotLimit;

/* What a failure holds. */
typedef enum SlotHolds { SLOT_HOLDS_NOTHING, SLOT_HOLDS_SEQUENCE, SLOT_HOLDS_LANE } SlotHolds;

/* What is known of a task that waits. */
typedef struct SlotTask {
    int64_t id, priority, replicas, run_at, submitted_at, sequence_id;
    int64_t failed_at; /* of one that has failed; wall clock */
    SlotHolds holds;   /* the same */
    Preempt preempt;
    WindowEnd window_end;
    uint32_t apart, awake; /* sets of groups (queue_groups.h): of one never two, never two awake */
    bool alone;            /* it runs beside nothing */
    bool turn_failed;      /* its last turn has, and it waits for the next; nobody has seen to it */
    bool by_hand;          /* a person has told it to start: neither time nor priority, mode nor lane count */
    TaskKind kind;
    NodeRole on; /* none: as its job says, once an agent knows it */
    const char *name, *job, *host, *window;
    const Zone *zone; /* of the window; NULL: UTC. The slot keeps it */
    const char *key; /* it stands in for the name: `limit` says how many of it may be under way; NULL: none */
    SlotLimit limit;
    const char *lane;               /* of an upload: what it loads into; a job's is its name */
    const char *broken;             /* it cannot run as it is: a sentence; NULL: it can */
    int64_t parent_task, parent_no; /* of an upload: the run whose result it loads */
} SlotTask;

typedef enum SlotPlace {
    SLOT_NOWHERE, /* to be looked at */
    SLOT_TIMER,
    SLOT_BLOCKED,
    SLOT_READY,
    SLOT_ACTIVE,
    SLOT_FAILED, /* has ended; what it holds waits until somebody has seen to it */
    SLOT_PLACES
} SlotPlace;

Slots *slots_new(void);
void slots_free(Slots *q);

/* It waits: new, or again after a run or a change. */
void slots_put(Slots *q, const SlotTask *t, const SlotTime *now);
/* It has a run under way; puts one that is not there. */
void slots_start(Slots *q, const SlotTask *t, const SlotTime *now);
/* Its start did not come about: it waits for so long, for this reason, and is looked at again. */
void slots_hold_back(Slots *q, int64_t id, int64_t ms, const char *why, const SlotTime *now);
/* It has ended, or is gone: it holds nothing any more. */
void slots_end(Slots *q, int64_t id);
/* It has failed: it is among the failures until it is ended or put again, and holds what it says. One that is
 * not there is put. */
void slots_fail(Slots *q, const SlotTask *t, const SlotTime *now);
/* What was put with a number of its own has got its id. */
void slots_rename(Slots *q, int64_t from, int64_t to);

bool slots_find(const Slots *q, int64_t id, SlotPlace *ret_place); /* ret_place may be NULL */
size_t slots_count(const Slots *q, SlotPlace place);               /* of SLOT_PLACES: all */

/* What a run under way does. One that sleeps has no slot on the primary; one that sleeps for others is woken
 * again. */
typedef enum SlotPhase {
    SLOT_BUSY, /* beginning or ending: neither sleeps nor stops for others */
    SLOT_WORKS,
    SLOT_DOZES, /* has been asked to sleep */
    SLOT_SLEEPS,
    SLOT_STOPS, /* has been asked to stop */
} SlotPhase;
void slots_phase(Slots *q, int64_t id, SlotPhase phase, bool for_others);

/* Failures that nobody has seen to, the oldest first in `ret`: at most `most`. Gives how many it has filled.
 */
typedef struct SlotFailure {
    int64_t id, since; /* wall clock */
    const char *name;
    size_t waiting; /* what it holds */
} SlotFailure;
size_t slots_failures(const Slots *q, SlotFailure *ret, size_t most);
/* Of those that wait the ones whose last turn has failed, of which `most` are told; `since` is not known.
 * Their number. */
size_t slots_turns_failed(const Slots *q, SlotFailure *ret, size_t most);

/* Manual mode, with a sentence: only what a person starts by hand starts. NULL: automatic. */
void slots_manual(Slots *q, const char *why);
/* A person holds a lane, with a sentence; NULL: not any more. */
void slots_hold_lane(Slots *q, const char *lane, const char *why);

/* What agents say of a job: known, and where it runs unless a task says otherwise. */
void slots_job(Slots *q, const char *job, bool known, NodeRole on);
/* Where the run is whose result an upload loads; `scattered`: its parts are not one result yet. */
void slots_parent(Slots *q, int64_t task, int64_t no, CoordRunState state, bool scattered);

/* Looks at what is due or woken, `most` at a time. True: more is left to be looked at. */
bool slots_advance(Slots *q, const SlotTime *now, size_t most);
/* The monotonic time at which the next becomes due; 0: none will by itself. */
int64_t slots_next_ms(const Slots *q);
/* Of those with the key, one has started at that time, before this coordinator did. */
void slots_started(Slots *q, const char *text, const SlotLimit *limit, int64_t mono_ms);

/* The wall clock was set by so much: what is due within the hour keeps its wait, the rest its time. */
void slots_clock_set(Slots *q, const SlotTime *now, int64_t by_ms);

/* Comparing with the database, a round at a time: what is seen there is marked (false: not known here); at
 * the end those are unseen that were put before the round. */
void slots_round(Slots *q);
bool slots_seen(Slots *q, int64_t id);
int64_t *slots_unseen(const Slots *q, size_t *ret_n); /* owned */

/* A sentence for people; NULL: it is not there, or waits for nothing. */
char *slots_why(const Slots *q, int64_t id, const SlotTime *now);
