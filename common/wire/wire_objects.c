/* SPDX-License-Identifier: Apache-2.0
 * Field tables of the wire objects; wire.h says what the fields mean.
 */
#include "wire.h"

/* clang-format off */
#define FIELD(T, f, type) {#f, type, offsetof(T, f), NULL, 0}
#define STR(T, f) FIELD(T, f, WIRE_STR)
#define INT(T, f) FIELD(T, f, WIRE_INT)
#define NUM(T, f) FIELD(T, f, WIRE_NUM)
#define BOOL(T, f) FIELD(T, f, WIRE_BOOL)
#define TIME(T, f) FIELD(T, f, WIRE_TIME)
#define STRS(T, f) FIELD(T, f, WIRE_STRS)
#define JSON(T, f) FIELD(T, f, WIRE_JSON)
#define OBJ(T, f, rows) {#f, WIRE_OBJ, offsetof(T, f), rows, 0}
#define LIST(T, f, rows, E) {#f, WIRE_LIST, offsetof(T, f), rows, sizeof(E)}
#define END {NULL, WIRE_STR, 0, NULL, 0}
/* clang-format on */

const WireField task_spec_fields[] = {
    STR(TaskSpec, job),          STR(TaskSpec, kind),
    STR(TaskSpec, on),           STR(TaskSpec, name),
    STR(TaskSpec, user),         STRS(TaskSpec, args),
    INT(TaskSpec, priority),     INT(TaskSpec, replicas),
    TIME(TaskSpec, run_at),      INT(TaskSpec, sleeptime_ms),
    BOOL(TaskSpec, fixed_time),  INT(TaskSpec, sequence_id),
    STR(TaskSpec, window),       STR(TaskSpec, unique),
    INT(TaskSpec, max_attempts), INT(TaskSpec, pause_limit_ms),
    JSON(TaskSpec, options),     END,
};

static const WireField run_source_fields[] = {
    STR(RunSource, run), STR(RunSource, node), STR(RunSource, url), INT(RunSource, shard), END,
};

const WireField gather_order_fields[] = {
    LIST(GatherOrder, sources, run_source_fields, RunSource),
    END,
};

const WireField run_spec_fields[] = {
    STR(RunSpec, run),
    STR(RunSpec, cluster_name),
    STR(RunSpec, kind),
    STR(RunSpec, job),
    STR(RunSpec, on),
    STRS(RunSpec, args),
    JSON(RunSpec, options),
    INT(RunSpec, term),
    BOOL(RunSpec, barrier),
    BOOL(RunSpec, during_catch_up),
    STR(RunSpec, after_gtid),
    TIME(RunSpec, claimed_at),
    INT(RunSpec, shard),
    INT(RunSpec, shards),
    INT(RunSpec, pause_limit_ms),
    INT(RunSpec, pause_default_ms),
    OBJ(RunSpec, source, run_source_fields),
    OBJ(RunSpec, first, run_source_fields),
    END,
};

const WireField run_align_fields[] = {
    STR(RunAlign, gtid),
    STR(RunAlign, source_file),
    INT(RunAlign, source_pos),
    END,
};

const WireField progress_fields[] = {
    INT(WireProgress, done), INT(WireProgress, total), STR(WireProgress, unit), STR(WireProgress, note), END,
};

const WireField replay_fields[] = {
    INT(Replay, backlog_trx), INT(Replay, buffered_trx),
    INT(Replay, applied_trx), NUM(Replay, seconds),
    NUM(Replay, rate),        NUM(Replay, write_rate),
    NUM(Replay, eta_s),       BOOL(Replay, settings_restored),
    STR(Replay, error),       INT(Replay, backlog_bytes),
    NUM(Replay, byte_rate),   STR(Replay, way),
    STR(Replay, next_run),    END,
};

const WireField agent_run_fields[] = {
    OBJ(AgentRun, spec, run_spec_fields),
    STR(AgentRun, state),
    STR(AgentRun, outcome),
    STR(AgentRun, error_kind),
    STR(AgentRun, error),
    STR(AgentRun, gtid),
    STR(AgentRun, binlog_gtid),
    STR(AgentRun, source_file),
    INT(AgentRun, source_pos),
    BOOL(AgentRun, aligned),
    TIME(AgentRun, accepted_at),
    TIME(AgentRun, paused_at),
    TIME(AgentRun, frozen_at),
    TIME(AgentRun, started_at),
    TIME(AgentRun, job_ended_at),
    TIME(AgentRun, resumed_at),
    TIME(AgentRun, caught_up_at),
    TIME(AgentRun, finished_at),
    OBJ(AgentRun, progress, progress_fields),
    OBJ(AgentRun, replay, replay_fields),
    STR(AgentRun, result_dir),
    BOOL(AgentRun, sealed),
    JSON(AgentRun, manifest),
    JSON(AgentRun, outcome_detail),
    INT(AgentRun, result_bytes),
    INT(AgentRun, result_compressed_bytes),
    STR(AgentRun, note),
    BOOL(AgentRun, split),
    STRS(AgentRun, lost),
    BOOL(AgentRun, gathered),
    STR(AgentRun, gather_error),
    END,
};

const WireField server_state_fields[] = {
    BOOL(ServerState, up),
    STR(ServerState, error),
    STR(ServerState, flavor),
    STR(ServerState, version),
    STR(ServerState, address),
    INT(ServerState, port),
    INT(ServerState, server_id),
    INT(ServerState, uptime_s),
    BOOL(ServerState, is_replica),
    BOOL(ServerState, uses_gtid),
    BOOL(ServerState, sql_running),
    BOOL(ServerState, read_only),
    STR(ServerState, io),
    STR(ServerState, source_host),
    STR(ServerState, source_file),
    INT(ServerState, source_port),
    INT(ServerState, source_pos),
    STR(ServerState, applied),
    STR(ServerState, binlog),
    STR(ServerState, received),
    INT(ServerState, relay_bytes),
    INT(ServerState, semi_sync_acks),
    BOOL(ServerState, acknowledges),
    STR(ServerState, io_error),
    STR(ServerState, sql_error),
    TIME(ServerState, read_at),
    END,
};

const WireField lease_state_fields[] = {
    STR(LeaseState, owner),       STR(LeaseState, reason),         STR(LeaseState, by),
    STR(LeaseState, gtid),        STR(LeaseState, phase),          TIME(LeaseState, taken_at),
    TIME(LeaseState, expires_at), BOOL(LeaseState, hold),          OBJ(LeaseState, replay, replay_fields),
    TIME(LeaseState, renewed_at), BOOL(LeaseState, renew_overdue), INT(LeaseState, relay_bytes),
    INT(LeaseState, catchup_ms),  INT(LeaseState, limit_percent),  END,
};

const WireField agent_event_fields[] = {
    INT(AgentEvent, seq),
    TIME(AgentEvent, time),
    STR(AgentEvent, level),
    STR(AgentEvent, kind),
    STR(AgentEvent, run),
    STR(AgentEvent, text),
    END,
};

const WireField vault_figures_fields[] = {
    INT(VaultFigures, files),
    INT(VaultFigures, bytes),
    INT(VaultFigures, pinned_bytes),
    END,
};

const WireField rescue_state_fields[] = {
    BOOL(RescueState, running), STR(RescueState, from),  STR(RescueState, target),
    INT(RescueState, total),    INT(RescueState, done),  INT(RescueState, tries),
    NUM(RescueState, rate),     NUM(RescueState, eta_s), END,
};

const WireField job_info_fields[] = {
    STR(JobInfo, name), STR(JobInfo, kind), STR(JobInfo, on), STR(JobInfo, upload), END,
};

const WireField result_info_fields[] = {
    STR(ResultInfo, run),           STR(ResultInfo, job),
    STR(ResultInfo, group),         TIME(ResultInfo, sealed_at),
    INT(ResultInfo, keep),          INT(ResultInfo, keep_for_ms),
    STRS(ResultInfo, destinations), STRS(ResultInfo, copies),
    BOOL(ResultInfo, part),         END,
};

const WireField node_state_fields[] = {
    STR(NodeState, node),
    STR(NodeState, cluster_name),
    STR(NodeState, version),
    STR(NodeState, boot_id),
    INT(NodeState, seq),
    INT(NodeState, term),
    STR(NodeState, role),
    TIME(NodeState, now),
    OBJ(NodeState, server, server_state_fields),
    OBJ(NodeState, lease, lease_state_fields),
    OBJ(NodeState, vault, vault_figures_fields),
    OBJ(NodeState, rescue, rescue_state_fields),
    LIST(NodeState, runs, agent_run_fields, AgentRun),
    LIST(NodeState, jobs, job_info_fields, JobInfo),
    INT(NodeState, spool_free_bytes),
    INT(NodeState, relay_free_bytes),
    LIST(NodeState, events, agent_event_fields, AgentEvent),
    INT(NodeState, events_last),
    JSON(NodeState, purge),
    STRS(NodeState, warnings),
    END,
};

const WireField run_fields[] = {
    STR(Run, id),
    STR(Run, state),
    STR(Run, outcome),
    STR(Run, gtid),
    STR(Run, error),
    STR(Run, result_dir),
    STRS(Run, nodes),
    INT(Run, term),
    TIME(Run, started_at),
    TIME(Run, finished_at),
    TIME(Run, frozen_at),
    TIME(Run, resumed_at),
    TIME(Run, caught_up_at),
    OBJ(Run, progress, progress_fields),
    OBJ(Run, replay, replay_fields),
    INT(Run, upload_task),
    JSON(Run, detail),
    STR(Run, note),
    END,
};

const WireField task_fields[] = {
    INT(Task, id),
    STR(Task, kind),
    STR(Task, name),
    STR(Task, job),
    STR(Task, on),
    STR(Task, state),
    STR(Task, user),
    INT(Task, priority),
    INT(Task, replicas),
    STRS(Task, args),
    JSON(Task, options),
    TIME(Task, submitted_at),
    TIME(Task, run_at),
    TIME(Task, finished_at),
    INT(Task, sequence_id),
    INT(Task, sleeptime_ms),
    INT(Task, attempts),
    INT(Task, max_attempts),
    INT(Task, pause_limit_ms),
    INT(Task, parent_task),
    STR(Task, parent_run),
    STR(Task, window),
    STR(Task, unique),
    BOOL(Task, fixed_time),
    STR(Task, error),
    STR(Task, why),
    STR(Task, request),
    STR(Task, request_by),
    LIST(Task, runs, run_fields, Run),
    END,
};

const WireField node_fields[] = {
    STR(Node, name),
    STR(Node, url),
    STR(Node, role),
    STR(Node, state),
    STR(Node, agent_error),
    INT(Node, lag_trx),
    INT(Node, lag_ms),
    OBJ(Node, agent, node_state_fields),
    END,
};

const WireField finding_fields[] = {
    STR(Finding, node), STR(Finding, name), STR(Finding, level), STR(Finding, text), STR(Finding, mend), END,
};
