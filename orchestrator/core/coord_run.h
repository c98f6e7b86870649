/* SPDX-License-Identifier: Apache-2.0
 * One run as the coordinator leads it: a pure step from an input (with its time) and what is known to
 * effects. The agents own a run from its pause to its catch-up; this machine gives it to them, follows what
 * they report, passes on what they miss (the common GTID, go, requests), and decides what comes after.
 *
 * Two tables are the dispatch. A transition row says which event leads from which states to which, with a
 * reason for people; there is no other way to change a run's state. A duty row says what is to be done in
 * which states while something holds; a look goes through the duties in their order. Every duty may be done
 * again at any time: its effect is seen in what the agents report or in the queue, not in an answer, so that
 * after a restart the same look leads on from whatever is on record.
 *
 * Invariants: an effect about a part is emitted only while no other about it is under way (`busy`); the run's
 * state is kept once, in its row; a state changes together with CRUN_FX_WRITE and its event.
 */
#pragma once

#include "common/base/retry.h"
#include "common/db/db.h"
#include "common/wire/wire_run.h"
#include "common/wire/wire_task.h"
#include "zone.h"

/* ---- transitions ------------------------------------------------------------------------------------ */

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

typedef struct CoordRunRow {
    uint32_t from; /* set of states, 1u << state */
    CoordRunEvent event;
    CoordRunState next;
    const char *reason;
} CoordRunRow;

/* NULL: this event has no place in this state: a bug or a peer that lies, and changes nothing. */
const CoordRunRow *coord_run_find(CoordRunState state, CoordRunEvent event);
const char *coord_run_state_name(CoordRunState s); /* wire name; "unknown" */
const char *coord_run_event_name(CoordRunEvent e);
/* The table as a Mermaid state diagram, for docs/architecture.md. */
void coord_run_diagram(Str *out);

/* ---- state, input, effects -------------------------------------------------------------------------- */

/* How long an order may wait to be begun, on the agent's clock as it was last heard; and how long behind that
 * time it surely is too late: the clocks of two hosts run differently by less than a hundredth. */
enum {
    COORD_RUN_START_MS = 15000,
    COORD_RUN_BEGIN_MS = COORD_RUN_START_MS + COORD_RUN_START_MS / 100 + 1000
};

/* One agent's share of a run. */
typedef struct CoordPart {
    char *node;
    bool busy;                /* a call about it is under way */
    bool accepted;            /* the agent has taken it */
    int64_t accepted_poll;    /* polls sent later than this must show it */
    int64_t begins_until_ms;  /* an order without an answer may be begun until then; 0: there is none */
    Err refused;              /* kind ERR_NONE: not refused */
    int64_t unseen_ms;        /* since when its agent cannot be reached; 0: it can */
    bool result_dropped;      /* its result was asked to go: the first part has it */
    TaskAction request_sent;  /* the request the agent has answered */
    TaskAction request_taken; /* … and taken */
    Retry retry;
} CoordPart;

typedef struct CoordRun {
    Task *task; /* its last run is this one */
    CoordPart *parts;
    size_t n_parts;
    int64_t claimed_ms; /* monotonic */
    bool own_claim;     /* by this process: no earlier one has sent its orders */
    bool recording;     /* its upload task is being written */
    Retry record_retry;
    CoordRunState odd_state; /* last event that had no place: logged once */
    CoordRunEvent odd_event;
} CoordRun;

typedef struct CoordPartKnown {
    bool configured;    /* its agent is among the agents */
    bool fresh;         /* reported since the start, and can be reached now */
    int64_t polls_sent; /* number of the newest poll sent, and of the newest answered */
    int64_t polls_seen; /* … */
    int64_t late_ms;    /* an order sent now is begun before that, or never; 0: its agent knows no such end */
    const AgentRun *seen; /* the run as the agent reports it; NULL: it does not */
} CoordPartKnown;

typedef struct CoordRunKnown {
    const CoordPartKnown *parts; /* one a part */
    bool flavor_known;
    DbFlavor flavor;
    bool saving;        /* the task's row is being written */
    const Task *upload; /* the task of the run's upload; NULL: none, or not in memory */
    bool upload_gone;   /* it was looked up, and is not in the queue */
    const Zone *zone;   /* of the task's recurrence; NULL: it has none, or it cannot be read */
} CoordRunKnown;

typedef enum CoordRunInputKind {
    CRUN_IN_CLAIMED,  /* its claim is on record; the run is new, in state waiting */
    CRUN_IN_LOOK,     /* something that is known may have changed */
    CRUN_IN_POSTED,   /* an agent's answer to CRUN_FX_POST: part, ok, err */
    CRUN_IN_STEERED,  /* to CRUN_FX_GO, _ALIGN, _GATHER */
    CRUN_IN_ASKED,    /* to CRUN_FX_ASK; also action */
    CRUN_IN_RECORDED, /* the database's answer to CRUN_FX_RECORD_UPLOAD: ok, upload_task */
    CRUN_IN_REVIVED,  /* its upload that had failed is tried again */
} CoordRunInputKind;

typedef struct CoordRunInput {
    CoordRunInputKind kind;
    int64_t now_ms, wall_ms; /* monotonic, wall clock */
    size_t part;
    bool ok;
    Err err;
    TaskAction action;
    int64_t upload_task; /* id; 0: an earlier one is gone */
} CoordRunInput;

typedef enum CoordRunEffectKind {
    CRUN_FX_POST,          /* give the run to the agent of `part` */
    CRUN_FX_GO,            /* `part` may begin */
    CRUN_FX_ALIGN,         /* `part` moves on to `align` */
    CRUN_FX_GATHER,        /* the first part fetches the results of `parts` */
    CRUN_FX_ASK,           /* `action` of `part`, by `text` */
    CRUN_FX_DROP,          /* the result of `part` is not needed any more */
    CRUN_FX_RECORD_UPLOAD, /* a task that loads its result */
    CRUN_FX_LOOK_UP,       /* task `number`, which is not in memory */
    CRUN_FX_EVENT,         /* `level`, `node`, `text`: for people */
    CRUN_FX_LOG,           /* `level`, `text` */
    CRUN_FX_WAKE,          /* a look at `number` (monotonic ms) at the latest */
    CRUN_FX_ENDED,         /* `number`: 1 well, 0 otherwise */
    CRUN_FX_POST_PROCESS,  /* a task that the plan names for after this run */
    CRUN_FX_MAIL_LOG,      /* the log of this turn, whose attempts are over; `number` as above */
    CRUN_FX_WRITE,         /* the task's row has changed */
} CoordRunEffectKind;

typedef struct CoordRunEffect {
    CoordRunEffectKind kind;
    size_t part;
    TaskAction action;
    const char *level; /* info, warn, error */
    char *node, *text;
    int64_t number;
    RunAlign align;
    size_t *parts, n_parts;
} CoordRunEffect;

typedef struct CoordRunEffects {
    CoordRunEffect *v;
    size_t n;
} CoordRunEffects;

/* `ret` is empty before. */
void coord_run_step(CoordRun *run, const CoordRunKnown *known, const CoordRunInput *in, CoordRunEffects *ret);
void coord_run_effects_done(CoordRunEffects *e);

/* ---- the row's contents (coord_run_report.c) -------------------------------------------------------- */

/* Takes over what the parts report; `seen` as in run_view. True: something is new that belongs on record. */
bool coord_run_take_report(Run *r, const AgentRun *const *seen, size_t n);
json_t *coord_run_detail(Run *r); /* r->detail, an object */
/* Adds to the list `key` of the detail what is not in it. True: it was not. */
bool coord_run_detail_add(Run *r, const char *key, const char *text);
