/* SPDX-License-Identifier: Apache-2.0
 * The objects that travel between coordinator, agents and clients, and stand in journals. Each is a
 * struct with a field table; one reader and one writer serve them all. Times are milliseconds since the
 * epoch in memory and RFC 3339 UTC in JSON; sizes bytes; a NULL string or a zero time is null.
 * Unknown fields are ignored when reading, so that a newer peer may say more.
 */
#pragma once

#include "common/file/json.h"

typedef enum WireType {
    WIRE_STR,  /* char * */
    WIRE_INT,  /* int64_t */
    WIRE_NUM,  /* double */
    WIRE_BOOL, /* bool */
    WIRE_TIME, /* int64_t ms */
    WIRE_STRS, /* StrList */
    WIRE_JSON, /* json_t *, any value */
    WIRE_OBJ,  /* embedded struct */
    WIRE_LIST, /* WireList of structs */
} WireType;

typedef struct WireField {
    const char *name;
    WireType type;
    size_t offset;
    const struct WireField *fields; /* WIRE_OBJ, WIRE_LIST */
    size_t size;                    /* WIRE_LIST: one element */
} WireField;

typedef struct WireList {
    void *v;
    size_t n;
} WireList;

json_t *wire_write(const WireField *fields, const void *s);
/* `s` is zeroed or a value to be replaced; on failure it is freed and zeroed. Errors are ERR_PROTOCOL and
 * name the field. */
MUST_CHECK bool wire_read(const WireField *fields, const json_t *j, void *s, Err *err);
void wire_free(const WireField *fields, void *s);                    /* frees what s holds and zeroes it */
void wire_copy(const WireField *fields, void *to, const void *from); /* deep; `to` zeroed */
/* A new zeroed element at the end of a list; pointers into the list die with it. */
void *wire_list_add(WireList *list, size_t size);

/* ---- what a person asked for ------------------------------------------------------------------ */

/* Task kinds: "dump", "index", "command", "upload". Where: "replica" or "primary". */
enum { REPLICAS_ALL = -1 }; /* as many as are free */

typedef struct TaskSpec {
    char *job;  /* a name in the agents' configuration; "dump" is built in */
    char *kind; /* may be NULL: that of the job */
    char *on;   /* may be NULL: that of the job */
    char *name; /* -N; NULL: the job's name */
    char *user;
    StrList args; /* appended to the job's own, each must match its allow_args */
    int64_t priority;
    int64_t replicas; /* 1, N frozen at one GTID, or REPLICAS_ALL */
    int64_t run_at;   /* time */
    int64_t sleeptime_ms;
    bool fixed_time;
    int64_t sequence_id;
    char *window;
    char *unique;           /* refuse while another task of this unique name is not ended */
    int64_t max_attempts;   /* 0 and 1: no retry */
    int64_t pause_limit_ms; /* longest pause; 0: the configured one */
    json_t *options;        /* job options beside args, e.g. {"databases": ["a"]} */
} TaskSpec;
extern const WireField task_spec_fields[];

/* ---- coordinator → agent ----------------------------------------------------------------------- */

typedef struct RunSource { /* where a result is, and the list of a split run */
    char *run, *node, *url;
    int64_t shard;
} RunSource;

/* To the agent of a run's first replica: results of the others, which come into its own. */
typedef struct GatherOrder {
    WireList sources; /* RunSource */
} GatherOrder;
extern const WireField gather_order_fields[];

typedef struct RunSpec {
    char *run; /* "12.1" */
    char *cluster_name;
    char *kind, *job, *on;
    StrList args;
    json_t *options;
    int64_t term;
    bool barrier;         /* several replicas: stay frozen until /align and /go */
    bool during_catch_up; /* begins once after_gtid is applied, also where the run before has not caught up */
    char *after_gtid;     /* must be applied before the pause, so that the job sees its own submission */
    int64_t claimed_at;   /* by the primary's clock, before after_gtid was read; 0: not known */
    int64_t shard, shards;
    int64_t pause_limit_ms;   /* as submitted; 0: the job's */
    int64_t pause_default_ms; /* where the job names none either */
    RunSource source;         /* of an upload */
    RunSource first;          /* of a run on several replicas: the agent of shard 0 */
} RunSpec;
extern const WireField run_spec_fields[];

typedef struct RunAlign {
    char *gtid, *source_file;
    int64_t source_pos;
} RunAlign;
extern const WireField run_align_fields[];

/* ---- agent → coordinator ----------------------------------------------------------------------- */

typedef struct WireProgress {
    int64_t done, total;
    char *unit, *note;
} WireProgress;
extern const WireField progress_fields[];

typedef struct Replay {
    int64_t backlog_trx;  /* received and not yet applied */
    int64_t buffered_trx; /* at the moment of resume */
    int64_t applied_trx;
    int64_t backlog_bytes; /* -1: not known */
    double byte_rate;      /* bytes of binary log a second */
    char *next_run;        /* that began before this one had caught up */
    char *way;             /* how it is applied: a way of the flavour, "" without boost */
    double seconds;        /* since resume, until caught up */
    double rate;           /* transactions/s applied */
    double write_rate;     /* transactions/s that arrived during the pause */
    double eta_s;
    bool settings_restored;
    char *error; /* replication broke while catching up */
} Replay;
extern const WireField replay_fields[];

/* States: accepted pausing frozen running sleeping sealing resuming caught_up gathering ended.
 * Outcome: NULL while under way, then ok, error, killed, stopped. A failed run still walks resuming →
 * caught_up. */
typedef struct AgentRun {
    RunSpec spec;
    char *state, *outcome, *error_kind, *error;
    char *gtid, *binlog_gtid, *source_file; /* where the replica stands stopped */
    int64_t source_pos;
    bool aligned; /* barrier: stands at the common GTID */
    int64_t accepted_at, paused_at, frozen_at, started_at, job_ended_at, resumed_at, caught_up_at,
        finished_at;
    WireProgress progress;
    Replay replay;
    char *result_dir;
    bool sealed;
    json_t *manifest;       /* once sealed, without the files' list when that is long */
    json_t *outcome_detail; /* of an upload: what the loader said */
    int64_t result_bytes, result_compressed_bytes;
    char *note;    /* what it is doing or waiting for, for people */
    bool split;    /* its program takes pieces of work from a list: set on shard 0 */
    StrList lost;  /* shards whose work was given to the others */
    bool gathered; /* its result holds those of the other shards */
    char *gather_error;
} AgentRun;
extern const WireField agent_run_fields[];

typedef struct ServerState {
    bool up;
    char *error;
    char *flavor, *version, *address;
    int64_t port, server_id, uptime_s;
    bool is_replica, uses_gtid, sql_running, read_only;
    char *io; /* no, connecting, yes */
    char *source_host, *source_file;
    int64_t source_port, source_pos; /* coordinates of the applied position */
    char *applied, *binlog, *received;
    int64_t relay_bytes;
    int64_t semi_sync_acks; /* replicas that acknowledge its commits; -1: it waits for none */
    bool acknowledges;      /* to its source, with semi-sync */
    char *io_error, *sql_error;
    int64_t read_at; /* time */
} ServerState;
extern const WireField server_state_fields[];

/* Hard links to relay files, kept while a pause is in force. */
typedef struct VaultFigures {
    int64_t files, bytes;
    int64_t pinned_bytes; /* of files that only the links keep on disk */
} VaultFigures;
extern const WireField vault_figures_fields[];

/* The buffer being applied before replication may start: transactions, per second, seconds left. */
typedef struct RescueState {
    bool running;
    char *from, *target; /* GTID positions */
    int64_t total, done, tries;
    double rate, eta_s;
} RescueState;
extern const WireField rescue_state_fields[];

/* Phases: pausing frozen resuming rescuing catching_up. Owner: a run id, "manual", or "rescue" (a start of
 * the server found transactions that nobody had applied). */
typedef struct LeaseState {
    char *owner, *reason, *by, *gtid, *phase;
    int64_t taken_at, expires_at;
    int64_t renewed_at; /* the coordinator was heard last; 0: not since the agent started */
    bool renew_overdue; /* longer ago than the agent's `renew`: told, nothing else follows */
    bool hold;
    int64_t relay_bytes;   /* arrived since the freeze */
    int64_t catchup_ms;    /* that catching up would take now; -1: not known */
    int64_t limit_percent; /* of the limit that is nearest */
    Replay replay;         /* from resuming on */
} LeaseState;
extern const WireField lease_state_fields[];

/* What happened on a node, kept by its agent until the coordinator has stored it. */
typedef struct AgentEvent {
    int64_t seq, time;
    char *level, *kind, *run, *text; /* level: info, warn, error */
} AgentEvent;
extern const WireField agent_event_fields[];

typedef struct JobInfo {
    char *name, *kind, *on, *upload;
} JobInfo;
extern const WireField job_info_fields[];

/* A sealed result in brief, and how long its job's are kept (0: no limit). */
typedef struct ResultInfo {
    char *run, *job;
    char *group; /* of results that stand for each other: the job and what it was asked for */
    int64_t sealed_at;
    int64_t keep, keep_for_ms;
    StrList destinations; /* nodes and folders that shall have a copy */
    StrList copies;       /* the folders that have one */
    bool part;            /* of a run on several replicas, not of all of them */
} ResultInfo;
extern const WireField result_info_fields[];

typedef struct NodeState {
    char *node, *cluster_name, *version, *boot_id;
    int64_t seq;  /* grows with every change; starts from the agent's start time, so that it never repeats */
    int64_t term; /* the last the agent has seen */
    char *role;   /* primary, replica: as the coordinator gave it; NULL before */
    int64_t now;  /* time */
    ServerState server;
    LeaseState lease; /* owner NULL: none */
    VaultFigures vault;
    RescueState rescue;
    WireList runs;                              /* AgentRun */
    WireList jobs;                              /* JobInfo */
    int64_t spool_free_bytes, relay_free_bytes; /* -1: not known */
    WireList events;                            /* AgentEvent: those after ?events_after= */
    int64_t events_last;                        /* seq of the newest there is */
    json_t *purge; /* holds on its binary logs: {"holds": [{"owner", "keep_s", "left_s"}], "raised", …} */
    StrList warnings; /* sentences for people: what is wrong on this node now */
} NodeState;
extern const WireField node_state_fields[];

/* ---- coordinator → clients ([contract] names) ---------------------------------------------------- */

typedef struct Run {
    char *id; /* "12.1" */
    char *state, *outcome, *gtid, *error, *result_dir;
    StrList nodes;
    int64_t term;
    int64_t started_at, finished_at, frozen_at, resumed_at, caught_up_at;
    WireProgress progress;
    Replay replay;
    int64_t upload_task; /* id, 0: none */
    json_t *detail;      /* of an upload: what the loader said */
    char *note;
} Run;
extern const WireField run_fields[];

typedef struct Task {
    int64_t id;
    char *kind, *name, *job, *on, *state, *user;
    int64_t priority, replicas;
    StrList args;
    json_t *options;
    int64_t submitted_at, run_at, finished_at;
    int64_t sequence_id, sleeptime_ms, attempts, max_attempts, pause_limit_ms;
    int64_t parent_task; /* uploads */
    char *parent_run;
    char *window, *unique;
    bool fixed_time;
    char *error;
    char *why; /* while waiting: the reason, a sentence */
    char *request, *request_by;
    WireList runs; /* Run */
} Task;
extern const WireField task_fields[];

typedef struct Node {
    char *name, *url, *role, *state; /* state: serving, paused, catching_up, down, unreachable, stopped,
                                        errors… a word for people */
    char *agent_error;               /* why the agent cannot be reached */
    int64_t lag_trx, lag_ms;         /* -1: not known */
    NodeState agent;                 /* the last state seen; node NULL: none yet */
} Node;
extern const WireField node_fields[];

/* A finding of a check: what is wrong, and the statement or line that mends it. */
typedef struct Finding {
    char *node, *name, *level; /* ok, warning, error */
    char *text, *mend;
} Finding;
extern const WireField finding_fields[];

/* How many of the run's nodes have a result of their own: all, until the first has gathered the others'. */
size_t wire_run_holders(const Run *r);

/* "12.1" → 12, 1; "12" → 12, 0 (the last run). */
bool wire_run_id(const char *text, int64_t *ret_task, int64_t *ret_no);

/* True for a state in which nothing more happens without a person or a new run. */
bool task_state_is_final(const char *state);
