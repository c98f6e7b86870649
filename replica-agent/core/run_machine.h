/* SPDX-License-Identifier: Apache-2.0
 * A run on this host as a table: state, event, next state, action, reason for people. A run on a replica
 * always ends through RESUMING: no row leads around it. Its outcome (ok, error, killed, stopped) is kept
 * beside the state. Pure. Every action is idempotent: after a restart of the agent the action of the state
 * found runs again.
 */
#pragma once

#include "common/base/str.h"

typedef enum RunState {
    RUN_ACCEPTED,
    RUN_PAUSING,
    RUN_FROZEN,
    RUN_RUNNING,
    RUN_SLEEPING,
    RUN_CUTTING, /* the job is being ended from outside */
    RUN_SEALING,
    RUN_RESUMING,
    RUN_CAUGHT_UP,
    RUN_GATHERING, /* caught up; results of other replicas come into its own */
    RUN_ENDED,
    RUN_STATES
} RunState;

typedef enum RunEvent {
    RUN_EV_NONE = -1,
    RUN_EV_BEGIN,     /* primary side: nothing to wait for */
    RUN_EV_APPLIED,   /* its own submission is applied here */
    RUN_EV_REFUSED,   /* cannot begin: the payload says why */
    RUN_EV_FROZEN,    /* the lease holds the GTID */
    RUN_EV_ALIGN,     /* several replicas: asked to move on to the common GTID */
    RUN_EV_GO,        /* all replicas stand at one GTID */
    RUN_EV_SLEEP,     /* requests */
    RUN_EV_WAKE,      /* */
    RUN_EV_CUT,       /* stop, kill, limit, moved snapshot, full disk…: the payload says the outcome */
    RUN_EV_NEXT,      /* a program ended well and another follows */
    RUN_EV_JOB_OK,    /* the last program ended well */
    RUN_EV_JOB_ENDED, /* it ended badly, or as asked */
    RUN_EV_SEALED,
    RUN_EV_SEAL_FAILED,
    RUN_EV_LIMIT_SEALING, /* the pause limit while sealing: the frozen data are not needed any more */
    RUN_EV_RELEASED,      /* the lease is gone: replication runs, settings are back */
    RUN_EV_GATHER,        /* all replicas of the run have sealed */
    RUN_EVENTS
} RunEvent;

typedef enum RunAction {
    RUN_ACT_NONE,
    RUN_ACT_AWAIT_APPLIED,
    RUN_ACT_PAUSE,
    RUN_ACT_AT_BARRIER, /* go on at once unless several replicas wait for each other */
    RUN_ACT_ALIGN,
    RUN_ACT_PROGRAM, /* start, or find again, the program of this stage */
    RUN_ACT_NEXT_PROGRAM,
    RUN_ACT_SLEEP,
    RUN_ACT_WAKE,
    RUN_ACT_CUT,
    RUN_ACT_SEAL,
    RUN_ACT_RESUME_EARLY,
    RUN_ACT_RESUME,
    RUN_ACT_GATHER,
    RUN_ACT_FINISH,
} RunAction;

typedef enum RunSide { RUN_ON_REPLICA = 1, RUN_ON_PRIMARY = 2, RUN_ANYWHERE = 3 } RunSide;

typedef struct RunRow {
    RunSide side;
    RunState from;
    RunEvent event;
    RunState to;
    RunAction action;
    const char *reason;
} RunRow;

const RunRow *run_machine_find(RunSide side, RunState from, RunEvent event); /* NULL: an error */
RunAction run_machine_again(RunState s);

const char *run_state_name(RunState s); /* as in the journal */
const char *run_state_wire(RunState s); /* as in AgentRun.state: cutting shows as running */
bool run_state_from_name(const char *name, RunState *ret);
bool run_state_is_final(RunState s);
const char *run_event_name(RunEvent e);
void run_machine_draw(RunSide side, Str *out); /* Mermaid */
