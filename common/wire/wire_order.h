/* SPDX-License-Identifier: Apache-2.0
 * The orders of a failover, what a voter promises and accepts, and what an agent answers.
 */
#pragma once

#include "wire.h"

/* clang-format off */

/* What a coordinator orders of an agent to replace a primary (orchestrator/core/failover.h says when). */
#define ORDER_KIND_VALUES(E)    \
    E(ORDER_PROMISE, "promise") \
    E(ORDER_FENCE, "fence")     \
    E(ORDER_CLOSE, "close")     \
    E(ORDER_ACCEPT, "accept")   \
    E(ORDER_DRAIN, "drain")     \
    E(ORDER_FOLLOW, "follow")   \
    E(ORDER_ARM, "arm")         \
    E(ORDER_OPEN, "open")       \
    E(ORDER_PROBE, "probe")
WIRE_ENUM(OrderKind, ORDER, ORDER_KIND_VALUES);
extern const WireEnum order_kind_names;

/* Where a server takes connections of replicas. */
#define ORDER_SERVER_LIST(F, T) \
    F(T, STR, node)             \
    F(T, STR, host)             \
    F(T, INT, port)
WIRE_STRUCT(OrderServer, ORDER_SERVER_LIST);
extern const WireField order_server_fields[];

/* A term and its owner (common/wire/ballot.h). They are apart from the term of /v1/poll: neither raises the
 * other. */
#define WIRE_BALLOT_LIST(F, T)           \
    F(T, INT, term) /* 0: none */        \
    F(T, STR, owner) /* hex, 16 digits */
WIRE_STRUCT(WireBallot, WIRE_BALLOT_LIST);
extern const WireField wire_ballot_fields[];

/* What the voters accept: who is the primary, which replicas may acknowledge its commits, how many must. */
#define WIRE_DECISION_LIST(F, T)                                                                       \
    F(T, OBJ, ballot, WireBallot, wire_ballot_fields)                                                  \
    F(T, INT, version) /* grows within a ballot; 0: no decision */                                     \
    F(T, STR, primary) /* a node's name, as all below */                                               \
    F(T, STR, held_by) /* whose members and acks these are: until it is open, those of the primary before */ \
    F(T, BOOL, open) /* its primary may be writable */                                                 \
    F(T, STRS, members)                                                                                \
    F(T, INT, acks)                                                                                    \
    F(T, INT, fence_ms) /* so long the word of a member counts that nobody has asked it to follow another; 0: not told */
WIRE_STRUCT(WireDecision, WIRE_DECISION_LIST);
extern const WireField wire_decision_fields[];

/* A voter's record, as it stands in its journal. While shut, no receiver of its server is started. */
#define VOTE_STATE_LIST(F, T)                           \
    F(T, OBJ, promised, WireBallot, wire_ballot_fields) \
    F(T, BOOL, shut)                                    \
    F(T, OBJ, accepted, WireDecision, wire_decision_fields)
WIRE_STRUCT(VoteState, VOTE_STATE_LIST);
extern const WireField vote_state_fields[];

/* POST /v1/order, from the role coordinator; the agent looks at what is there and goes on from it, so that an
 * order may come any number of times, and comes until it is done. Answered within a few seconds by an
 * OrderAnswer:
 *
 *   200  done, or not yet: `waits_for` says what for. Ask again
 *   409  refused: `promised` is a later ballot (or another owner's of that term), or `waits_for` says why it
 *        cannot be. With an "error" beside it, as all that fails has. What was refused will be again
 *   others: as any call. Nothing was promised
 */
#define AGENT_ORDER_LIST(F, T)                                                                            \
    F(T, ENUM, kind, OrderKind, order_kind_names)                                                         \
    F(T, OBJ, ballot, WireBallot, wire_ballot_fields) /* that the order is given in */                    \
    F(T, BOOL, kill) /* fence: this node is the primary to be replaced. Its server is killed, and its binary log read */ \
    F(T, BOOL, clean) /* fence: … it is kept closed instead, and lives */                                 \
    F(T, INT, for_ms) /* close: it opens by itself after that, unless a fence has come */                 \
    F(T, INT, kill_after_ms) /* close, follow: sessions in its way are ended after that; 0: they stay */    \
    F(T, OBJ, decision, WireDecision, wire_decision_fields) /* from accept on; its ballot is the order's */ \
    /* drain: the donor, node NULL: none. follow: the winner */                                           \
    F(T, OBJ, source, OrderServer, order_server_fields)                                                   \
    F(T, INT, silence) /* arm: the node's, that it ends: NodeState.silence before the decision was put to the voters */ \
    /* `received` of an answer: follow: of the winner's drain; drain: of the donor's fence; fence: of the     \
     * close: it is applied before the receiver is stopped */                                             \
    F(T, STR, gtid)
WIRE_STRUCT(AgentOrder, AGENT_ORDER_LIST);
extern const WireField agent_order_fields[];

#define ORDER_ANSWER_LIST(F, T)                                                                           \
    F(T, ENUM, kind, OrderKind, order_kind_names)                                                         \
    F(T, BOOL, done)                                                                                      \
    F(T, STR, waits_for) /* a sentence for people, unless done */                                         \
    F(T, OBJ, promised, WireBallot, wire_ballot_fields)                                                   \
    F(T, OBJ, accepted, WireDecision, wire_decision_fields) /* version 0: none yet */                     \
    /* a GTID set: fence: all it has received, or what its binary log holds; close: that; drain: all it has now */ \
    F(T, STR, received)                                                                                   \
    F(T, BOOL, ended) /* fence: it was killed, or is closed to everybody: `received` is all it has written */ \
    F(T, BOOL, closed) /* close, fence: it is closed to all but accounts with every right; of a fence that is not done: \
                          its server was sent SIGKILL and has not ended */                                \
    F(T, INT, closed_for_ms) /* close: so long nothing could be written; -1: not known */                 \
    F(T, STR, ahead) /* follow, refused: GTIDs of its own that the winner lacks */                        \
    /* what is so now, whatever was ordered */                                                            \
    F(T, BOOL, drained)                                                                                   \
    F(T, BOOL, follows)                                                                                   \
    F(T, BOOL, armed)                                                                                     \
    F(T, INT, silence) /* as in NodeState */                                                              \
    F(T, BOOL, writable)                                                                                  \
    F(T, BOOL, probed)
WIRE_STRUCT(OrderAnswer, ORDER_ANSWER_LIST);
extern const WireField order_answer_fields[];
/* clang-format on */
