/* SPDX-License-Identifier: Apache-2.0
 * Which replica is given new data without a person, and when: one whose own agent says that its data are
 * broken, for so long without a gap, while nothing else is amiss. Never one that has what the primary lacks:
 * that is a person's decision. Whatever speaks against it begins the time anew (it does not answer, is down,
 * paused, delayed, cordoned; maintenance; a failover); what only delays it does not (another one under way,
 * the day's limit, no donor). A pure step: readings and the record of earlier tries in, at most one node to
 * begin with out, and what is to be told.
 */
#pragma once

#include "provision.h"

typedef struct ReprovisionRules {
    bool automatic;
    int64_t after_ms, per_day;
} ReprovisionRules;

typedef struct ReprovisionNode {
    const Node *node;
    const Node *donor;             /* whose data it would get; NULL: none serves */
    bool fresh, follows, cordoned; /* fresh: its agent answers; follows: it replicates from the primary */
} ReprovisionNode;

typedef struct ReprovisionView {
    const ReprovisionNode *nodes;
    size_t n;
    const Node *primary;           /* NULL: not known */
    const char *held;              /* why nothing is decided now, of the cluster; NULL: it may be */
    int64_t spare;                 /* replicas that may be paused */
    const ProvisionRecord *record; /* under way, or the last, with what was tried */
    int64_t now_ms, wall_ms;       /* monotonic, wall clock */
} ReprovisionView;

typedef enum ReprovisionState {
    REPROVISION_WELL,
    REPROVISION_SOON,     /* its time runs */
    REPROVISION_WAITS,    /* it is due, or would be, but for `reason` */
    REPROVISION_DECISION, /* it has what the primary lacks */
} ReprovisionState;

typedef struct ReprovisionWatch {
    char *node;
    ReprovisionState state;
    char *reason, *text; /* text: for people; NULL: nothing to say */
    int64_t since_ms;    /* monotonic; 0: it is not broken */
    bool looked_at;
} ReprovisionWatch;

/* Zeroed, it has seen nothing. In memory alone: a coordinator that starts counts anew. */
typedef struct Reprovision {
    ReprovisionWatch *v;
    size_t n;
    int64_t looked_ms;
} Reprovision;

typedef struct ReprovisionNews {
    const char *level, *node; /* node: of the view */
    char *text;
} ReprovisionNews;

typedef struct ReprovisionOut {
    const ReprovisionNode *begin; /* NULL: none */
    char *why;
    ReprovisionNews *news;
    size_t n;
} ReprovisionOut;

void reprovision_step(Reprovision *s, const ReprovisionRules *r, const ReprovisionView *v,
                      ReprovisionOut *ret);
void reprovision_out_done(ReprovisionOut *o);
void reprovision_done(Reprovision *s);
const char *reprovision_text(const Reprovision *s, const char *node); /* NULL: nothing to say of it */

/* Notes the try that `r` is, and lets go of those that count for nothing any more. */
void reprovision_note(ProvisionRecord *r);
/* What was tried before cannot be read: nothing more by itself for a day. */
void reprovision_note_unknown(ProvisionRecord *r, int64_t wall_ms);
