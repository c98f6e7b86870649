/* SPDX-License-Identifier: Apache-2.0
 * Tables of names and of fields of the wire objects; wire.h says what the fields mean.
 */
#include "wire.h"

const WireEnum task_kind_names = WIRE_ENUM_NAMES(TASK_KIND_VALUES);
const WireEnum node_role_names = WIRE_ENUM_NAMES(NODE_ROLE_VALUES);
const WireEnum fill_phase_names = WIRE_ENUM_NAMES(FILL_PHASE_VALUES);
const WireEnum order_kind_names = WIRE_ENUM_NAMES(ORDER_KIND_VALUES);
const WireEnum task_state_names = WIRE_ENUM_NAMES(TASK_STATE_VALUES);
const WireEnum task_action_names = WIRE_ENUM_NAMES(TASK_ACTION_VALUES);
const WireEnum on_error_names = WIRE_ENUM_NAMES(ON_ERROR_VALUES);
const WireEnum preempt_names = WIRE_ENUM_NAMES(PREEMPT_VALUES);
const WireEnum window_end_names = WIRE_ENUM_NAMES(WINDOW_END_VALUES);
const WireEnum brake_kind_names = WIRE_ENUM_NAMES(BRAKE_KIND_VALUES);
const WireEnum coord_run_state_names = WIRE_ENUM_NAMES(COORD_RUN_STATE_VALUES);
const WireEnum agent_run_state_names = WIRE_ENUM_NAMES(AGENT_RUN_STATE_VALUES);
const WireEnum orphan_policy_names = WIRE_ENUM_NAMES(ORPHAN_POLICY_VALUES);
const WireEnum missed_runs_names = WIRE_ENUM_NAMES(MISSED_RUNS_VALUES);
const WireEnum run_outcome_names = WIRE_ENUM_NAMES(RUN_OUTCOME_VALUES);
const WireEnum lease_phase_names = WIRE_ENUM_NAMES(LEASE_PHASE_VALUES);
const WireEnum disk_fault_names = WIRE_ENUM_NAMES(DISK_FAULT_VALUES);
const WireEnum receiver_state_names = WIRE_ENUM_NAMES(RECEIVER_STATE_VALUES);
const WireEnum acknowledger_names = WIRE_ENUM_NAMES(ACKNOWLEDGER_VALUES);
const WireEnum node_health_names = WIRE_ENUM_NAMES(NODE_HEALTH_VALUES);

const WireField written_fields[] = WIRE_FIELDS(Written, WRITTEN_LIST);
const WireField order_server_fields[] = WIRE_FIELDS(OrderServer, ORDER_SERVER_LIST);
const WireField agent_poll_fields[] = WIRE_FIELDS(AgentPoll, AGENT_POLL_LIST);
const WireField task_plan_fields[] = WIRE_FIELDS(TaskPlan, TASK_PLAN_LIST);
const WireField task_spec_fields[] = WIRE_FIELDS(TaskSpec, TASK_SPEC_LIST);
const WireField run_source_fields[] = WIRE_FIELDS(RunSource, RUN_SOURCE_LIST);
const WireField gather_order_fields[] = WIRE_FIELDS(GatherOrder, GATHER_ORDER_LIST);
const WireField start_by_fields[] = WIRE_FIELDS(StartBy, START_BY_LIST);
const WireField run_spec_fields[] = WIRE_FIELDS(RunSpec, RUN_SPEC_LIST);
const WireField run_align_fields[] = WIRE_FIELDS(RunAlign, RUN_ALIGN_LIST);
const WireField progress_fields[] = WIRE_FIELDS(WireProgress, WIRE_PROGRESS_LIST);
const WireField replay_fields[] = WIRE_FIELDS(Replay, REPLAY_LIST);
const WireField agent_run_fields[] = WIRE_FIELDS(AgentRun, AGENT_RUN_LIST);
const WireField server_state_fields[] = WIRE_FIELDS(ServerState, SERVER_STATE_LIST);
const WireField lease_state_fields[] = WIRE_FIELDS(LeaseState, LEASE_STATE_LIST);
const WireField agent_event_fields[] = WIRE_FIELDS(AgentEvent, AGENT_EVENT_LIST);
const WireField vault_figures_fields[] = WIRE_FIELDS(VaultFigures, VAULT_FIGURES_LIST);
const WireField rescue_state_fields[] = WIRE_FIELDS(RescueState, RESCUE_STATE_LIST);
const WireField tasklet_param_fields[] = WIRE_FIELDS(TaskletParam, TASKLET_PARAM_LIST);
const WireField tasklet_fields[] = WIRE_FIELDS(Tasklet, TASKLET_LIST);
const WireField tasklet_fault_fields[] = WIRE_FIELDS(TaskletFault, TASKLET_FAULT_LIST);
const WireField job_info_fields[] = WIRE_FIELDS(JobInfo, JOB_INFO_LIST);
const WireField result_info_fields[] = WIRE_FIELDS(ResultInfo, RESULT_INFO_LIST);
const WireField wire_ballot_fields[] = WIRE_FIELDS(WireBallot, WIRE_BALLOT_LIST);
const WireField wire_decision_fields[] = WIRE_FIELDS(WireDecision, WIRE_DECISION_LIST);
const WireField vote_state_fields[] = WIRE_FIELDS(VoteState, VOTE_STATE_LIST);
const WireField fill_order_fields[] = WIRE_FIELDS(FillOrder, FILL_ORDER_LIST);
const WireField fill_state_fields[] = WIRE_FIELDS(FillState, FILL_STATE_LIST);
const WireField agent_order_fields[] = WIRE_FIELDS(AgentOrder, AGENT_ORDER_LIST);
const WireField order_answer_fields[] = WIRE_FIELDS(OrderAnswer, ORDER_ANSWER_LIST);
const WireField source_fault_fields[] = WIRE_FIELDS(SourceFault, SOURCE_FAULT_LIST);
const WireField node_state_fields[] = WIRE_FIELDS(NodeState, NODE_STATE_LIST);
const WireField run_fields[] = WIRE_FIELDS(Run, RUN_LIST);
const WireField task_fields[] = WIRE_FIELDS(Task, TASK_LIST);
const WireField node_fields[] = WIRE_FIELDS(Node, NODE_LIST);
const WireField queue_brake_fields[] = WIRE_FIELDS(QueueBrake, QUEUE_BRAKE_LIST);
const WireField finding_fields[] = WIRE_FIELDS(Finding, FINDING_LIST);
