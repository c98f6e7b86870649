/* SPDX-License-Identifier: Apache-2.0
 * A task: what a person asks for, what clients see of it, and what holds it up.
 */
#pragma once

#include "wire_kinds.h"

/* clang-format off */

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
/* clang-format on */

/* Nothing more happens without a person or a new run. */
bool task_state_is_final(TaskState s);
bool task_recurs(const Task *t);
/* It waits for its next turn and its last has failed: nobody has seen to that, and no run has gone well
 * since. */
bool task_turn_failed(const Task *t);
