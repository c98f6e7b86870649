/* SPDX-License-Identifier: Apache-2.0
 * Inside the slots: what they are kept with (slot_parts.c), what happens to them (slots.c), where a look puts
 * one (slot_look.c), which start (decide.c), and the sentences (slot_why.c).
 */
#pragma once

#include "numbered.h"
#include "rate.h"
#include "slots.h"
#include "symbols.h"

typedef enum KeyKind {
    KEY_SEQUENCE, /* the member with the least id has it, wherever that waits */
    KEY_UPLOADS,  /* the same of all uploads */
    KEY_TURN,     /* of those of one name and one demand the first in order has it, and is ready */
    KEY_NAME,     /* active tasks have it: `count`, at most `most` */
    KEY_LIMIT,    /* the same of those with a concurrency key, which counts in place of their name */
    KEY_JOB,      /* gates */
    KEY_PARENT,
    KEY_LANE, /* shut while `count` failures hold it, or a person (flagged); b: LANE_OF_… */
    KEY_HAND,
    KEY_BROKEN
} KeyKind;

/* Numbers of slots in an order. A slot is in one heap at a time (`pos`), and beside that in the order by ids
 * of a key (`member`). Positions count from 1. */
typedef struct SlotHeap {
    uint32_t *v;
    size_t n, cap;
} SlotHeap;

enum { LANE_OF_UPLOADS, LANE_OF_JOBS };

typedef enum SlotOrder { ORDER_QUEUE, ORDER_DUE, ORDER_ID } SlotOrder;

typedef struct Slot {
    int64_t id, run_at, due_ms, sequence_id, parent_task; /* due_ms of a failure: when it failed */
    int32_t priority, own_priority; /* the first may be that of another member of its sequence */
    uint32_t parent_no;
    uint32_t name, window, lane, broken, held; /* symbols */
    uint32_t limit;                            /* its concurrency key, a symbol; 0: its name counts */
    Zone *zone;
    uint32_t demand, key; /* what it needs; what it is blocked on */
    uint32_t pos, member;
    uint32_t round; /* last seen in the database */
    uint8_t place, holds, phase, preempt, window_end;
    bool upload, for_others, at_once, by_hand, turn_failed, woken, in_use, paced;
} Slot;

typedef struct SlotKey {
    KeyKind kind;
    int64_t a, b;
    SlotHeap waiters; /* of the kinds with an order by ids: its members */
    uint32_t holder;
    uint32_t count;
    uint32_t most; /* of a name or a limit; 0: no bound */
    uint32_t uses; /* of a limit: slots that bear it */
    Rate *rate;    /* of a limit; NULL: none */
    int32_t top;   /* of a sequence: the greatest priority of its members, and how many have it */
    uint32_t n_top;
    uint32_t text; /* of a lane that a person holds: why */
    int note;      /* of a parent: its state */
    bool open;     /* of a gate */
    bool flagged;  /* of a parent: scattered; of a job: told; of a lane: a person holds it */
    bool in_use;
    NodeRole on; /* of a job */
} SlotKey;

typedef struct SlotDemand {
    bool upload;
    NodeRole on;
    uint32_t job, host;
    uint32_t apart, awake;
    bool alone;
    int64_t replicas;
    SlotHeap ready;
    uint32_t uses;
    char *why;  /* the last refusal */
    bool stuck; /* in this turn */
    bool in_use;
} SlotDemand;

struct Slots {
    Slot *slots; /* [0] is none in each */
    SlotKey *keys;
    SlotDemand *demands;
    uint32_t n_slots, free_slots, n_keys, free_keys, n_demands, free_demands;
    Numbered by_id, by_key, by_demand;
    Symbols *texts;
    SlotHeap timers, active, failed;
    char *manual;    /* why nothing starts by itself; NULL: it does */
    uint32_t *woken; /* a ring of those to be looked at */
    size_t woken_first, woken_n, woken_cap;
    size_t count[SLOT_PLACES];
    size_t turns_failed;
    size_t active_uploads, active_primary, asleep_primary;
    uint32_t round;
    int64_t now_ms; /* monotonic, as last told */
};

/* ---- slot_parts.c ----------------------------------------------------------------------------------- */

Slot *slot_at(const Slots *q, uint32_t i);
uint32_t slot_index(const Slots *q, int64_t id); /* 0: none */
uint32_t slot_new(Slots *q, int64_t id);
void slot_free(Slots *q, uint32_t i); /* is in no heap */
void slot_give_back(Slots *q, uint32_t i);
void slot_rename(Slots *q, uint32_t i, int64_t to);
bool slot_before(const Slot *a, const Slot *b); /* in the queue's order */

void slot_heap_add(Slots *q, SlotHeap *h, SlotOrder order, uint32_t i);
void slot_heap_remove(Slots *q, SlotHeap *h, SlotOrder order, uint32_t i);

uint32_t slot_key(Slots *q, KeyKind kind, int64_t a, int64_t b); /* made where there is none */
uint32_t slot_find_key(const Slots *q, KeyKind kind, int64_t a, int64_t b);
void slot_key_tidy(Slots *q, uint32_t key); /* frees one that says nothing */

/* That of its name, or of its concurrency key: what only so many have at a time. */
uint32_t slot_name_key(Slots *q, const Slot *s); /* made where there is none */
uint32_t slot_find_name_key(const Slots *q, const Slot *s);
bool slot_name_is_full(const Slots *q, const Slot *s);
int64_t slot_pace_ms(const Slots *q, const Slot *s,
                     int64_t mono_ms); /* until it may start by its rate; 0: it may */

uint32_t slot_demand(Slots *q, const SlotDemand *wanted); /* one use more */
void slot_demand_drop(Slots *q, uint32_t demand);

/* ---- slots.c ---------------------------------------------------------------------------------------- */

void slot_wake(Slots *q, uint32_t i);      /* to be looked at */
void slot_pass_on(Slots *q, uint32_t key); /* a turn that nobody has: its first waiter is looked at */
void slot_leave(Slots *q, uint32_t i);     /* the heap where it is */
void slot_set_place(Slots *q, uint32_t i, SlotPlace place); /* is nowhere before */
void slot_block(Slots *q, uint32_t i, uint32_t key);
uint32_t slot_lane(const Slots *q, const Slot *s); /* its key; 0: nobody holds it */
bool slot_lane_is_held(const Slots *q, const Slot *s);
void slot_join_order(Slots *q, uint32_t i); /* of its sequence, or of the uploads */
void slot_leave_order(Slots *q, uint32_t i);
void slot_let_go(Slots *q, uint32_t i);            /* of the turn of its name, if it has that */
uint32_t slot_turn(const Slots *q, const Slot *s); /* that key; 0: there is none */
void slot_activate(Slots *q, uint32_t i);
void slot_set_phase(Slots *q, uint32_t i, SlotPhase phase); /* of an active one */
bool slot_on_primary(const Slots *q, const Slot *s);        /* a job there, no upload */

/* ---- slot_sequence.c -------------------------------------------------------------------------------- */

/* A member has come into the order of its sequence, or has left it: the others' priorities follow. */
void slot_sequence_joined(Slots *q, uint32_t key, uint32_t i);
void slot_sequence_left(Slots *q, uint32_t key, uint32_t i);

/* ---- slot_look.c ------------------------------------------------------------------------------------ */

/* Finds the place of one that waits. */
void slot_look(Slots *q, uint32_t i, const SlotTime *now);
/* Milliseconds until its window opens; 0: it is open, or there is none. */
int64_t slot_window_ms(const Slots *q, const Slot *s, const SlotTime *now);
