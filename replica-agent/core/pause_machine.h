/* SPDX-License-Identifier: Apache-2.0
 * The pause lease as a table: what stands between "a replica is asked to stop applying" and "it has caught
 * up with its own settings". Runs and people own a pause; only this machine touches the applier. Pure.
 * Every action is idempotent: after a restart of the agent the action of the state found runs again.
 */
#pragma once

#include "common/base/str.h"

typedef enum PauseState {
    PAUSE_NONE,
    PAUSE_PAUSING,     /* the lease is on disk, STOP is under way */
    PAUSE_ABANDONED,   /* a STOP may still take effect: wait until it has, then start again */
    PAUSE_FROZEN,      /* stopped, position in the lease */
    PAUSE_ALIGNING,    /* moving on to the common GTID of several replicas */
    PAUSE_RESUMING,    /* START is not confirmed yet */
    PAUSE_RESCUING,    /* both threads stand still, what the relay files hold is being applied */
    PAUSE_CATCHING_UP, /* applying, boosted */
    PAUSE_RESTORING,   /* putting the server's own settings back */
    PAUSE_STATES
} PauseState;

typedef enum PauseEvent {
    PAUSE_EV_TAKE,
    PAUSE_EV_NOT_WRITTEN,  /* the lease could not be written: the STOP was not sent */
    PAUSE_EV_STOPPED,      /* STOP (or the alignment) is done and verified */
    PAUSE_EV_STOP_FAILED,  /* the statement was refused and nothing of it is left */
    PAUSE_EV_STOP_UNKNOWN, /* no answer in time */
    PAUSE_EV_ALIGN,
    PAUSE_EV_RELEASE,        /* the owner has ended, the limit passed, or a person wants it */
    PAUSE_EV_MOVED,          /* the applier runs although the lease says frozen */
    PAUSE_EV_RESTARTED,      /* another server process than the lease's */
    PAUSE_EV_RESTARTED_HELD, /* the same, and the lease was taken with hold */
    PAUSE_EV_STARTED,
    PAUSE_EV_START_FAILED, /* refused, or no answer: will be tried again */
    PAUSE_EV_RESCUE,       /* a START would throw away what the relay files hold */
    PAUSE_EV_RESCUED,
    PAUSE_EV_RESCUE_FAILED,    /* not applied yet: will be tried again */
    PAUSE_EV_RESCUE_DISTURBED, /* the same, because somebody has started the receiver */
    PAUSE_EV_APPLIER_FAILED,   /* by an error, and its position cannot be trusted */
    PAUSE_EV_CAUGHT_UP,
    PAUSE_EV_TAKEN_OVER, /* somebody else stopped the applier while it was catching up */
    PAUSE_EV_RESTORED,
    PAUSE_EV_RESTORE_FAILED,
    PAUSE_EV_STALLED, /* what was received is not applied, and does not come any more */
    PAUSE_EVENTS
} PauseEvent;

typedef enum PauseAction {
    PAUSE_ACT_NONE,
    PAUSE_ACT_STOP,
    PAUSE_ACT_AWAIT_STOP, /* STOP again until the thread is seen stopped */
    PAUSE_ACT_ALIGN,
    PAUSE_ACT_START,
    PAUSE_ACT_RESCUE,
    PAUSE_ACT_WATCH, /* the probe measures; nothing to do */
    PAUSE_ACT_RESTORE,
    PAUSE_ACT_DROP, /* the lease is removed */
} PauseAction;

typedef struct PauseRow {
    PauseState from;
    PauseEvent event;
    PauseState to;
    PauseAction action;
    const char *reason;
} PauseRow;

/* NULL: the event does not belong to the state, an error to be logged. */
const PauseRow *pause_machine_find(PauseState from, PauseEvent event);
/* What a restarted agent does first in this state. */
PauseAction pause_machine_again(PauseState s);

const char *pause_state_name(PauseState s); /* as in the lease's record */
/* Of a lease that is on record: abandoned where its state is none that this version knows. */
PauseState pause_state_of_lease(const char *name);
const char *pause_state_phase(PauseState s); /* LeaseState.phase: pausing frozen resuming rescuing
                                                catching_up; NULL */
const char *pause_event_name(PauseEvent e);
void pause_machine_draw(Str *out); /* Mermaid */
