/* SPDX-License-Identifier: Apache-2.0
 * What the queue's parts remember between themselves, beside slots and entries.
 */
#pragma once

#include "coord_state.h"
#include "queue_db.h"

/* A claim that is being written: its nodes are taken already. */
typedef struct QueueClaim {
    int64_t id;
    StrList nodes;
} QueueClaim;

/* A position of the primary behind a task's submission, read before its claim. */
typedef struct QueueSight {
    int64_t id;
    char *gtid;
    int64_t at; /* by the primary's clock, before it was read */
} QueueSight;

enum { QUEUE_ABSENT = 256, QUEUE_SIGHTS = 4096 };

typedef struct QueueMemory {
    QueueClaim *claims;
    size_t n_claims;
    int64_t next_number; /* of what has no id yet; above all ids */
    QdbIds wanted;       /* tasks to be looked up */
    bool looking;
    int64_t looked_ms;
    struct {
        int64_t id, until_ms;
    } absent[QUEUE_ABSENT]; /* looked up, and not there */
    size_t next_absent;
    QueueSight sights[QUEUE_SIGHTS]; /* by id modulo their number */
    WireList brakes;                 /* QueueBrake: coord_brakes.c */
    Retry brakes_retry;
    int64_t quiet_until_ms; /* monotonic: nothing starts by itself before; 0: it may */
    WireList jobs;          /* queue_jobs.c */
    bool writing_jobs;
    Retry jobs_retry;
    int64_t ended[TASK_UNKNOWN + 1]; /* tasks in the database by state, as last counted */
    bool forgetting;                 /* history.c */
    int64_t forget_ms;
    int64_t greatest;            /* id seen */
    int64_t clock_offset_ms;     /* wall minus monotonic, as last seen */
    struct QueueAfter *after;    /* queue_after.c */
    bool after_ended;            /* some task has ended, or is gone */
    struct Deadlines *deadlines; /* deadlines.c */
    struct QueueAsked *asked;    /* queue_asked.c */
    int64_t reviving; /* a task whose upload is tried again, and that is being looked up; 0: none */
} QueueMemory;

enum { QUEUE_NUMBERS = 62 }; /* 1 << this is the first number of what has no id yet */

void queue_memory_open(Coord *c);
void queue_memory_close(Coord *c);
void queue_asked_free(Coord *c);

void queue_claim_add(Coord *c, int64_t id, const StrList *nodes);
void queue_claim_drop(Coord *c, int64_t id);
bool queue_is_claimed(const Coord *c, int64_t id);
const QueueClaim *queue_claim_on(const Coord *c, const char *node);

bool queue_is_absent(const Coord *c, int64_t id);
void queue_note_absent(Coord *c, int64_t id);

/* Takes `gtid`. */
void queue_sight_set(Coord *c, int64_t id, char *gtid, int64_t at);
QueueSight *queue_sight(Coord *c, int64_t id); /* NULL: none */
