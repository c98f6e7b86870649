/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's view of a run as a table: state, event, next state, action, and a reason for people. The
 * agents own a run from its pause to its catch-up; this machine only follows what they report and decides
 * what comes before and after. Every action is idempotent: after a restart the action of the state's row is
 * simply done again. An event without a row is a bug or a peer that lies, and changes nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/str.h"

typedef enum RunState {
    RUN_WAITING,
    RUN_CLAIMED,
    RUN_PAUSING,
    RUN_RUNNING,
    RUN_SLEEPING,
    RUN_SEALING,
    RUN_RESUMING,
    RUN_CAUGHT_UP,
    RUN_UPLOADING,
    RUN_DONE,
    RUN_ERROR,
    RUN_KILLED,
    RUN_STOPPED,
    RUN_STATES
} RunState;

typedef enum RunEvent {
    RUN_EV_CLAIM,   /* the planner chose it; the claim is on record */
    RUN_EV_PAUSING, /* seen at the agents: the least advanced of them pauses, runs, sleeps, … */
    RUN_EV_RUNNING,
    RUN_EV_SLEEPING,
    RUN_EV_SEALING,
    RUN_EV_RESUMING,
    RUN_EV_CAUGHT_UP,
    RUN_EV_UPLOAD,  /* over on the agents, sealed, and its upload is on record */
    RUN_EV_OK,      /* over, nothing left to do */
    RUN_EV_FAILED,  /* over with an error */
    RUN_EV_KILLED,  /* over by a kill request */
    RUN_EV_STOPPED, /* over by a stop request */
    RUN_EV_REFUSED, /* no agent took it */
    RUN_EV_LOST,    /* an agent had taken it and knows nothing of it any more */
    RUN_EVENTS
} RunEvent;

typedef enum RunAction {
    RUN_ACT_NONE,
    RUN_ACT_START,  /* give the run to its agents (idempotent by run id) */
    RUN_ACT_SETTLE, /* everybody is done: upload or end */
    RUN_ACT_FORGET, /* the end is on record: the agents drop their journals */
} RunAction;

typedef struct RunRow {
    uint32_t from; /* set of states, 1u << state */
    RunEvent event;
    RunState next;
    RunAction action;
    const char *reason;
} RunRow;

/* NULL: this event has no place in this state. */
const RunRow *run_machine_find(RunState state, RunEvent event);
const char *run_state_name(RunState s); /* wire name */
bool run_state_from_name(const char *name, RunState *ret);
const char *run_event_name(RunEvent e);
bool run_state_is_final(RunState s);
/* The action to do again for a run found in this state after a restart. */
RunAction run_state_action(RunState s);
/* The table as a Mermaid state diagram, for docs/architecture.md. */
void run_machine_diagram(Str *out);
