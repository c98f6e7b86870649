/* SPDX-License-Identifier: Apache-2.0
 * All state of the coordinator, owned by the loop's thread. Workers get copies and ids; what comes back is
 * looked up again, so that a stale answer finds nothing and is dropped.
 */
#pragma once

#include <event2/event.h>

#include "common/db/work.h"
#include "common/net/coordconf.h"
#include "common/net/http.h"
#include "common/net/httpc.h"
#include "common/wire/wire.h"
#include "orchestrator/core/coord_run.h"
#include "orchestrator/core/lag.h"
#include "orchestrator/core/retry.h"

typedef struct Coord Coord;
typedef struct CoordStore CoordStore;
typedef struct Events Events;
typedef struct Mail Mail;

typedef struct AgentLink {
    Coord *c;
    char *name, *url;
    char *source;      /* as last told: "host:port" that its server replicates from; NULL: not seen yet */
    Node node;         /* what clients see; node.agent is the last state the agent told */
    bool fresh;        /* told since this coordinator started, and not unreachable now */
    bool dropped;      /* no longer configured: freed once its call is back */
    bool refused_term; /* it has seen a later term than ours */
    bool told;         /* its absence has been logged */
    int64_t failures;
    uint64_t poll;                  /* call under way, 0: none */
    int64_t polls_sent, polls_seen; /* number of the newest poll sent, and of the newest answered */
    int64_t tidied_poll;            /* newest answer that `forgetting` belongs to */
    StrList forgetting;             /* ended runs it was asked to forget since */
    Retry poll_retry, role_retry;
    bool role_busy;
    struct {
        json_t *list; /* ResultInfo: what it holds, as this round was told; NULL: not known */
    } results;
    struct {
        bool busy, told;
        Retry retry;
    } hold; /* of the primary's binary logs, for this node */
    /* Its events: taken over here up to `taken`; stored in the database up to `stored`, which is what the
     * agent may forget. `mark` is waited for: once our own event `mark_own` is stored, so are its up to
     * there. */
    struct {
        int64_t taken, taken_own, mark, mark_own, stored;
    } events;
} AgentLink;

typedef struct TaskEntry {
    Task t;                   /* t.runs holds its runs, the last one may be under way */
    CoordRun run;             /* that one: coord_run_step leads it */
    bool busy;                /* claim, retry or deletion is being written */
    char *after_gtid;         /* what the job must see applied */
    int64_t claimed_at;       /* by the primary's clock, as in RunSpec */
    char *seen_gtid;          /* a position of the primary behind its submission; NULL: not read */
    int64_t seen_at;          /* by the primary's clock, before seen_gtid was read */
    bool seen_due;            /* the poll under way reads it */
    int64_t rev, saved_rev;   /* memory and database */
    TaskAction saved_request; /* the database's request column, as last read or written */
    bool saving;
    Retry save_retry;
} TaskEntry;

typedef struct CoordJournal {
    int64_t term;
    char *primary, *address; /* where the primary's server was last seen */
    int64_t port;
} CoordJournal;

struct Coord {
    struct event_base *base;
    struct event *step, *tick, *signals[3];
    char *config_path;
    SidingConfig conf;
    int lock_fd;
    int64_t started_at;
    CoordJournal journal;
    HttpClient *http;
    WorkPool *files; /* blocking downloads for answers: logs */
    CoordStore *store;
    Events *events;
    Mail *mail;
    HttpServer *server;
    struct {
        bool loading, polling, saving_events;
        int64_t polled_ms; /* monotonic */
        Retry load_retry, events_retry;
        int64_t looking_up; /* id of a task being fetched, 0: none */
        int64_t not_found;  /* the last that was not there */
        char *load_error;
    } queue;
    AgentLink **agents;
    size_t n_agents;
    LagSamples samples;     /* of the primary's position */
    struct RunInbox *inbox; /* answers for runs, in the order they came */
    TaskEntry **entries;    /* ascending by task id */
    size_t n_entries, cap_entries;
    struct {
        size_t waiting;   /* calls under way */
        bool listing;     /* of lists, else of removals */
        int64_t begun_at; /* of the round */
        int64_t next_ms;  /* monotonic */
    } retention;
    bool loaded; /* the queue has been read since the start */
    bool fenced; /* another coordinator has raised the term */
    char *topology_error;
    int64_t wake_ms; /* monotonic time of the next step wanted; 0: only the tick's */
    struct {
        int64_t submitted, started, done, failed, polls, steps;
    } count;
};

/* ---- coord_state.c ----------------------------------------------------------------------------------------
 */

TaskEntry *state_find(const Coord *c, int64_t task);
/* Takes `t` (zeroed afterwards); an entry of that id keeps its place and is replaced only if nothing of ours
 * is under way on it. */
TaskEntry *state_adopt(Coord *c, Task *t);
void state_remove(Coord *c, TaskEntry *e);
void state_free_entries(Coord *c);
AgentLink *state_agent(const Coord *c, const char *name);
AgentLink *state_primary_agent(const Coord *c);
NodeRole state_role(const Coord *c, const char *node); /* none while the primary is not known */
bool state_primary_flavor(const Coord *c, DbFlavor *ret);
char *state_mixed(const Coord *c, const AgentLink *a); /* topology_mixed below the primary */
/* Drops the oldest ended tasks beyond what is kept in memory. */
void state_trim(Coord *c);

Run *entry_run(const TaskEntry *e);            /* the last, NULL if none */
CoordRunState entry_state(const TaskEntry *e); /* of the last run; CRUN_WAITING where there is none */
char *entry_run_id(const TaskEntry *e);
bool entry_is_active(const TaskEntry *e); /* its last run is not ended */
bool entry_is_saved(const TaskEntry *e);
void entry_touch(TaskEntry *e); /* changed in memory: to be written */
void entry_set_parts(TaskEntry *e, const StrList *nodes);
AgentRun *state_agent_run(const AgentLink *a, const char *run);

/* The results on the nodes are counted soon. */
void retention_soon(Coord *c);
/* A step soon (once, however often it is asked for), or at a monotonic time. */
void coord_step_soon(Coord *c);
void coord_wake_at(Coord *c, int64_t mono_ms);

bool retry_due(const Retry *r);
void retry_failed(Coord *c, Retry *r, int64_t least_ms, int64_t most_ms); /* and a step when it is due */
