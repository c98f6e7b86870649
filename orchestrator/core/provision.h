/* SPDX-License-Identifier: Apache-2.0
 * One more replica, or one whose data are replaced: the donor is paused, the node's agent fills its server
 * from it, the donor is let go as soon as it is not needed, and the node counts once it has caught up. A pure
 * step from what is on record and what the agents say: it looks at what is there and goes on from it, so that
 * it may be called at any time, by whichever coordinator.
 */
#pragma once

#include "common/wire/wire_node.h"

/* clang-format off */
#define PROVISION_PHASE_VALUES(E)          \
    E(PROVISION_PAUSING, "pausing")        \
    E(PROVISION_FILLING, "filling")        \
    E(PROVISION_FOLLOWING, "following")    \
    E(PROVISION_DONE, "done")              \
    E(PROVISION_FAILED, "failed")
WIRE_ENUM(ProvisionPhase, PROVISION, PROVISION_PHASE_VALUES);
extern const WireEnum provision_phase_names;

/* One that the coordinator has begun by itself (reprovision.h). */
#define PROVISION_TRY_LIST(F, T)                                    \
    F(T, STR, id)                                                   \
    F(T, STR, node) /* NULL: what was tried before is not known */  \
    F(T, TIME, started_at)                                          \
    F(T, TIME, ended_at)                                            \
    F(T, STR, error) /* ended, and NULL: it went well */
WIRE_STRUCT(ProvisionTry, PROVISION_TRY_LIST);
extern const WireField provision_try_fields[];

/* On the coordinator's disk before anything is done because of it. */
#define PROVISION_RECORD_LIST(F, T)                              \
    F(T, STR, id)                                                \
    F(T, STR, node)                                              \
    F(T, STR, donor)                                             \
    F(T, STR, by)                                                \
    F(T, ENUM, phase, ProvisionPhase, provision_phase_names)     \
    F(T, STR, gtid) /* that the donor stands at; NULL: not yet */ \
    F(T, INT, tries) /* pauses of the donor; the order's id is "ID.TRIES" */ \
    F(T, BOOL, replaces)                                         \
    F(T, BOOL, discards)                                         \
    F(T, INT, max_rate) /* bytes a second that are read from the donor; 0: no limit */ \
    F(T, STR, why) /* it was begun without a person; NULL: one asked for it */ \
    F(T, STR, error)                                             \
    F(T, TIME, started_at)                                       \
    F(T, TIME, ended_at)                                         \
    F(T, LIST, history, ProvisionTry, provision_try_fields) /* oldest first, this one too */
WIRE_STRUCT(ProvisionRecord, PROVISION_RECORD_LIST);
extern const WireField provision_record_fields[];
/* clang-format on */

typedef struct ProvisionView {
    const Node *node, *donor;   /* NULL: not configured any more */
    int64_t node_silent_ms;     /* since its agent was heard; 0: it answers */
    bool donor_heard, follows;  /* the node replicates from the primary */
    int64_t max_lag_ms, now_ms; /* now_ms: wall clock */
} ProvisionView;

typedef enum ProvisionAct {
    PROVISION_WAIT,
    PROVISION_PAUSE,  /* the donor, for the reason provision_reason() */
    PROVISION_FILL,   /* order the node's agent */
    PROVISION_RESUME, /* the donor */
} ProvisionAct;

/* May change the record, which is then written before the act. */
ProvisionAct provision_step(ProvisionRecord *r, const ProvisionView *v);
/* The act was refused: trying again would not help. */
void provision_refused(ProvisionRecord *r, const char *why, int64_t now_ms);
bool provision_is_under_way(const ProvisionRecord *r);
/* What one that is under way waits for, or does beside what FillState says; NULL: nothing. Owned. */
char *provision_waits_for(const ProvisionRecord *r, const ProvisionView *v);

char *provision_reason(const ProvisionRecord *r); /* of the donor's pause; owned */
char *provision_order(const ProvisionRecord *r);  /* id of the order to the agent; owned */

/* Why `node` is not filled from `donor` (NULL: none serves), before anything is done. False: err says so. */
MUST_CHECK bool provision_may_begin(const Node *node, const Node *donor, const Node *primary, bool replaces,
                                    Err *err);
/* Its server holds nothing whole: it is not to follow, nor to count, before it is filled. */
bool provision_is_blank(const NodeState *s);
