/* SPDX-License-Identifier: Apache-2.0
 * Manual mode, held lanes and cordoned nodes: rows of siding.brake, kept in memory too. What a person asks
 * for is on record before it counts; what a failure brings about counts at once, and its row goes with the
 * failure's own.
 */
#pragma once

#include "coord_state.h"
#include "orchestrator/core/queue_brakes.h"

typedef void (*BrakeDone)(void *arg, Coord *c, bool ok, const Err *err);

void coord_brakes_load(Coord *c, WireList *found); /* takes */
void coord_brakes_step(Coord *c);                  /* those whose time is over end */
void coord_brakes_failed(Coord *c, const Task *t); /* it may stop the queue */

/* Takes `b`; one that is on already is replaced, its beginning stays. */
void coord_brakes_put(Coord *c, QueueBrake *b, BrakeDone done, void *arg);
void coord_brakes_end(Coord *c, BrakeKind kind, const char *name, const char *by, BrakeDone done, void *arg);

/* For so long nothing starts but what a person starts, as while siding stop waits; 0: it is over. Refused
 * until it is known what is under way. */
MUST_CHECK bool coord_brakes_quiet(Coord *c, int64_t ms, Err *err);

const QueueBrake *coord_brakes_find(const Coord *c, BrakeKind kind, const char *name); /* NULL: none */
QueueErrors coord_brakes_errors(const Coord *c);
json_t *coord_brakes_json(const Coord *c); /* "queue" of GET /v1/status */
