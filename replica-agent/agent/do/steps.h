/* SPDX-License-Identifier: Apache-2.0
 * The operations of server/op_*.h as steps of the agent: each runs in a worker thread with copies of all it
 * needs, and comes back to the loop with what it saw. Only an adapter: what each does, and what its results
 * mean, is said there.
 */
#pragma once

#include "common/wire/wire.h"
#include "jobproof.h"
#include "replica-agent/core/boot.h"
#include "replica-agent/core/lease.h"
#include "replica-agent/core/preflight.h"
#include "replica-agent/server/op.h"
#include "replica-agent/server/vault.h"

typedef enum StepKind {
    STEP_SURVEY,  /* what the server is and has; findings */
    STEP_STOP,    /* stop the applier, read where it stands */
    STEP_ALIGN,   /* move the stopped applier on to `gtid` exactly */
    STEP_VERIFY,  /* does it still stand as the lease says */
    STEP_START,   /* start what may be started */
    STEP_RETUNE,  /* another way of applying: the applier is stopped and started */
    STEP_DURABLE, /* the lease's durability back while it still catches up */
    STEP_RESTORE, /* the lease's settings back, the applier running */
    STEP_ROLE,    /* read_only and semi-sync */
} StepKind;

typedef enum StepResult {
    STEP_OK = OP_DONE,
    STEP_FAILED = OP_FAILED,
    STEP_UNKNOWN = OP_UNKNOWN,
    STEP_WAITING = OP_WAITING, /* STEP_START: may not be started now (way says why) */
    STEP_STALLED = OP_STALLED, /* STEP_RESTORE */
    STEP_MOVED = OP_MOVED,     /* STEP_VERIFY */
} StepResult;

struct Agent;

typedef struct Step {
    StepKind kind;
    uint64_t id;
    uint64_t order; /* of the core's; 0: of none */
    struct Agent *agent;
    void (*done)(struct Agent *agent, struct Step *s); /* loop thread; the step is freed after it */
    void *arg;
    bool taken;

    /* in */
    DbTarget target;
    DbTarget rescuer; /* by the account that may replay everything; the agent's own if none is configured */
    bool has_rescuer;
    Lease lease;
    char *gtid, *file, *run;
    int64_t pos, timeout_ms, statement_ms;
    bool thorough;   /* STEP_SURVEY: settings and grants too */
    bool first;      /* STEP_STOP: the relay files are secured before it */
    bool sync_relay; /* and sync_relay_log is set for the pause */
    bool fresh_server, boost, open;
    bool may_end_rescue; /* STEP_START: no rescue of this agent is under way, a client left over is ended */
    char *vault_folder;  /* NULL: none configured */
    LeaseSettings boosted;
    JobProof proof;       /* STEP_SURVEY: jobs to look at too */
    PreflightFacts facts; /* STEP_SURVEY: what the agent knows, completed by it */
    Db *held;             /* the connection kept since the pause; in and out */
    Cancel cancel;        /* step_cancel */
    struct Step *next;    /* in flight */

    /* out */
    StepResult result;
    Err err;
    StartWay way;
    VaultPlace place; /* index NULL: not read */
    /* STEP_START, where the relay files hold more than is applied */
    char *from, *held_gtid, *errant;
    int64_t backlog;
    DbVersion version;
    ReplStatus status;
    LeaseServer server;
    LeaseSettings settings;
    WireList findings; /* Finding */
} Step;

Step *step_new(struct Agent *a, StepKind kind, void (*done)(struct Agent *, Step *));
/* Takes `s`; on failure (the pool is full) it is freed and its held connection closed. */
MUST_CHECK bool step_submit(Step *s, Err *err);
void step_free(Step *s);
/* Ends its waiting within about a second, as op.h says; `done` is called as ever. Nothing if it has come back
 * already. */
void step_cancel(uint64_t order);
void step_cancel_all(void); /* this process ends */
/* From `done`: the step is not freed behind it; whoever took it frees it. */
Step *step_keep(Step *s);
