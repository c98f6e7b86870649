/* SPDX-License-Identifier: Apache-2.0
 * The catch-up of a replica that was paused: measures it, tries ways of applying, and says when it is done.
 * The lease, and everything that touches the applier, is pause.c's. replay.json in state_dir keeps which way
 * was the fastest, so that the next catch-up begins with it.
 */
#pragma once

#include "replica-agent/core/boost.h"
#include "replica-agent/core/catchup.h"

struct Agent;

typedef struct Replaying {
    Catchup catchup;
    Boost boost;
    BoostMemory memory;
    int64_t size_class; /* of the transactions of this backlog */
    bool given_up;      /* a change of way went wrong: none is tried any more in this catch-up */
    char *primary;      /* the primary's position as the coordinator told it */
    int64_t primary_ms; /* when */
    bool sole;          /* no other replica acknowledges the primary's commits, as the coordinator told */
    int64_t durable_ms; /* not before this another try */
} Replaying;

void replay_load(struct Agent *a);
void replay_close(struct Agent *a);
/* The way to start the applier with. */
const FlavorWay *replay_first_way(struct Agent *a);
void replay_started(struct Agent *a, const char *applied);
/* After each good reading while catching up; may change the way. True once caught up. */
bool replay_probe(struct Agent *a);
void replay_changed(struct Agent *a, bool ok); /* the way has been changed, or not */
void replay_ended(struct Agent *a);
/* Whether readings should follow each other closely now. */
bool replay_is_trying(const struct Agent *a);
/* The coordinator told the primary's position. */
void replay_told(struct Agent *a, const char *primary);
/* … and whether this is the only replica that acknowledges. */
void replay_told_sole(struct Agent *a, bool sole);
/* Durability must not be relaxed: nobody else keeps what the primary has promised. */
bool replay_must_be_durable(const struct Agent *a);
/* It is its own again: what was measured before says nothing. */
void replay_durable(struct Agent *a);
