/* SPDX-License-Identifier: Apache-2.0
 * Who is the primary, decided so that no acknowledged write is lost and no two servers are open: a pure step
 * from an event with its time to orders for the agents. docs/failover.md has the argument.
 *
 * Nodes are numbers below FAILOVER_NODES, those of the configuration; the daemon gives them names. Received
 * positions are opaque numbers, compared by what the caller says of them. Every order may be lost, repeated
 * or answered late: an answer counts only in the ballot and phase that asked for it, and what is outstanding
 * is asked again at each look.
 *
 * Terms used here: voters are all agents. Members are the replicas that may acknowledge the primary's
 * commits; each commit needs `acks` of them. With n members, what n - acks + 1 of them have received holds
 * all that was ever acknowledged.
 *
 * A primary counts whoever acknowledges; that only members do is for the agents to keep, one of which may
 * know nothing of the last decision: its host was off, or it could not be reached. So a replica acknowledges
 * nothing from each start of its receiver on, until it is armed. Each such silence has a number of its own,
 * and an arm names the one that it ends. It is sent with a decision alone that was put to the voters after
 * the number was heard. Who is counted out is in a silence that no arm names, or off: to acknowledge again it
 * needs a decision later than that, and no coordinator gets one accepted that a later one has replaced.
 */
#pragma once

#include "common/wire/ballot.h"

enum { FAILOVER_NODES = 32, FAILOVER_NOBODY = -1 };
typedef uint32_t NodeSet;

/* What the voters accept. While it is not open, no commit has been acknowledged under it: `members` and
 * `acks` are still those of the primary before (`held_by`), so whoever takes over from here counts those. */
typedef struct Decision {
    Ballot ballot;
    int64_t version; /* grows within a ballot; 0: no decision */
    int primary, held_by;
    bool open;
    NodeSet members;
    int acks;
} Decision;

typedef enum FailoverPhase {
    FAILOVER_IDLE,      /* the decision stands */
    FAILOVER_ASKING,    /* a coordinator has begun: promises of a majority, no receiver is stopped */
    FAILOVER_CONFIRM,   /* the decision that was found is accepted again in our ballot */
    FAILOVER_CLOSING,   /* a switchover: the primary, which lives, is closed to writes; it can be undone */
    FAILOVER_FENCING,   /* promises that stop the receivers */
    FAILOVER_DECIDING,  /* the winner is put to the voters */
    FAILOVER_DRAINING,  /* it applies all that was received, its own or a donor's */
    FAILOVER_FOLLOWING, /* the others replicate from it */
    FAILOVER_RECORDING, /* its members are put to the voters, with leave to open */
    FAILOVER_WAITING,   /* the old primary may still answer reads */
    FAILOVER_ARMING,    /* its members acknowledge */
    FAILOVER_OPENING,   /* it waits for acknowledgements, then is writable */
    FAILOVER_PROBING,   /* one commit, acknowledged */
    FAILOVER_DEPOSED,   /* a later ballot was seen: this coordinator does nothing more in its own */
    FAILOVER_PHASES
} FailoverPhase;

typedef struct FailoverRules {
    NodeSet voters, servers; /* servers: voters that are no mere witness */
    NodeSet never;           /* not to be promoted: configuration, filters, no binary log, … */
    NodeSet prefer, avoid;   /* … if it can be helped */
    NodeSet partial; /* their binary log leaves out some of what they apply: nobody fetches from them */
    NodeSet slow;    /* … comes late, after a pause or a delay on purpose: only if nobody else has it */
    int acks;        /* that a commit of the winner shall wait for */
    bool alone;      /* a winner that nobody follows may open without acknowledgements */
    bool loose;      /* the primary was seen committing without acknowledgements: what its members
                        have received tells nothing */
    /* what a person takes upon himself */
    int64_t loss_after_ms;   /* then those that have promised are enough, whoever they are; 0: never */
    bool old_is_off;         /* the old primary's host is off: nobody waits for it to close */
    int64_t forced_after_ms; /* … and then the voters that answer are enough, though no majority; 0: never */
    int64_t fence_wait_ms;   /* 1.01 fence_after + close_ms */
    int64_t close_wait_ms;   /* a switchover is given up where the primary is not closed in that time */
    int64_t closed_most_ms;  /* … or nobody is decided so long after it was; then it opens again */
    int64_t follow_wait_ms;  /* for more followers than needed */
    int64_t phase_limit_ms;  /* then it is told what is waited for */
} FailoverRules;

typedef struct FailoverNode {
    int received; /* position, as promised */
    /* The old primary */
    bool ended;  /* its server is killed, or closed to everybody: `received` is all it has written */
    bool closed; /* … to all but accounts with every right: what they write still needs its members */
} FailoverNode;

typedef struct Failover {
    FailoverPhase phase;
    int64_t heard;   /* the greatest term that anybody told */
    Ballot mine;     /* on the coordinator's disk before it is used */
    Decision base;   /* the latest that any promise told */
    Decision chosen; /* ours */
    NodeSet promised, fenced, accepted, follows, armed;
    int64_t silence[FAILOVER_NODES]; /* that an arm by the decision of this ballot ends; 0: none */
    FailoverNode nodes[FAILOVER_NODES];
    int donor;  /* the winner fetches from it what it has not received */
    bool clean; /* a switchover: the old primary is closed, not killed, and follows the winner at once */
    bool closed, held;
    int64_t closed_ms;             /* when it was told */
    bool drained, donated, opened; /* the winner has applied all; the donor has all it received */
    int64_t phase_ms, fenced_ms;   /* begin of the phase; when the fence was complete */
    bool told;                     /* what is waited for, in this phase */
} Failover;

typedef enum FailoverEventKind {
    FAILOVER_EV_TICK,
    FAILOVER_EV_TAKE_OVER, /* `ballot` is ours from now on, above all that was heard */
    FAILOVER_EV_BEGIN,     /* the same, and the primary is to be replaced; `clean`: it lives */
    FAILOVER_EV_CLOSED,
    /* Of an idle one, whose ballot stands: `node`, in `silence`, becomes a member before it acknowledges.
     * One that is a member, and is silent again, stays one by a new version; also while members are armed. */
    FAILOVER_EV_GROW,
    /* … is no member any more. It is silent, no arm of this ballot names that silence, and the rest hold all
     * that it ever acknowledged: the caller knows. */
    FAILOVER_EV_SHRINK,
    /* Commits of an idle one's primary wait for `acks` of its members by now, and the members hold all that
       it committed before: the caller knows. */
    FAILOVER_EV_RAISE,
    FAILOVER_EV_GIVE_UP, /* the primary lives: what was decided before stands, if nothing else is yet */
    /* The old primary's server was sent SIGKILL and has not ended yet, its disk hangs: it executes nothing
     * more, and what it has written is not known. */
    FAILOVER_EV_HELD,
    FAILOVER_EV_PROMISED, /* `accepted`, and if it was asked to stop: `received`, `ended` */
    FAILOVER_EV_ACCEPTED, /* `version` */
    FAILOVER_EV_DRAINED,
    FAILOVER_EV_FOLLOWS, /* and has received all that the winner had when it was drained */
    FAILOVER_EV_ARMED,   /* it acknowledges */
    FAILOVER_EV_OPENED,
    FAILOVER_EV_PROBED,
    FAILOVER_EV_REFUSED, /* it has promised `ballot`, a later one */
} FailoverEventKind;

typedef struct FailoverEvent {
    FailoverEventKind kind;
    int64_t now_ms; /* boot clock */
    int node;
    int acks;
    int64_t silence; /* FOLLOWS, GROW: the node's */
    Ballot ballot;   /* that the answer belongs to */
    bool stopped, clean;
    FailoverNode reading;
    Decision accepted;
    int64_t version;
} FailoverEvent;

typedef enum FailoverOrderKind {
    FAILOVER_PROMISE, /* answer with what was accepted */
    /* the same, receivers stopped; the old primary's server is killed and its binary log read, or, where the
     * order is `clean`, it is kept closed */
    FAILOVER_FENCE,
    FAILOVER_CLOSE,  /* nothing more is written; it opens by itself where nobody goes on */
    FAILOVER_ACCEPT, /* `decision` */
    FAILOVER_DRAIN,  /* apply all that was received; the winner also what `donor` has */
    FAILOVER_FOLLOW, /* replicate from the winner */
    FAILOVER_ARM,    /* acknowledge its commits, out of Failover.silence of the node */
    FAILOVER_OPEN,   /* semi-sync on, then writable */
    FAILOVER_PROBE,
    FAILOVER_TELL, /* not an order: what the phase waits for, once */
} FailoverOrderKind;

typedef struct FailoverOrder {
    FailoverOrderKind kind;
    NodeSet to;
    Ballot ballot;
    Decision decision;
    int donor;
    bool clean;
} FailoverOrder;

enum { FAILOVER_ORDERS = 8 };
typedef struct FailoverOrders {
    FailoverOrder v[FAILOVER_ORDERS];
    int n;
    int64_t wake_ms; /* look again at the latest; 0: nothing is due */
} FailoverOrders;

/* Position `a` holds all of `b`. */
typedef bool FailoverCovers(const void *arg, int a, int b);

void failover_init(Failover *f, const Decision *known);
void failover_step(Failover *f, const FailoverRules *r, const FailoverEvent *ev, FailoverCovers *covers,
                   const void *arg, FailoverOrders *ret);
