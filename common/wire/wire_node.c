/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_node.h"

#include "tasklet.h"

const WireEnum lease_phase_names = WIRE_ENUM_NAMES(LEASE_PHASE_VALUES);
const WireEnum receiver_state_names = WIRE_ENUM_NAMES(RECEIVER_STATE_VALUES);
const WireEnum acknowledger_names = WIRE_ENUM_NAMES(ACKNOWLEDGER_VALUES);
const WireEnum node_health_names = WIRE_ENUM_NAMES(NODE_HEALTH_VALUES);
const WireEnum disk_fault_names = WIRE_ENUM_NAMES(DISK_FAULT_VALUES);

const WireField written_fields[] = WIRE_FIELDS(Written, WRITTEN_LIST);
const WireField agent_poll_fields[] = WIRE_FIELDS(AgentPoll, AGENT_POLL_LIST);
const WireField server_state_fields[] = WIRE_FIELDS(ServerState, SERVER_STATE_LIST);
const WireField vault_figures_fields[] = WIRE_FIELDS(VaultFigures, VAULT_FIGURES_LIST);
const WireField rescue_state_fields[] = WIRE_FIELDS(RescueState, RESCUE_STATE_LIST);
const WireField lease_state_fields[] = WIRE_FIELDS(LeaseState, LEASE_STATE_LIST);
const WireField agent_event_fields[] = WIRE_FIELDS(AgentEvent, AGENT_EVENT_LIST);
const WireField job_info_fields[] = WIRE_FIELDS(JobInfo, JOB_INFO_LIST);
const WireField result_info_fields[] = WIRE_FIELDS(ResultInfo, RESULT_INFO_LIST);
const WireField source_fault_fields[] = WIRE_FIELDS(SourceFault, SOURCE_FAULT_LIST);
const WireField node_state_fields[] = WIRE_FIELDS(NodeState, NODE_STATE_LIST);
const WireField node_fields[] = WIRE_FIELDS(Node, NODE_LIST);
