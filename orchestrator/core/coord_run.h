/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's view of a run as a table: state, event, next state, action, and a reason for people. The
 * agents own a run from its pause to its catch-up; this machine only follows what they report and decides
 * what comes before and after. Every action is idempotent: after a restart the action of the state's row is
 * simply done again. An event without a row is a bug or a peer that lies, and changes nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/wire/wire.h"

typedef enum CoordRunEvent {
    CRUN_EV_CLAIM,   /* the planner chose it; the claim is on record */
    CRUN_EV_PAUSING, /* seen at the agents: the least advanced of them pauses, runs, sleeps, … */
    CRUN_EV_RUNNING,
    CRUN_EV_SLEEPING,
    CRUN_EV_SEALING,
    CRUN_EV_RESUMING,
    CRUN_EV_CAUGHT_UP,
    CRUN_EV_UPLOAD,  /* over on the agents, sealed, and its upload is on record */
    CRUN_EV_OK,      /* over, nothing left to do */
    CRUN_EV_FAILED,  /* over with an error */
    CRUN_EV_KILLED,  /* over by a kill request */
    CRUN_EV_STOPPED, /* over by a stop request */
    CRUN_EV_REFUSED, /* no agent took it */
    CRUN_EV_LOST,    /* an agent had taken it and knows nothing of it any more */
    CRUN_EVENTS
} CoordRunEvent;

typedef enum CoordRunAction {
    CRUN_ACT_NONE,
    CRUN_ACT_START,  /* give the run to its agents (idempotent by run id) */
    CRUN_ACT_SETTLE, /* everybody is done: upload or end */
    CRUN_ACT_FORGET, /* the end is on record: the agents drop their journals */
} CoordRunAction;

typedef struct CoordRunRow {
    uint32_t from; /* set of states, 1u << state */
    CoordRunEvent event;
    CoordRunState next;
    CoordRunAction action;
    const char *reason;
} CoordRunRow;

/* NULL: this event has no place in this state. */
const CoordRunRow *coord_run_find(CoordRunState state, CoordRunEvent event);
const char *coord_run_state_name(CoordRunState s); /* wire name; "unknown" */
const char *coord_run_event_name(CoordRunEvent e);
/* The action to do again for a run found in this state after a restart. */
CoordRunAction coord_run_action(CoordRunState s);
/* The table as a Mermaid state diagram, for docs/architecture.md. */
void coord_run_diagram(Str *out);
