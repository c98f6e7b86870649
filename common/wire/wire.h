/* SPDX-License-Identifier: Apache-2.0
 * The objects that travel between coordinator, agents and clients, and stand in journals: one list of members
 * each (see wire_fields.h), from which struct and field table are made. Times are milliseconds since the
 * epoch in memory and RFC 3339 UTC in JSON; sizes bytes; a NULL string or a zero time is null.
 */
#pragma once

#include "runkey.h"
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
    E(ACTION_DELETE, "delete") \
    E(ACTION_RUN, "run")       \
    E(ACTION_REQUEUE, "requeue")
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

/* What a coordinator orders of an agent to replace a primary (orchestrator/core/failover.h says when). */
#define ORDER_KIND_VALUES(E)    \
    E(ORDER_PROMISE, "promise") \
    E(ORDER_FENCE, "fence")     \
    E(ORDER_CLOSE, "close")     \
    E(ORDER_ACCEPT, "accept")   \
    E(ORDER_DRAIN, "drain")     \
    E(ORDER_FOLLOW, "follow")   \
    E(ORDER_ARM, "arm")         \
    E(ORDER_OPEN, "open")       \
    E(ORDER_PROBE, "probe")
WIRE_ENUM(OrderKind, ORDER, ORDER_KIND_VALUES);
extern const WireEnum order_kind_names;

/* What becomes of the times of a recurrence that passed while nothing could be started. */
#define MISSED_RUNS_VALUES(E)        \
    E(MISSED_RUN_ONCE, "run-once") \
    E(MISSED_SKIP, "skip")         \
    E(MISSED_RUN_ALL, "run-all")
WIRE_ENUM(MissedRuns, MISSED, MISSED_RUNS_VALUES);
extern const WireEnum missed_runs_names;

/* What becomes of a task whose run its agent has lost. None: fail. */
#define ORPHAN_POLICY_VALUES(E)  \
    E(ORPHAN_RETRY, "retry") \
    E(ORPHAN_FAIL, "fail")   \
    E(ORPHAN_HOLD, "hold")
WIRE_ENUM(OrphanPolicy, ORPHAN, ORPHAN_POLICY_VALUES);
extern const WireEnum orphan_policy_names;

/* What a task's failure holds until somebody has seen to it. None: as queue.on_error says. */
#define ON_ERROR_VALUES(E)             \
    E(ON_ERROR_CONTINUE, "continue")   \
    E(ON_ERROR_BLOCK, "block") \
    E(ON_ERROR_QUEUE, "queue")
WIRE_ENUM(OnError, ON_ERROR, ON_ERROR_VALUES);
extern const WireEnum on_error_names;

/* What the queue may do with a task that runs for one of a higher priority. None: on the primary it sleeps. */
#define PREEMPT_VALUES(E)         \
    E(PREEMPT_NEVER, "never")     \
    E(PREEMPT_REQUEUE, "requeue")
WIRE_ENUM(Preempt, PREEMPT, PREEMPT_VALUES);
extern const WireEnum preempt_names;

/* What becomes of a task that runs when its window shuts. None: it finishes. */
#define WINDOW_END_VALUES(E)              \
    E(WINDOW_END_FINISH, "finish")        \
    E(WINDOW_END_SLEEP, "sleep")          \
    E(WINDOW_END_STOP, "stop")
WIRE_ENUM(WindowEnd, WINDOW_END, WINDOW_END_VALUES);
extern const WireEnum window_end_names;

/* What is kept from starting anything. */
#define BRAKE_KIND_VALUES(E) \
    E(BRAKE_QUEUE, "queue")  \
    E(BRAKE_LANE, "lane")    \
    E(BRAKE_NODE, "node")
WIRE_ENUM(BrakeKind, BRAKE, BRAKE_KIND_VALUES);
extern const WireEnum brake_kind_names;

/* ---- what a person asked for ------------------------------------------------------------------ */

/* When a task runs again: the object `plan` of a task. Its bounds are rows of bounds.h. */
#define TASK_PLAN_LIST(F, T)                                                                \
    F(T, STR, cron)                                                                         \
    F(T, STR, zone) /* of the system's database; NULL: the coordinator's host's */          \
    F(T, ENUM, missed, MissedRuns, missed_runs_names) /* none: run-once */                  \
    F(T, INT, jitter_ms)                                                                    \
    F(T, STRS, not_on) /* days that are left out */                                         \
    F(T, INT, backoff_ms) /* before the second attempt; doubles with each; 0: 30 seconds */ \
    F(T, INT, backoff_most_ms)                                                              \
    F(T, INT, run_timeout_ms) /* longest run of the job; 0: as its file says */             \
    F(T, ENUM, orphan, OrphanPolicy, orphan_policy_names)                                   \
    F(T, STRS, after) /* ids of tasks that must be done before */                           \
    F(T, INT, unique_for_ms) /* its unique name is taken so long, ended or not */           \
    F(T, STR, concurrency_key) /* in the place of the name: so many of it at once (queue.keys) */ \
    F(T, INT, start_by_ms) /* after its planned time: told where it has not by then */      \
    F(T, INT, finish_by_ms)                                                                 \
    F(T, STR, post_process) /* a tasklet that is started after each run that went well */   \
    F(T, STRS, post_args) /* its parameters, "key=value" */                                 \
    F(T, STRS, email_logs_to) /* get the log of each turn at its end */                     \
    F(T, BOOL, email_logs_on_error) /* its user gets that of a turn that failed */          \
    F(T, STR, schedule) /* the name of a recurring task that is kept by name */             \
    F(T, BOOL, disabled)
WIRE_STRUCT(TaskPlan, TASK_PLAN_LIST);
extern const WireField task_plan_fields[];

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
    F(T, ENUM, on_error, OnError, on_error_names) \
    F(T, ENUM, preempt, Preempt, preempt_names) \
    F(T, ENUM, at_window_end, WindowEnd, window_end_names)                                      \
    F(T, STR, window)                                                                  \
    F(T, STR, unique) /* refuse while another task of this unique name is not ended */ \
    F(T, BOOL, unique_existing) /* answer with that task instead */                    \
    F(T, STR, key) /* the same task, however often it is submitted with this key */    \
    F(T, STR, host) /* only on this node; NULL: any */                                 \
    F(T, INT, max_attempts) /* 0 and 1: no retry */                                    \
    F(T, INT, pause_limit_ms) /* longest pause; 0: the configured one */               \
    F(T, JSON, plan) /* TaskPlan */                                                    \
    F(T, JSON, options) /* job options beside args, e.g. {"databases": ["a"]} */
WIRE_STRUCT(TaskSpec, TASK_SPEC_LIST);
extern const WireField task_spec_fields[];

/* ---- coordinator → agent ----------------------------------------------------------------------- */

/* Where a server's binary log ends, and how much of it is written a second: a mean of five minutes, and one of
 * up to eight hours. */
#define WRITTEN_LIST(F, T) \
    F(T, STR, file)        \
    F(T, INT, pos)         \
    F(T, NUM, rate)        \
    F(T, NUM, rate_long)
WIRE_STRUCT(Written, WRITTEN_LIST);
extern const WireField written_fields[];

/* Where a server takes connections of replicas. */
#define ORDER_SERVER_LIST(F, T) \
    F(T, STR, node)             \
    F(T, STR, host)             \
    F(T, INT, port)
WIRE_STRUCT(OrderServer, ORDER_SERVER_LIST);
extern const WireField order_server_fields[];

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

/* ---- orders of a failover ----------------------------------------------------------------------- */

/* A term and its owner (common/wire/ballot.h). They are apart from the term of /v1/poll: neither raises the
 * other. */
#define WIRE_BALLOT_LIST(F, T)           \
    F(T, INT, term) /* 0: none */        \
    F(T, STR, owner) /* hex, 16 digits */
WIRE_STRUCT(WireBallot, WIRE_BALLOT_LIST);
extern const WireField wire_ballot_fields[];

/* What the voters accept: who is the primary, which replicas may acknowledge its commits, how many must. */
#define WIRE_DECISION_LIST(F, T)                                                                       \
    F(T, OBJ, ballot, WireBallot, wire_ballot_fields)                                                  \
    F(T, INT, version) /* grows within a ballot; 0: no decision */                                     \
    F(T, STR, primary) /* a node's name, as all below */                                               \
    F(T, STR, held_by) /* whose members and acks these are: until it is open, those of the primary before */ \
    F(T, BOOL, open) /* its primary may be writable */                                                 \
    F(T, STRS, members)                                                                                \
    F(T, INT, acks)
WIRE_STRUCT(WireDecision, WIRE_DECISION_LIST);
extern const WireField wire_decision_fields[];

/* A voter's record, as it stands in its journal. While shut, no receiver of its server is started. */
#define VOTE_STATE_LIST(F, T)                           \
    F(T, OBJ, promised, WireBallot, wire_ballot_fields) \
    F(T, BOOL, shut)                                    \
    F(T, OBJ, accepted, WireDecision, wire_decision_fields)
WIRE_STRUCT(VoteState, VOTE_STATE_LIST);
extern const WireField vote_state_fields[];

/* POST /v1/order, from the role coordinator; the agent looks at what is there and goes on from it, so that an
 * order may come any number of times, and comes until it is done. Answered within a few seconds by an
 * OrderAnswer:
 *
 *   200  done, or not yet: `waits_for` says what for. Ask again
 *   409  refused: `promised` is a later ballot (or another owner's of that term), or `waits_for` says why it
 *        cannot be. With an "error" beside it, as all that fails has. What was refused will be again
 *   others: as any call. Nothing was promised
 */
#define AGENT_ORDER_LIST(F, T)                                                                            \
    F(T, ENUM, kind, OrderKind, order_kind_names)                                                         \
    F(T, OBJ, ballot, WireBallot, wire_ballot_fields) /* that the order is given in */                    \
    F(T, BOOL, kill) /* fence: this node is the primary to be replaced. Its server is killed, and its binary log read */ \
    F(T, BOOL, clean) /* fence: … it is kept closed instead, and lives */                                 \
    F(T, INT, for_ms) /* close: it opens by itself after that, unless a fence has come */                 \
    F(T, INT, kill_after_ms) /* close, follow: sessions in its way are ended after that; 0: they stay */    \
    F(T, OBJ, decision, WireDecision, wire_decision_fields) /* from accept on; its ballot is the order's */ \
    /* drain: the donor, node NULL: none. follow: the winner */                                           \
    F(T, OBJ, source, OrderServer, order_server_fields)                                                   \
    F(T, INT, silence) /* arm: the node's, that it ends: NodeState.silence before the decision was put to the voters */ \
    /* `received` of an answer: follow: of the winner's drain; drain: of the donor's fence; fence: of the     \
     * close: it is applied before the receiver is stopped */                                             \
    F(T, STR, gtid)
WIRE_STRUCT(AgentOrder, AGENT_ORDER_LIST);
extern const WireField agent_order_fields[];

#define ORDER_ANSWER_LIST(F, T)                                                                           \
    F(T, ENUM, kind, OrderKind, order_kind_names)                                                         \
    F(T, BOOL, done)                                                                                      \
    F(T, STR, waits_for) /* a sentence for people, unless done */                                         \
    F(T, OBJ, promised, WireBallot, wire_ballot_fields)                                                   \
    F(T, OBJ, accepted, WireDecision, wire_decision_fields) /* version 0: none yet */                     \
    /* a GTID set: fence: all it has received, or what its binary log holds; close: that; drain: all it has now */ \
    F(T, STR, received)                                                                                   \
    F(T, BOOL, ended) /* fence: it was killed, or is closed to everybody: `received` is all it has written */ \
    F(T, BOOL, closed) /* close, fence: it is closed to all but accounts with every right; of a fence that is not done: \
                          its server was sent SIGKILL and has not ended */                                \
    F(T, INT, closed_for_ms) /* close: so long nothing could be written; -1: not known */                 \
    F(T, STR, ahead) /* follow, refused: GTIDs of its own that the winner lacks */                        \
    /* what is so now, whatever was ordered */                                                            \
    F(T, BOOL, drained)                                                                                   \
    F(T, BOOL, follows)                                                                                   \
    F(T, BOOL, armed)                                                                                     \
    F(T, INT, silence) /* as in NodeState */                                                              \
    F(T, BOOL, writable)                                                                                  \
    F(T, BOOL, probed)
WIRE_STRUCT(OrderAnswer, ORDER_ANSWER_LIST);
extern const WireField order_answer_fields[];

/* ---- a server that is filled with another's data ------------------------------------------------- */

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
    F(T, STR, gather_error)                                                              \
    F(T, INT, snooze_ms) /* the job asked to be run so much later (status 75) */         \
    F(T, INT, snooze_most) /* times in a row */                                          \
    F(T, BOOL, renounced) /* its order was read too late: no program was begun, nor will be */
WIRE_STRUCT(AgentRun, AGENT_RUN_LIST);
extern const WireField agent_run_fields[];

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
    F(T, INT, semi_sync_waits) /* commits that wait for an acknowledgement now */                \
    F(T, BOOL, acknowledges) /* to its source, with semi-sync */                                 \
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

/* A parameter of a tasklet: common/wire/tasklet.h says which types there are. */
#define TASKLET_PARAM_LIST(F, T)                         \
    F(T, STR, name)                                      \
    F(T, STR, type)                                      \
    F(T, STR, fallback) /* NULL: a value must be given */ \
    F(T, STR, text)
WIRE_STRUCT(TaskletParam, TASKLET_PARAM_LIST);
extern const WireField tasklet_param_fields[];

/* What the header of a program in tasklets_dir says for those that submit it. */
#define TASKLET_LIST(F, T) \
    F(T, STR, text)        \
    F(T, LIST, params, TaskletParam, tasklet_param_fields)
WIRE_STRUCT(Tasklet, TASKLET_LIST);
extern const WireField tasklet_fields[];

/* A file there that is no tasklet, and should be one. */
#define TASKLET_FAULT_LIST(F, T) \
    F(T, STR, name)              \
    F(T, STR, error)
WIRE_STRUCT(TaskletFault, TASKLET_FAULT_LIST);
extern const WireField tasklet_fault_fields[];

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
    F(T, JSON, plan) /* TaskPlan; NULL: none */                \
    F(T, TIME, planned_at) /* of this turn; 0: not set yet */  \
    F(T, INT, snoozes) /* of this turn */                      \
    F(T, STR, key) /* it was submitted with */                 \
    F(T, TIME, submitted_at)                                   \
    F(T, TIME, run_at)                                         \
    F(T, TIME, finished_at)                                    \
    F(T, INT, sequence_id)                                     \
    F(T, ENUM, on_error, OnError, on_error_names) \
    F(T, ENUM, preempt, Preempt, preempt_names) \
    F(T, ENUM, at_window_end, WindowEnd, window_end_names)              \
    F(T, INT, sleeptime_ms)                                    \
    F(T, INT, attempts)                                        \
    F(T, INT, max_attempts)                                    \
    F(T, INT, pause_limit_ms)                                  \
    F(T, INT, parent_task) /* uploads */                       \
    F(T, STR, parent_run)                                      \
    F(T, STR, window)                                          \
    F(T, STR, unique)                                          \
    F(T, STR, host)                                            \
    F(T, STR, lane) /* of an upload: what it loads into */     \
    F(T, BOOL, fixed_time)                                     \
    F(T, LOCAL, bool, malformed) /* its row cannot be read */  \
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
    F(T, STR, errant) /* transactions that the primary does not have; NULL: none is known */ \
    F(T, STR, note) /* of new data that its server gets, or is to get: what is waited for; NULL: nothing */ \
    F(T, OBJ, agent, NodeState, node_state_fields) /* the last state seen; node NULL: none yet */
WIRE_STRUCT(Node, NODE_LIST);
extern const WireField node_fields[];

/* Of the queue as a whole (manual mode), a lane or a node: only what a person starts by hand starts there. */
#define QUEUE_BRAKE_LIST(F, T)                            \
    F(T, ENUM, kind, BrakeKind, brake_kind_names)         \
    F(T, STR, name) /* of the lane or node; "" of the queue */ \
    F(T, TIME, since)                                     \
    F(T, TIME, until) /* then it ends by itself; 0: it does not */ \
    F(T, STR, by)                                         \
    F(T, STR, reason)                                     \
    F(T, INT, task) /* whose failure has put it on; 0: a person */ \
    F(T, LOCAL, bool, told_end)                           \
    F(T, LOCAL, bool, told_stay)                          \
    F(T, LOCAL, bool, ending)                             \
    F(T, LOCAL, bool, unsaved)
WIRE_STRUCT(QueueBrake, QUEUE_BRAKE_LIST);
extern const WireField queue_brake_fields[];

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

/* On the host with that boot id, whose clock since the boot says so. */
bool start_by_has_passed(const StartBy *by, const char *boot_id, int64_t mono_ms);

/* Nothing more happens without a person or a new run. */
bool task_state_is_final(TaskState s);
bool task_recurs(const Task *t);
/* It waits for its next turn and its last has failed: nobody has seen to that, and no run has gone well
 * since. */
bool task_turn_failed(const Task *t);
bool coord_run_is_final(CoordRunState s);
