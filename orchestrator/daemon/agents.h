/* SPDX-License-Identifier: Apache-2.0
 * Links to the agents: one long poll each, and calls. An agent that cannot be reached is told once, and so is
 * its return; what it said last stays visible.
 */
#pragma once

#include "coord_state.h"

/* Follows the configured list: new agents are polled, dropped ones forgotten. Called at start and on SIGHUP.
 */
void agents_configure(Coord *c);
OrderServer agents_server(const AgentLink *a); /* as it was last seen; owned */
/* It has heard of a later term than ours, or of another coordinator in ours. */
bool agents_has_other_term(const AgentLink *a);
/* Each has answered or was asked in vain, or it took too long: the term is above all that can be known. */
bool agents_are_heard(Coord *c);
void agents_free(Coord *c);
void agents_step(Coord *c); /* polls that are due, positions, lag, states */

/* A call to an agent that comes back by ids: `done` gets the same `ref`, to be looked up again. */
typedef struct CallRef {
    Coord *c;
    int64_t task;
    char run[48], node[64];
    char word[32]; /* the caller's own */
    void (*done)(struct CallRef *ref, bool ok, json_t *body, const Err *err);
    void *arg;
} CallRef;
/* Copies `ref`. */
void agents_call(AgentLink *a, const char *method, const char *path, const json_t *body, int64_t timeout_ms,
                 const CallRef *ref);
