/* SPDX-License-Identifier: Apache-2.0
 * A server that is filled with another's data: the order, and how far it is.
 */
#pragma once

#include "wire_order.h"

/* clang-format off */

#define FILL_PHASE_VALUES(E)          \
    E(FILL_CHECKING, "checking")      \
    E(FILL_EMPTYING, "emptying")      \
    E(FILL_DUMPING, "dumping")        \
    E(FILL_RESTORING, "restoring")    \
    E(FILL_JOINING, "joining")        \
    E(FILL_FILLED, "filled")          \
    E(FILL_FAILED, "failed")
WIRE_ENUM(FillPhase, FILL, FILL_PHASE_VALUES);
extern const WireEnum fill_phase_names;

/* POST /v1/fill, from the role coordinator: this node's server gets the data of the donor, which stands at
 * `gtid` until they are dumped, and follows `source` from there. The same order again goes on with what is
 * begun; another id begins anew. Answered by a FillState. */
#define FILL_ORDER_LIST(F, T)                                          \
    F(T, STR, id) /* one word; each try of the coordinator's its own */ \
    F(T, STR, gtid)                                                    \
    F(T, OBJ, donor, OrderServer, order_server_fields)                 \
    F(T, OBJ, source, OrderServer, order_server_fields)                \
    F(T, BOOL, replaces) /* what the server holds goes; else one that holds anything is refused */ \
    F(T, BOOL, discards) /* … also transactions that the donor has not received */                 \
    F(T, INT, max_rate) /* bytes a second that are read from the donor; 0: no limit */             \
    F(T, STR, by)
WIRE_STRUCT(FillOrder, FILL_ORDER_LIST);
extern const WireField fill_order_fields[];

/* In the agent's journal, and in its state. */
#define FILL_STATE_LIST(F, T)                          \
    F(T, OBJ, order, FillOrder, fill_order_fields)     \
    F(T, ENUM, phase, FillPhase, fill_phase_names)     \
    F(T, STR, error) /* of a failed one */             \
    F(T, BOOL, touched) /* what the server held is gone: it serves for nothing before it is filled */ \
    F(T, TIME, started_at)                             \
    F(T, TIME, phase_at)                               \
    F(T, INT, done) /* bytes of this phase */          \
    F(T, INT, total)                                   \
    F(T, TIME, moved_at) /* `done` grew, or the phase began */ \
    F(T, STR, note) /* what is being read or loaded */ \
    F(T, NUM, rate) /* per second, of late */          \
    F(T, NUM, eta_s) /* -1: not known */
WIRE_STRUCT(FillState, FILL_STATE_LIST);
extern const WireField fill_state_fields[];
/* clang-format on */
