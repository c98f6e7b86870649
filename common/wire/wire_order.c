/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_order.h"

const WireEnum order_kind_names = WIRE_ENUM_NAMES(ORDER_KIND_VALUES);

const WireField order_server_fields[] = WIRE_FIELDS(OrderServer, ORDER_SERVER_LIST);
const WireField wire_ballot_fields[] = WIRE_FIELDS(WireBallot, WIRE_BALLOT_LIST);
const WireField wire_decision_fields[] = WIRE_FIELDS(WireDecision, WIRE_DECISION_LIST);
const WireField vote_state_fields[] = WIRE_FIELDS(VoteState, VOTE_STATE_LIST);
const WireField agent_order_fields[] = WIRE_FIELDS(AgentOrder, AGENT_ORDER_LIST);
const WireField order_answer_fields[] = WIRE_FIELDS(OrderAnswer, ORDER_ANSWER_LIST);
