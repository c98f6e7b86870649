/* SPDX-License-Identifier: Apache-2.0
 * How an agent carries out an order of a failover: asked again after each act, with what is so by then, until
 * it says answer, wait or refuse. So a kill between two acts leaves nothing to remember: the order comes
 * again and goes on from what it finds. Pure.
 *
 * Invariants: nothing is done to the server, and nothing answered, before the vote that allows it is on disk;
 * a receiver is stopped before its position is told; a server is killed before its binary log is read; nobody
 * acknowledges, and nothing is opened, by a version of the decision that another has replaced, nor does a
 * silence end by an arm that does not name it (orchestrator/core/failover).
 */
#pragma once

#include "common/wire/ballot.h"
#include "common/wire/wire_order.h"

typedef struct Order {
    OrderKind kind;
    Ballot ballot;
    bool clean; /* ORDER_FENCE: of a primary that lives and is closed */
    /* of the decision that it carries, from ORDER_ACCEPT on */
    int64_t version;
    bool open;    /* the decision lets its primary open */
    bool primary; /* this node is its primary */
    bool member;  /* … one of its members */
    bool donor;   /* ORDER_DRAIN: the primary fetches from it what it lacks */
} Order;

/* What is so on this node. */
typedef struct OrderView {
    bool recorded;    /* the vote is on disk as it stands */
    bool was_primary; /* by the last decision accepted, or it is open: a fence kills its server */
    bool server_up, receiver_runs;
    bool log_read;        /* the binary log has been read to its end since the server was killed */
    bool closed;          /* nothing can be written, nothing waits, and its last position is known */
    bool drained;         /* all that was received is applied, and what the donor has */
    bool follows;         /* it replicates from the decision's primary */
    bool ahead;           /* it has transactions that the primary lacks */
    bool has_all;         /* it has received all that the primary had when it was drained */
    bool armed, writable; /* it acknowledges; its server is open */
    bool silent_anew;     /* since the decision was put to the voters: the order names an earlier silence */
    bool strict;          /* an act of this ballot has made commits wait for as many as the decision says */
    bool probed;          /* a commit was acknowledged since it opened */
} OrderView;

typedef enum OrderAct {
    ORDER_REFUSE, /* `v->promised` says why, or it is ahead */
    ORDER_RECORD,
    ORDER_STOP_RECEIVER,
    ORDER_KILL_SERVER,
    ORDER_READ_LOG,
    ORDER_SET_CLOSED, /* semi-sync stays on */
    ORDER_REOPEN,     /* not of an order: nobody has asked for more in time */
    ORDER_APPLY_ALL,
    ORDER_REPOINT,
    ORDER_SET_ARMED,
    ORDER_SET_SILENT, /* not of an order: the decision leaves it out, whoever starts its receiver */
    ORDER_SET_OPEN,   /* semi-sync on first */
    ORDER_WRITE_PROBE,
    ORDER_WAIT, /* for the server, or for what it has yet to receive */
    ORDER_ANSWER,
} OrderAct;

/* Changes `v` as the order demands; the caller sets `recorded` false when it has. */
bool order_vote(Voter *v, const Order *o);
/* One that was closed in `closed_in` may be opened again without being told: nothing was promised or decided
 * since. */
bool order_may_reopen(const Voter *v, Ballot closed_in);
OrderAct order_next(const Voter *v, const Order *o, const OrderView *view);
