/* SPDX-License-Identifier: Apache-2.0
 * A node: what the coordinator lets its agent know, what that agent reports of its server, lease, disks and
 * jobs, and what clients see of it.
 */
#pragma once

#include "wire_fill.h"
#include "wire_run.h"

/* clang-format off */

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

/* Where a server's binary log ends, and how much of it is written a second: a mean of five minutes, and one of
 * up to eight hours. */
#define WRITTEN_LIST(F, T) \
    F(T, STR, file)        \
    F(T, INT, pos)         \
    F(T, NUM, rate)        \
    F(T, NUM, rate_long)
WIRE_STRUCT(Written, WRITTEN_LIST);
extern const WireField written_fields[];

/* POST /v1/poll: the coordinator is there, what it has stored, and what the agent is to know meanwhile. The
 * answer is the agent's state, once it is newer than `after` or `wait_ms` have passed. */
#define AGENT_POLL_LIST(F, T)                                                                    \
    F(T, INT, term) /* of the coordinator; from 1 on */                                          \
    F(T, INT, after) /* the newest `seq` it has; 0: none */                                      \
    F(T, INT, wait_ms)                                                                           \
    F(T, INT, events_after) /* events it has not seen yet */                                     \
    F(T, INT, events_stored) /* all up to this one stand in the queue's database */              \
    F(T, ENUM, role, NodeRole, node_role_names) /* of the node; none while a failover is not over */ \
    F(T, STR, primary) /* the primary's position, while this replica catches up */               \
    F(T, ENUM, acknowledger, Acknowledger, acknowledger_names) /* of a replica that is paused */ \
    F(T, BOOL, loading) /* a result is being loaded into this primary: `lag_ms` counts */        \
    F(T, INT, lag_ms) /* how far the serving replica is behind that is furthest so */            \
    F(T, OBJ, written, Written, written_fields) /* by the primary, for a replica */              \
    F(T, LIST, servers, OrderServer, order_server_fields) /* that this one may have to receive from */
WIRE_STRUCT(AgentPoll, AGENT_POLL_LIST);
extern const WireField agent_poll_fields[];

/* Whether the disks of a server's data and binary log take writes: the worst of them. None: nobody looks, or may. */
#define DISK_FAULT_VALUES(E)                                            \
    E(DISK_WELL, "well")                                                \
    E(DISK_FULL, "full")                                                \
    E(DISK_STALLED, "stalled") /* a write or sync does not come back */ \
    E(DISK_READ_ONLY, "read-only")                                      \
    E(DISK_FAILING, "failing") /* it says that a write failed */
WIRE_ENUM(DiskFault, DISK, DISK_FAULT_VALUES);
extern const WireEnum disk_fault_names;

#define SERVER_STATE_LIST(F, T)                                                                  \
    F(T, BOOL, up)                                                                               \
    F(T, STR, error)                                                                             \
    F(T, BOOL, hangs) /* it takes connections and answers nothing */                             \
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
    F(T, STR, logged) /* MariaDB: the last of each domain and server in its binary log */        \
    F(T, STR, received)                                                                          \
    F(T, INT, relay_bytes)                                                                       \
    F(T, INT, semi_sync_acks) /* replicas that acknowledge its commits; -1: it waits for none */ \
    F(T, INT, stood_by) /* of a primary: by so many of its members, lately; -1: it asks none */  \
    F(T, BOOL, cut_off) /* a primary that its members do not answer: closed, or being closed */ \
    F(T, INT, semi_sync_waits) /* commits that wait for an acknowledgement now */                \
    F(T, BOOL, acknowledges) /* to its source, with semi-sync */                                 \
    F(T, BOOL, left_without_semi_sync) /* as a source: it is off, and agent.conf says to leave it */ \
    F(T, INT, delay_s) /* on purpose */                                                          \
    F(T, STR, filters) /* what it leaves out of its source's; NULL: nothing */                   \
    F(T, STR, traits) /* variables that should be alike on all servers: "sql_mode=… time_zone=…" */ \
    F(T, INT, io_errno)                                                                          \
    F(T, STR, io_error)                                                                          \
    F(T, STR, sql_error)                                                                         \
    F(T, ENUM, disk, DiskFault, disk_fault_names)                                                \
    F(T, STR, disk_folder) /* that has the fault; NULL: none has one */                          \
    F(T, INT, disk_ms)     /* for so long */                                                     \
    F(T, OBJ, written, Written, written_fields) /* of a primary */                               \
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
    F(T, STR, text)                          \
    F(T, INT, term) /* of the failover that it belongs to; 0: none */
WIRE_STRUCT(AgentEvent, AGENT_EVENT_LIST);
extern const WireField agent_event_fields[];

#define JOB_INFO_LIST(F, T)                                        \
    F(T, STR, name)                                                \
    F(T, ENUM, kind, TaskKind, task_kind_names)                    \
    F(T, ENUM, on, NodeRole, node_role_names)                      \
    F(T, STR, upload)                                              \
    F(T, STR, digest) /* of what its file means; NULL: built in */ \
    F(T, JSON, tasklet) /* Tasklet; NULL: it is none */
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

/* A server that would not let this node's account of replication in. */
#define SOURCE_FAULT_LIST(F, T) \
    F(T, STR, node)             \
    F(T, STR, error)
WIRE_STRUCT(SourceFault, SOURCE_FAULT_LIST);
extern const WireField source_fault_fields[];

#define NODE_STATE_LIST(F, T)                                                                   \
    F(T, STR, node)                                                                             \
    F(T, STR, cluster_name)                                                                     \
    F(T, STR, version)                                                                          \
    F(T, STR, boot_id)                                                                          \
    F(T, INT, mono_ms) /* since that boot */                                                    \
    /* grows with every change; starts from the agent's start time, so that it never repeats */ \
    F(T, INT, seq)                                                                              \
    F(T, INT, term) /* the last the agent has seen */                                           \
    F(T, STR, term_owner) /* the coordinator that spoke in it; NULL: it did not say */          \
    F(T, ENUM, role, NodeRole, node_role_names) /* as the coordinator gave it; none before */   \
    F(T, TIME, now)                                                                             \
    F(T, OBJ, server, ServerState, server_state_fields)                                         \
    F(T, OBJ, lease, LeaseState, lease_state_fields) /* owner NULL: none */                     \
    F(T, OBJ, vault, VaultFigures, vault_figures_fields)                                        \
    F(T, OBJ, rescue, RescueState, rescue_state_fields)                                         \
    F(T, OBJ, vote, VoteState, vote_state_fields)                                               \
    F(T, INT, silence) /* grows; what an order to acknowledge must name; 0: one was carried out since */ \
    F(T, OBJ, fill, FillState, fill_state_fields) /* order.id NULL: it was never filled */      \
    F(T, STR, broken) /* why nothing but new data helps its server; NULL: it is not so */      \
    F(T, LIST, runs, AgentRun, agent_run_fields)                                                \
    F(T, LIST, jobs, JobInfo, job_info_fields)                                                  \
    F(T, LIST, tasklet_faults, TaskletFault, tasklet_fault_fields)                              \
    F(T, LIST, source_faults, SourceFault, source_fault_fields) /* of the last look at them */  \
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

#define NODE_LIST(F, T)                                          \
    F(T, STR, name)                                              \
    F(T, STR, url)                                               \
    F(T, ENUM, role, NodeRole, node_role_names)                  \
    F(T, ENUM, state, NodeHealth, node_health_names)             \
    F(T, STR, agent_error) /* why the agent cannot be reached */ \
    F(T, INT, lag_trx)                                           \
    F(T, INT, lag_ms) /* -1: not known */                        \
    F(T, STR, errant) /* transactions that the primary does not have; NULL: none is known */ \
    F(T, STR, note) /* of new data that its server gets, or is to get: what is waited for; NULL: nothing */ \
    F(T, OBJ, agent, NodeState, node_state_fields) /* the last state seen; node NULL: none yet */
WIRE_STRUCT(Node, NODE_LIST);
extern const WireField node_fields[];
/* clang-format on */
