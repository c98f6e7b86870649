/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_run.h"

const WireEnum coord_run_state_names = WIRE_ENUM_NAMES(COORD_RUN_STATE_VALUES);
const WireEnum agent_run_state_names = WIRE_ENUM_NAMES(AGENT_RUN_STATE_VALUES);
const WireEnum run_outcome_names = WIRE_ENUM_NAMES(RUN_OUTCOME_VALUES);

const WireField run_source_fields[] = WIRE_FIELDS(RunSource, RUN_SOURCE_LIST);
const WireField gather_order_fields[] = WIRE_FIELDS(GatherOrder, GATHER_ORDER_LIST);
const WireField start_by_fields[] = WIRE_FIELDS(StartBy, START_BY_LIST);
const WireField run_spec_fields[] = WIRE_FIELDS(RunSpec, RUN_SPEC_LIST);
const WireField run_align_fields[] = WIRE_FIELDS(RunAlign, RUN_ALIGN_LIST);
const WireField progress_fields[] = WIRE_FIELDS(WireProgress, WIRE_PROGRESS_LIST);
const WireField replay_fields[] = WIRE_FIELDS(Replay, REPLAY_LIST);
const WireField agent_run_fields[] = WIRE_FIELDS(AgentRun, AGENT_RUN_LIST);
const WireField run_fields[] = WIRE_FIELDS(Run, RUN_LIST);

size_t wire_run_holders(const Run *r)
{
    return r->nodes.n && json_is_object(r->detail) && json_bool(r->detail, "gathered") ? 1 : r->nodes.n;
}

bool start_by_has_passed(const StartBy *by, const char *boot_id, int64_t mono_ms)
{
    return by->boot_id && *by->boot_id && (!str_eq(by->boot_id, boot_id) || mono_ms > by->mono_ms);
}

bool coord_run_is_final(CoordRunState s)
{
    return s >= CRUN_DONE && s <= CRUN_STOPPED;
}
