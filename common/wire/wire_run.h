/* SPDX-License-Identifier: Apache-2.0
 * A run of a task: as the coordinator orders it of an agent, as that agent reports its part, and as clients
 * see it.
 */
#pragma once

#include "runkey.h"
#include "wire_kinds.h"

/* clang-format off */

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

/* Where a result is, and the list of a split run. */
#define RUN_SOURCE_LIST(F, T) \
    F(T, STR, run)            \
    F(T, STR, node)           \
    F(T, STR, url)            \
    F(T, INT, shard)
WIRE_STRUCT(RunSource, RUN_SOURCE_LIST);
extern const WireField run_source_fields[];

/* To the agent of a run's first replica: results of the others, which come into its own. */
#define GATHER_ORDER_LIST(F, T) \
    F(T, LIST, sources, RunSource, run_source_fields)
WIRE_STRUCT(GatherOrder, GATHER_ORDER_LIST);
extern const WireField gather_order_fields[];

/* The last moment at which a program may begin, by the clock since the boot of the host that it runs on: however
 * late an order is read, it is known elsewhere when it is not carried out any more. boot_id NULL: at any time. */
#define START_BY_LIST(F, T) \
    F(T, STR, boot_id)      \
    F(T, INT, mono_ms)
WIRE_STRUCT(StartBy, START_BY_LIST);
extern const WireField start_by_fields[];

#define RUN_SPEC_LIST(F, T)                                                                               \
    F(T, STR, run) /* its key: runkey.h */                                                                \
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
    F(T, INT, attempt) /* from 1 on, of this turn */                                                      \
    F(T, INT, run_limit_ms) /* longest run of the job; 0: as its file says */                             \
    F(T, INT, pause_limit_ms) /* as submitted; 0: the job's */                                            \
    F(T, INT, pause_default_ms) /* where the job names none either */                                     \
    F(T, OBJ, start_by, StartBy, start_by_fields) /* unless the coordinator has seen that it was taken */ \
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
    F(T, STR, gather_error)                                                              \
    F(T, INT, snooze_ms) /* the job asked to be run so much later (status 75) */         \
    F(T, INT, snooze_most) /* times in a row */                                          \
    F(T, BOOL, renounced) /* its order was read too late: no program was begun, nor will be */
WIRE_STRUCT(AgentRun, AGENT_RUN_LIST);
extern const WireField agent_run_fields[];

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
/* clang-format on */

/* How many of the run's nodes have a result of their own: all, until the first has gathered the others'. */
size_t wire_run_holders(const Run *r);

/* On the host with that boot id, whose clock since the boot says so. */
bool start_by_has_passed(const StartBy *by, const char *boot_id, int64_t mono_ms);

bool coord_run_is_final(CoordRunState s);
