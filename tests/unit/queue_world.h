/* SPDX-License-Identifier: Apache-2.0
 * What the model of the queue is made of: rows of a simulated database, agents (queue_agents.c), and a
 * coordinator with the queue's real inside (queue_coordinator.c). Who does something to them:
 * test_queue_model.c. What must not be ends the test at once.
 */
#pragma once

#include "orchestrator/core/decide.h"
#include "test.h"

enum {
    NODES = 4, /* the primary and replicas */
    MOST = 96, /* tasks at a time */
    WRITES = 512,
    ORDERS = 64,
    LAST_START_MS = 30000,
    NOT_HERE = -1
};

typedef enum RowState { ROW_NONE, ROW_WAITING, ROW_RUNNING, ROW_DONE, ROW_ERROR, ROW_KILLED } RowState;

/* A row of the database. */
typedef struct Row {
    int64_t id, run_at, submitted_at, sequence, parent;
    RowState state;
    int name, priority, preempt, attempts, replica, node, no;
    bool upload, committed, in_inbox, locked, parent_done, by_hand;
    char lane;
} Row;

/* A run at an agent, which never forgets it (that is the journal's affair). */
typedef struct Taken {
    int64_t id, last_start;
    int no, node;
    bool over, well, asleep, stopped;
} Taken;

typedef enum WriteKind { WRITE_CLAIM, WRITE_END } WriteKind;
typedef struct Write {
    WriteKind kind;
    int64_t id;
    int no, node;
    bool well, stopped;
} Write;

/* What the coordinator knows of a run under way. */
typedef struct Active {
    int64_t id, last_start;
    int no, node;
    bool ending, claimed, for_others, stops;
} Active;

typedef struct Order {
    int64_t id, last_start;
    int no, node;
} Order;

typedef struct QueueWorld {
    uint64_t random;
    int64_t now, next_id, submitted, removed, starts, slept, requeued;
    Row rows[MOST];
    Taken taken[MOST * 8];
    size_t n_taken;
    Order orders[ORDERS];
    size_t n_orders;
    bool manual;
    /* the coordinator's */
    Slots *q;
    Write writes[WRITES];
    size_t n_writes;
    Active active[MOST];
    size_t n_active;
    Node nodes[NODES];
    JobInfo job;
} QueueWorld;

static inline uint32_t queue_draw(QueueWorld *w, uint32_t below)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 33) % below;
}

static inline Row *queue_row(QueueWorld *w, int64_t id)
{
    for (size_t i = 0; i < MOST; i++)
        if (w->rows[i].state != ROW_NONE && w->rows[i].id == id)
            return &w->rows[i];
    return NULL;
}

static inline SlotTime queue_now(const QueueWorld *w)
{
    return (SlotTime){w->now, w->now};
}

static inline bool queue_is_live(const Row *r)
{
    return r->state == ROW_WAITING || r->state == ROW_RUNNING;
}

/* queue_agents.c */
/* Names a and b never together, c and d never awake together, h alone. */
uint32_t queue_apart(const Row *r);
uint32_t queue_awake(const Row *r);
bool queue_is_alone(const Row *r);
bool queue_holds_lane(const Row *r);
/* As committed when the coordinator could know it: at the claim. */
void queue_check_claim(QueueWorld *w, const Row *r);
/* An order comes: one that is known already, or too late, is not started. */
void queue_deliver(QueueWorld *w, bool again);
void queue_end_runs(QueueWorld *w, int node, bool all, bool well);
void queue_forget_gone(QueueWorld *w);
Taken *queue_taken(QueueWorld *w, int64_t id, int no);

/* queue_coordinator.c */
void queue_start_coordinator(QueueWorld *w);
void queue_take_turn(QueueWorld *w);
void queue_write_one(QueueWorld *w);
/* What an agent reports. One that does not know a run may still get the order: until its last moment has
 * passed, nobody else does. */
void queue_poll_agent(QueueWorld *w, int node);
void queue_look_into_inbox(QueueWorld *w);
void queue_see_row(QueueWorld *w, Row *r);
Active *queue_active(QueueWorld *w, int64_t id);
