/* SPDX-License-Identifier: Apache-2.0
 * Brakes: what keeps the queue as a whole (manual mode), a lane or a node from starting anything by itself.
 * Each has a beginning, somebody who has put it on, a reason, and perhaps an end. Manual mode ends only once
 * every error has been seen to, whether somebody ends it or its time is over. Pure; times are wall clock.
 */
#pragma once

#include "slots.h"

/* Failures that nobody has acknowledged, retried or deleted. */
typedef struct QueueErrors {
    int64_t n, first, since; /* the oldest: task, when */
} QueueErrors;

QueueBrake *brakes_find(const WireList *brakes, BrakeKind kind, const char *name); /* NULL: none */
void brakes_free(WireList *brakes);

/* ERR_CONFLICT: manual mode, and errors that nobody has seen to. */
MUST_CHECK bool brakes_may_end(const QueueBrake *b, const QueueErrors *errors, Err *err);

typedef enum BrakeNews {
    BRAKE_AS_IT_WAS,
    BRAKE_ENDS_SOON, /* told once, a minute before */
    BRAKE_IS_OVER,
    BRAKE_STAYS /* its time is over, and errors keep it: told once */
} BrakeNews;
BrakeNews brakes_look(QueueBrake *b, const QueueErrors *errors, int64_t now_ms);
/* When a look may bring something new; 0: it will not by itself. */
int64_t brakes_next_ms(const WireList *brakes, int64_t now_ms);

/* "the queue is in manual mode since … by ann (upgrade), until …"; "lane "x" is held since …"; owned. */
char *brakes_text(const QueueBrake *b);
/* What a task's failure holds, and whether it stops the queue; `setting` is queue.on_error: task, lane,
 * queue. */
SlotHolds brakes_held_by(const Task *t, const char *setting);
bool brakes_stop_queue(const Task *t, const char *setting);
