/* SPDX-License-Identifier: Apache-2.0
 * The objects that travel between coordinator, agents and clients, and stand in journals: one list of members
 * each (see wire_fields.h), from which struct and field table are made. Times are milliseconds since the
 * epoch in memory and RFC 3339 UTC in JSON; sizes bytes; a NULL string or a zero time is null.
 */
#pragma once

#include "wire_fields.h"

/* clang-format off */

/* ---- names ------------------------------------------------------------------------------------------ */

/* clang-format off */

#define TASK_KIND_VALUES(E)    \
    E(KIND_DUMP, "dump")       \
    E(KIND_INDEX, "index")     \
    E(KIND_COMMAND, "command") \
    E(KIND_UPLOAD, "upload")
WIRE_ENUM(TaskKind, KIND, TASK_KIND_VALUES);
extern const WireEnum task_kind_names;

/* Of a node, and where a job runs. */
#define NODE_ROLE_VALUES(E)    \
    E(ROLE_PRIMARY, "primary") \
    E(ROLE_REPLICA, "replica")
WIRE_ENUM(NodeRole, ROLE, NODE_ROLE_VALUES);
extern const WireEnum node_role_names;

/* From TASK_DONE on nothing more happens without a person or a new run. */
#define TASK_STATE_VALUES(E)                     \
    E(TASK_WAITING, "waiting")                   \
    E(TASK_SCHEDULED, "scheduled")               \
    E(TASK_RUNNING, "running")                   \
    E(TASK_SLEEPING, "sleeping")                 \
    E(TASK_STOPPING, "stopping")                 \
    E(TASK_DONE, "done")                         \
    E(TASK_DONE_WITH_ERRORS, "done_with_errors") \
    E(TASK_ERROR, "error")                       \
    E(TASK_KILLED, "killed")                     \
    E(TASK_STOPPED, "stopped")                   \
    E(TASK_ACKNOWLEDGED, "acknowledged")
WIRE_ENUM(TaskState, TASK, TASK_STATE_VALUES);
extern const WireEnum task_state_names;

/* What people ask of a task, and the coordinator of a run: the latter takes the first four. */
#define TASK_ACTION_VALUES(E) \
    E(ACTION_STOP, "stop")    \
    E(ACTION_KILL, "kill")    \
    E(ACTION_SLEEP, "sleep")  \
    E(ACTION_WAKE, "wake")    \
    E(ACTION_RETRY, "retry")  \
    E(ACTION_ACK, "ack")      \
    E(ACTION_DELETE, "delete")
WIRE_ENUM(TaskAction, ACTION, TASK_ACTION_VALUES);
extern const WireEnum task_action_names;

/* A run as the coordinator sees it (orchestrator/core/coord_run.h), in the order of its life. */
#define COORD_RUN_STATE_VALUES(E)  \
    E(CRUN_WAITING, "waiting")     \
    E(CRUN_CLAIMED, "claimed")     \
    E(CRUN_PAUSING, "pausing")     \
    E(CRUN_RUNNING, "running")     \
    E(CRUN_SLEEPING, "sleeping")   \
    E(CRUN_SEALING, "sealing")     \
    E(CRUN_RESUMING, "resuming")   \
    E(CRUN_CAUGHT_UP, "caught_up") \
    E(CRUN_UPLOADING, "uploading") \
    E(CRUN_DONE, "done")           \
    E(CRUN_ERROR, "error")         \
    E(CRUN_KILLED, "killed")       \
    E(CRUN_STOPPED, "stopped")
WIRE_ENUM(CoordRunState, CRUN, COORD_RUN_STATE_VALUES);
extern const WireEnum coord_run_state_names;

/* One agent's part of a run, as that agent reports it. A failed one still walks resuming → caught_up. */
#define AGENT_RUN_STATE_VALUES(E)  \
    E(ARUN_ACCEPTED, "accepted")   \
    E(ARUN_PAUSING, "pausing")     \
    E(ARUN_FROZEN, "frozen")       \
    E(ARUN_RUNNING, "running")     \
    E(ARUN_SLEEPING, "sleeping")   \
    E(ARUN_SEALING, "sealing")     \
    E(ARUN_RESUMING, "resuming")   \
    E(ARUN_CAUGHT_UP, "caught_up") \
    E(ARUN_GATHERING, "gathering") \
    E(ARUN_ENDED, "ended")
WIRE_ENUM(AgentRunState, ARUN, AGENT_RUN_STATE_VALUES);
extern const WireEnum agent_run_state_names;

/* None while under way. */
#define RUN_OUTCOME_VALUES(E)   \
    E(OUTCOME_OK, "ok")         \
    E(OUTCOME_ERROR, "error")   \
    E(OUTCOME_KILLED, "killed") \
    E(OUTCOME_STOPPED, "stopped")
WIRE_ENUM(RunOutcome, OUTCOME, RUN_OUTCOME_VALUES);
extern const WireEnum run_outcome_names;

#define LEASE_PHASE_VALUES(E)     \
    E(PHASE_PAUSING, "pausing")   \
    E(PHASE_FROZEN, "frozen")     \
    E(PHASE_RESUMING, "resuming") \
    E(PHASE_RESCUING, "rescuing") \
    E(PHASE_CATCHING_UP, "catching_up")
WIRE_ENUM(LeasePhase, PHASE, LEASE_PHASE_VALUES);
extern const WireEnum lease_phase_names;

/* Of a replica: is the receiver (IO thread) connected to its source? */
#define RECEIVER_STATE_VALUES(E)         \
    E(RECEIVER_NO, "no")                 \
    E(RECEIVER_CONNECTING, "connecting") \
    E(RECEIVER_YES, "yes")
WIRE_ENUM(ReceiverState, RECEIVER, RECEIVER_STATE_VALUES);
extern const WireEnum receiver_state_names;

/* Who else acknowledges the primary's commits (semi-sync). */
#define ACKNOWLEDGER_VALUES(E)   \
    E(ACKNOWLEDGER_SOLE, "sole") \
    E(ACKNOWLEDGER_OTHERS, "others")
WIRE_ENUM(Acknowledger, ACKNOWLEDGER, ACKNOWLEDGER_VALUES);
extern const WireEnum acknowledger_names;

/* One word for a node, for people and for the planner. */
#define NODE_HEALTH_VALUES(E)          \
    E(NODE_NOT_SEEN, "unknown")        \
    E(NODE_UNREACHABLE, "unreachable") \
    E(NODE_DOWN, "down")               \
    E(NODE_ERRORS, "errors")           \
    E(NODE_PAUSING, "pausing")         \
    E(NODE_PAUSED, "paused")           \
    E(NODE_CATCHING_UP, "catching_up") \
    E(NODE_DETACHED, "detached")       \
    E(NODE_STOPPED, "stopped")         \
    E(NODE_CONNECTING, "connecting")   \
    E(NODE_SERVING, "serving")
WIRE_ENUM(NodeHealth, NODE, NODE_HEALTH_VALUES);
extern const WireEnum node_health_names;

/* ---- what a person asked for ------------------------------------------------------------------ */

enum { REPLICAS_ALL = -1 }; /* as many as are free */

#define TASK_SPEC_LIST(F, T)                                                           \
    F(T, STR, job) /* a name in the agents' configuration; "dump" is built in */       \
    F(T, ENUM, kind, TaskKind, task_kind_names) /* may be none: that of the job */     \
    F(T, ENUM, on, NodeRole, node_role_names) /* may be none: that of the job */       \
    F(T, STR, name) /* -N; NULL: the job's name */                                     \
    F(T, STR, user)                                                                    \
    F(T, STRS, args) /* appended to the job's own, each must match its allow_args */   \
    F(T, INT, priority)                                                                \
    F(T, INT, replicas) /* 1, N frozen at one GTID, or REPLICAS_ALL */                 \
    F(T, TIME, run_at)                                                                 \
    F(T, INT, sleeptime_ms)                                                            \
    F(T, BOOL, fixed_time)                                                             \
    F(T, INT, sequence_id)                                                             \
    F(T, STR, window)                                                                  \
    F(T, STR, unique) /* refuse while another task of this unique name is not ended */ \
    F(T, INT, max_attempts) /* 0 and 1: no retry */                                    \
    F(T, INT, pause_limit_ms) /* longest pause; 0: the configured one */               \
    F(T, JSON, options) /* job options beside args, e.g. {"databases": ["a"]} */
WIRE_STRUCT(TaskSpec, TASK_SPEC_LIST);
extern const WireField task_spec_fields[];

/* ---- coordinator → agent ----------------------------------------------------------------------- */

/* POST /v1/poll: the coordinator is there, what it has stored, and what the agent is to know meanwhile. The
 * answer is the agent's state, once it is newer than `after` or `wait_ms` have passed. */
#define AGENT_POLL_LIST(F, T)                                                                    \
    F(T, INT, term) /* of the coordinator; from 1 on */                                          \
    F(T, INT, after) /* the newest `seq` it has; 0: none */                                      \
    F(T, INT, wait_ms)                                                                           \
    F(T, INT, events_after) /* events it has not seen yet */                                     \
    F(T, INT, events_stored) /* all up to this one stand in the queue's database */              \
    F(T, STR, primary) /* the primary's position, while this replica catches up */               \
    F(T, ENUM, acknowledger, Acknowledger, acknowledger_names) /* of a replica that is paused */ \
    F(T, BOOL, loading) /* a result is being loaded into this primary: `lag_ms` counts */        \
    F(T, INT, lag_ms) /* how far the serving replica is behind that is furthest so */
WIRE_STRUCT(AgentPoll, AGENT_POLL_LIST);
extern const WireField agent_poll_fields[];

/* Where a result is, and the list of a split run. */
#define RUN_SOURCE_LIST(F, T) \
    F(T, STR, run)            \
    F(T, STR, node)           \
    F(T, STR, url)            \
    F(T, INT, shard)
WIRE_STRUCT(RunSource, RUN_SOURCE_LIST);

/* To the agent of a run's first replica: results of the others, which come into its own. */
#define GATHER_ORDER_LIST(F, T) \
    F(T, LIST, sources, RunSource, run_source_fields)
WIRE_STRUCT(GatherOrder, GATHER_ORDER_LIST);
extern const WireField gather_order_fields[];

#define RUN_SPEC_LIST(F, T)                                                                               \
    F(T, STR, run) /* "12.1" */                                                                           \
    F(T, STR, cluster_name)                                                                               \
    F(T, ENUM, kind, TaskKind, task_kind_names)                                                           \
    F(T, STR, job)                                                                                        \
    F(T, ENUM, on, NodeRole, node_role_names)                                                             \
    F(T, STRS, args)                                                                                      \
    F(T, JSON, options)                                                                                   \
    F(T, INT, term)                                                                                       \
    F(T, BOOL, barrier) /* several replicas: stay frozen until /align and /go */                          \
    /* begins once after_gtid is applied, also where the run before has not caught up */                  \
    F(T, BOOL, during_catch_up)                                                                           \
    F(T, STR, after_gtid) /* must be applied before the pause, so that the job sees its own submission */ \
    F(T, TIME, claimed_at) /* by the primary's clock, before after_gtid was read; 0: not known */         \
    F(T, INT, shard)                                                                                      \
    F(T, INT, shards)                                                                                     \
    F(T, INT, pause_limit_ms) /* as submitted; 0: the job's */                                            \
    F(T, INT, pause_default_ms) /* where the job names none either */                                     \
    F(T, OBJ, source, RunSource, run_source_fields) /* of an upload */                                    \
    F(T, OBJ, first, RunSource, run_source_fields) /* of a run on several replicas: the agent of shard 0 */
WIRE_STRUCT(RunSpec, RUN_SPEC_LIST);
extern const WireField run_spec_fields[];

#define RUN_ALIGN_LIST(F, T) \
    F(T, STR, gtid)          \
    F(T, STR, source_file)   \
    F(T, INT, source_pos)
WIRE_STRUCT(RunAlign, RUN_ALIGN_LIST);
extern const WireField run_align_fields[];

/* ---- agent → coordinator ----------------------------------------------------------------------- */

#define WIRE_PROGRESS_LIST(F, T) \
    F(T, INT, done)              \
    F(T, INT, total)             \
    F(T, STR, unit)              \
    F(T, STR, note)
WIRE_STRUCT(WireProgress, WIRE_PROGRESS_LIST);
extern const WireField progress_fields[];

#define REPLAY_LIST(F, T)                                                          \
    F(T, INT, backlog_trx) /* received and not yet applied */                      \
    F(T, INT, buffered_trx) /* at the moment of resume */                          \
    F(T, INT, applied_trx)                                                         \
    F(T, INT, backlog_bytes) /* -1: not known */                                   \
    F(T, NUM, byte_rate) /* bytes of binary log a second */                        \
    F(T, STR, next_run) /* that began before this one had caught up */             \
    F(T, STR, way) /* how it is applied: a way of the flavour, "" without boost */ \
    F(T, NUM, seconds) /* since resume, until caught up */                         \
    F(T, NUM, rate) /* transactions/s applied */                                   \
    F(T, NUM, write_rate) /* transactions/s that arrived during the pause */       \
    F(T, NUM, eta_s)                                                               \
    F(T, BOOL, settings_restored)                                                  \
    F(T, STR, error) /* replication broke while catching up */
WIRE_STRUCT(Replay, REPLAY_LIST);
extern const WireField replay_fields[];

#define AGENT_RUN_LIST(F, T)                                                             \
    F(T, OBJ, spec, RunSpec, run_spec_fields)                                            \
    F(T, ENUM, state, AgentRunState, agent_run_state_names)                              \
    F(T, ENUM, outcome, RunOutcome, run_outcome_names)                                   \
    F(T, STR, error_kind)                                                                \
    F(T, STR, error)                                                                     \
    /* where the replica stands stopped */                                               \
    F(T, STR, gtid)                                                                      \
    F(T, STR, binlog_gtid)                                                               \
    F(T, STR, source_file)                                                               \
    F(T, INT, source_pos)                                                                \
    F(T, BOOL, aligned) /* barrier: stands at the common GTID */                         \
    F(T, TIME, accepted_at)                                                              \
    F(T, TIME, paused_at)                                                                \
    F(T, TIME, frozen_at)                                                                \
    F(T, TIME, started_at)                                                               \
    F(T, TIME, job_ended_at)                                                             \
    F(T, TIME, resumed_at)                                                               \
    F(T, TIME, caught_up_at)                                                             \
    F(T, TIME, finished_at)                                                              \
    F(T, OBJ, progress, WireProgress, progress_fields)                                   \
    F(T, OBJ, replay, Replay, replay_fields)                                             \
    F(T, STR, result_dir)                                                                \
    F(T, BOOL, sealed)                                                                   \
    F(T, JSON, manifest) /* once sealed, without the files' list when that is long */    \
    F(T, JSON, outcome_detail) /* of an upload: what the loader said */                  \
    F(T, INT, result_bytes)                                                              \
    F(T, INT, result_compressed_bytes)                                                   \
    F(T, STR, note) /* what it is doing or waiting for, for people */                    \
    F(T, BOOL, split) /* its program takes pieces of work from a list: set on shard 0 */ \
    F(T, STRS, lost) /* shards whose work was given to the others */                     \
    F(T, BOOL, gathered) /* its result holds those of the other shards */                \
    F(T, STR, gather_error)
WIRE_STRUCT(AgentRun, AGENT_RUN_LIST);
extern const WireField agent_run_fields[];

#define SERVER_STATE_LIST(F, T)                                                                  \
    F(T, BOOL, up)                                                                               \
    F(T, STR, error)                                                                             \
    F(T, STR, flavor)                                                                            \
    F(T, STR, version)                                                                           \
    F(T, STR, address)                                                                           \
    F(T, INT, port)                                                                              \
    F(T, INT, server_id)                                                                         \
    F(T, INT, uptime_s)                                                                          \
    F(T, BOOL, is_replica)                                                                       \
    F(T, BOOL, uses_gtid)                                                                        \
    F(T, BOOL, sql_running)                                                                      \
    F(T, BOOL, read_only)                                                                        \
    F(T, ENUM, io, ReceiverState, receiver_state_names)                                          \
    F(T, STR, source_host)                                                                       \
    F(T, STR, source_file) /* with source_pos: coordinates of the applied position */            \
    F(T, INT, source_port)                                                                       \
    F(T, INT, source_pos)                                                                        \
    F(T, STR, applied)                                                                           \
    F(T, STR, binlog)                                                                            \
    F(T, STR, received)                                                                          \
    F(T, INT, relay_bytes)                                                                       \
    F(T, INT, semi_sync_acks) /* replicas that acknowledge its commits; -1: it waits for none */ \
    F(T, BOOL, acknowledges) /* to its source, with semi-sync */                                 \
    F(T, STR, io_error)                                                                          \
    F(T, STR, sql_error)                                                                         \
    F(T, TIME, read_at)
WIRE_STRUCT(ServerState, SERVER_STATE_LIST);
extern const WireField server_state_fields[];

/* Hard links to relay files, kept while a pause is in force. */
#define VAULT_FIGURES_LIST(F, T) \
    F(T, INT, files)             \
    F(T, INT, bytes)             \
    F(T, INT, pinned_bytes) /* of files that only the links keep on disk */
WIRE_STRUCT(VaultFigures, VAULT_FIGURES_LIST);
extern const WireField vault_figures_fields[];

/* The buffer being applied before replication may start: transactions, per second, seconds left. */
#define RESCUE_STATE_LIST(F, T)          \
    F(T, BOOL, running)                  \
    F(T, STR, from) /* GTID positions */ \
    F(T, STR, target)                    \
    F(T, INT, total)                     \
    F(T, INT, done)                      \
    F(T, INT, tries)                     \
    F(T, NUM, rate)                      \
    F(T, NUM, eta_s)
WIRE_STRUCT(RescueState, RESCUE_STATE_LIST);
extern const WireField rescue_state_fields[];

/* Owner: a run id, "manual", or "rescue" (a start of
 * the server found transactions that nobody had applied). */
#define LEASE_STATE_LIST(F, T)                                                                      \
    F(T, STR, owner)                                                                                \
    F(T, STR, reason)                                                                               \
    F(T, STR, by)                                                                                   \
    F(T, STR, gtid)                                                                                 \
    F(T, ENUM, phase, LeasePhase, lease_phase_names)                                                \
    F(T, TIME, taken_at)                                                                            \
    F(T, TIME, expires_at)                                                                          \
    F(T, TIME, renewed_at) /* the coordinator was heard last; 0: not since the agent started */     \
    F(T, BOOL, renew_overdue) /* longer ago than the agent's `renew`: told, nothing else follows */ \
    F(T, BOOL, hold)                                                                                \
    F(T, INT, relay_bytes) /* arrived since the freeze */                                           \
    F(T, INT, catchup_ms) /* that catching up would take now; -1: not known */                      \
    F(T, INT, limit_percent) /* of the limit that is nearest */                                     \
    F(T, OBJ, replay, Replay, replay_fields) /* from resuming on */
WIRE_STRUCT(LeaseState, LEASE_STATE_LIST);
extern const WireField lease_state_fields[];

/* What happened on a node, kept by its agent until the coordinator has stored it. */
#define AGENT_EVENT_LIST(F, T)               \
    F(T, INT, seq)                           \
    F(T, TIME, time)                         \
    F(T, STR, level) /* info, warn, error */ \
    F(T, STR, kind)                          \
    F(T, STR, run)                           \
    F(T, STR, text)
WIRE_STRUCT(AgentEvent, AGENT_EVENT_LIST);
extern const WireField agent_event_fields[];

#define JOB_INFO_LIST(F, T)                     \
    F(T, STR, name)                             \
    F(T, ENUM, kind, TaskKind, task_kind_names) \
    F(T, ENUM, on, NodeRole, node_role_names)   \
    F(T, STR, upload)
WIRE_STRUCT(JobInfo, JOB_INFO_LIST);
extern const WireField job_info_fields[];

/* A sealed result in brief, and how long its job's are kept (0: no limit). */
#define RESULT_INFO_LIST(F, T)                                                                     \
    F(T, STR, run)                                                                                 \
    F(T, STR, job)                                                                                 \
    F(T, STR, group) /* of results that stand for each other: the job and what it was asked for */ \
    F(T, TIME, sealed_at)                                                                          \
    F(T, INT, keep)                                                                                \
    F(T, INT, keep_for_ms)                                                                         \
    F(T, STRS, destinations) /* nodes and folders that shall have a copy */                        \
    F(T, STRS, copies) /* the folders that have one */                                             \
    F(T, BOOL, part) /* of a run on several replicas, not of all of them */
WIRE_STRUCT(ResultInfo, RESULT_INFO_LIST);
extern const WireField result_info_fields[];

#define NODE_STATE_LIST(F, T)                                                                   \
    F(T, STR, node)                                                                             \
    F(T, STR, cluster_name)                                                                     \
    F(T, STR, version)                                                                          \
    F(T, STR, boot_id)                                                                          \
    /* grows with every change; starts from the agent's start time, so that it never repeats */ \
    F(T, INT, seq)                                                                              \
    F(T, INT, term) /* the last the agent has seen */                                           \
    F(T, ENUM, role, NodeRole, node_role_names) /* as the coordinator gave it; none before */   \
    F(T, TIME, now)                                                                             \
    F(T, OBJ, server, ServerState, server_state_fields)                                         \
    F(T, OBJ, lease, LeaseState, lease_state_fields) /* owner NULL: none */                     \
    F(T, OBJ, vault, VaultFigures, vault_figures_fields)                                        \
    F(T, OBJ, rescue, RescueState, rescue_state_fields)                                         \
    F(T, LIST, runs, AgentRun, agent_run_fields)                                                \
    F(T, LIST, jobs, JobInfo, job_info_fields)                                                  \
    /* -1: not known */                                                                         \
    F(T, INT, spool_free_bytes)                                                                 \
    F(T, INT, relay_free_bytes)                                                                 \
    F(T, LIST, events, AgentEvent, agent_event_fields) /* those after events_after */           \
    F(T, INT, events_last) /* seq of the newest there is */                                     \
    /* holds on its binary logs: {"holds": [{"owner", "keep_s", "left_s"}], "raised", …} */     \
    F(T, JSON, purge)                                                                           \
    F(T, STRS, warnings) /* sentences for people: what is wrong on this node now */
WIRE_STRUCT(NodeState, NODE_STATE_LIST);
extern const WireField node_state_fields[];

/* ---- coordinator → clients ([contract] names) ---------------------------------------------------- */

#define RUN_LIST(F, T)                                          \
    F(T, STR, id) /* "12.1" */                                  \
    F(T, ENUM, state, CoordRunState, coord_run_state_names)     \
    F(T, ENUM, outcome, RunOutcome, run_outcome_names)          \
    F(T, STR, gtid)                                             \
    F(T, STR, error)                                            \
    F(T, STR, result_dir)                                       \
    F(T, STRS, nodes)                                           \
    F(T, INT, term)                                             \
    F(T, TIME, started_at)                                      \
    F(T, TIME, finished_at)                                     \
    F(T, TIME, frozen_at)                                       \
    F(T, TIME, resumed_at)                                      \
    F(T, TIME, caught_up_at)                                    \
    F(T, OBJ, progress, WireProgress, progress_fields)          \
    F(T, OBJ, replay, Replay, replay_fields)                    \
    F(T, INT, upload_task) /* id, 0: none */                    \
    F(T, JSON, detail) /* of an upload: what the loader said */ \
    F(T, STR, note)
WIRE_STRUCT(Run, RUN_LIST);
extern const WireField run_fields[];

#define TASK_LIST(F, T)                                        \
    F(T, INT, id)                                              \
    F(T, ENUM, kind, TaskKind, task_kind_names)                \
    F(T, STR, name)                                            \
    F(T, STR, job)                                             \
    F(T, ENUM, on, NodeRole, node_role_names)                  \
    F(T, ENUM, state, TaskState, task_state_names)             \
    F(T, STR, user)                                            \
    F(T, INT, priority)                                        \
    F(T, INT, replicas)                                        \
    F(T, STRS, args)                                           \
    F(T, JSON, options)                                        \
    F(T, TIME, submitted_at)                                   \
    F(T, TIME, run_at)                                         \
    F(T, TIME, finished_at)                                    \
    F(T, INT, sequence_id)                                     \
    F(T, INT, sleeptime_ms)                                    \
    F(T, INT, attempts)                                        \
    F(T, INT, max_attempts)                                    \
    F(T, INT, pause_limit_ms)                                  \
    F(T, INT, parent_task) /* uploads */                       \
    F(T, STR, parent_run)                                      \
    F(T, STR, window)                                          \
    F(T, STR, unique)                                          \
    F(T, BOOL, fixed_time)                                     \
    F(T, STR, error)                                           \
    F(T, STR, why) /* while waiting: the reason, a sentence */ \
    F(T, ENUM, request, TaskAction, task_action_names)         \
    F(T, STR, request_by)                                      \
    F(T, LIST, runs, Run, run_fields)
WIRE_STRUCT(Task, TASK_LIST);
extern const WireField task_fields[];

#define NODE_LIST(F, T)                                          \
    F(T, STR, name)                                              \
    F(T, STR, url)                                               \
    F(T, ENUM, role, NodeRole, node_role_names)                  \
    F(T, ENUM, state, NodeHealth, node_health_names)             \
    F(T, STR, agent_error) /* why the agent cannot be reached */ \
    F(T, INT, lag_trx)                                           \
    F(T, INT, lag_ms) /* -1: not known */                        \
    F(T, OBJ, agent, NodeState, node_state_fields) /* the last state seen; node NULL: none yet */
WIRE_STRUCT(Node, NODE_LIST);
extern const WireField node_fields[];

/* A finding of a check: what is wrong, and the statement or line that mends it. */
#define FINDING_LIST(F, T)                    \
    F(T, STR, node)                           \
    F(T, STR, name)                           \
    F(T, STR, level) /* ok, warning, error */ \
    F(T, STR, text)                           \
    F(T, STR, mend)
WIRE_STRUCT(Finding, FINDING_LIST);
extern const WireField finding_fields[];
/* clang-format on */

/* How many of the run's nodes have a result of their own: all, until the first has gathered the others'. */
size_t wire_run_holders(const Run *r);

/* "12.1" → 12, 1; "12" → 12, 0 (the last run). */
bool wire_run_id(const char *text, int64_t *ret_task, int64_t *ret_no);

/* Nothing more happens without a person or a new run. */
bool task_state_is_final(TaskState s);
bool coord_run_is_final(CoordRunState s);
