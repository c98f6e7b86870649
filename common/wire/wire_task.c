/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_task.h"

#include "wire_run.h"

const WireEnum task_state_names = WIRE_ENUM_NAMES(TASK_STATE_VALUES);
const WireEnum task_action_names = WIRE_ENUM_NAMES(TASK_ACTION_VALUES);
const WireEnum missed_runs_names = WIRE_ENUM_NAMES(MISSED_RUNS_VALUES);
const WireEnum orphan_policy_names = WIRE_ENUM_NAMES(ORPHAN_POLICY_VALUES);
const WireEnum on_error_names = WIRE_ENUM_NAMES(ON_ERROR_VALUES);
const WireEnum preempt_names = WIRE_ENUM_NAMES(PREEMPT_VALUES);
const WireEnum window_end_names = WIRE_ENUM_NAMES(WINDOW_END_VALUES);
const WireEnum brake_kind_names = WIRE_ENUM_NAMES(BRAKE_KIND_VALUES);

const WireField task_plan_fields[] = WIRE_FIELDS(TaskPlan, TASK_PLAN_LIST);
const WireField task_spec_fields[] = WIRE_FIELDS(TaskSpec, TASK_SPEC_LIST);
const WireField task_fields[] = WIRE_FIELDS(Task, TASK_LIST);
const WireField queue_brake_fields[] = WIRE_FIELDS(QueueBrake, QUEUE_BRAKE_LIST);

bool task_state_is_final(TaskState s)
{
    return s >= TASK_DONE && s <= TASK_ACKNOWLEDGED;
}

bool task_recurs(const Task *t)
{
    return t->sleeptime_ms > 0 || *json_str(t->plan, "cron");
}

bool task_turn_failed(const Task *t)
{
    return t->state == TASK_WAITING && !t->attempts && t->error && *t->error && task_recurs(t);
}
