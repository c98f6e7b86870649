/* SPDX-License-Identifier: Apache-2.0
 * The operations of replica-agent/server/op_*.h in the agent's pool: each runs in a worker with the input
 * that it defines, and comes back to the loop with its own output. Whoever makes one fills `in` of its kind,
 * and reads `out` of its kind; this file adds only what the pool needs.
 */
#pragma once

#include "jobproof.h"
#include "replica-agent/core/order.h"
#include "replica-agent/server/op_align.h"
#include "replica-agent/server/op_durable.h"
#include "replica-agent/server/op_order.h"
#include "replica-agent/server/op_restore.h"
#include "replica-agent/server/op_retune.h"
#include "replica-agent/server/op_role.h"
#include "replica-agent/server/op_start.h"
#include "replica-agent/server/op_stop.h"
#include "replica-agent/server/op_survey.h"
#include "replica-agent/server/op_verify.h"

struct Agent;

/* The member of the operation's kind counts. */
typedef union OperationIn {
    SurveyIn survey;
    StopIn stop;
    AlignIn align;
    VerifyIn verify;
    StartIn start;
    RetuneIn retune;
    DurableIn durable;
    RestoreIn restore;
    RoleIn role;
    OrderIn order;
} OperationIn;

typedef union OperationOut {
    SurveyOut survey;
    StopOut stop;
    AlignOut align;
    VerifyOut verify;
    StartOut start;
    RetuneOut retune;
    DurableOut durable;
    RestoreOut restore;
    RoleOut role;
    OrderOut order;
} OperationOut;

typedef struct Operation {
    OpKind kind;
    uint64_t order; /* of the core's, which may cancel it; 0: a request's own */
    OperationIn in;
    OperationOut out;
    JobProof jobs; /* OP_SURVEY: looked at behind it, into its findings */
    struct Agent *agent;
    void (*done)(struct Agent *agent, struct Operation *o); /* loop thread; `o` is freed after it */
    void *arg;
    bool kept;
    Cancel cancel;
    struct Operation *next; /* in flight */
} Operation;

/* An empty one of that kind: `in` is zeroed. */
Operation *operation_new(struct Agent *a, OpKind kind, void (*done)(struct Agent *, Operation *));
/* This host's server; an ordinary statement is waited for `ms`. */
OpServer operation_server(const struct Agent *a, int64_t ms);
void operation_survey_in(const struct Agent *a, bool thorough, SurveyIn *ret);
/* A thorough survey for a request, with the proof of one job, or of all (NULL). */
Operation *operation_survey(struct Agent *a, const char *job, void (*done)(struct Agent *, Operation *));
/* Takes `o`, unless the pool is full. */
MUST_CHECK bool operation_submit(Operation *o, Err *err);
void operation_free(Operation *o); /* takes NULL */
/* Ends its waiting within about a second, as op.h says; `done` is called as ever. Nothing if it has come back
 * already. */
void operation_cancel(uint64_t order);
void operation_cancel_all(void); /* this process ends */
/* From `done`: it is not freed behind it; whoever took it frees it. */
Operation *operation_keep(Operation *o);
