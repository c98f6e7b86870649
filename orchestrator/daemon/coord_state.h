/* SPDX-License-Identifier: Apache-2.0
 * All state of the coordinator, owned by the loop's thread. Workers get copies and ids; what comes back is
 * looked up again, so that a stale answer finds nothing and is dropped.
 */
#pragma once

#include <event2/event.h>

#include "common/base/retry.h"
#include "common/db/work.h"
#include "common/net/certificate.h"
#include "common/net/coordconf.h"
#include "common/net/http.h"
#include "common/net/httpc.h"
#include "common/wire/wire_node.h"
#include "common/wire/wire_task.h"
#include "orchestrator/core/coord_run.h"
#include "orchestrator/core/errant.h"
#include "orchestrator/core/lag.h"
#include "orchestrator/core/provision.h"
#include "orchestrator/core/reprovision.h"
#include "orchestrator/core/slots.h"

typedef struct Coord Coord;
typedef struct CoordStore CoordStore;
typedef struct Events Events;
typedef struct Mail Mail;

typedef struct AgentLink {
    Coord *c;
    char *name, *url;
    char *source;       /* as last told: "host:port" that its server replicates from; NULL: not seen yet */
    ErrantWatch errant; /* of its server, against the primary's */
    Node node;          /* what clients see; node.agent is the last state the agent told */
    bool fresh;         /* told since this coordinator started, and not unreachable now */
    bool dropped;       /* no longer configured: freed once its call is back */
    bool refused_term;  /* it has seen a later term than ours */
    bool told;          /* its absence has been logged */
    bool pause_told;    /* and that nobody ends its pause */
    int64_t failures;
    Err error;                      /* of node.agent_error */
    int64_t seen_ms;                /* monotonic: when node.agent came */
    int64_t clock_ahead_ms;         /* of its clock, as far as its last answer tells; INT64_MIN: not known */
    bool clock_wrong, clock_told;   /* as the last answer has it; as it was told */
    uint64_t poll;                  /* call under way, 0: none */
    int64_t polls_sent, polls_seen; /* number of the newest poll sent, and of the newest answered */
    int64_t tidied_poll;            /* newest answer that `forgetting` belongs to */
    StrList forgetting;             /* ended runs it was asked to forget since */
    StrList lost;                   /* runs that the queue does not know: told */
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

/* A task that the coordinator deals with now: it has a run under way, is an upload that is not ended, is to
 * be written down, or has ended a moment ago. All others stand in the database, those that wait in slots too.
 */
typedef struct TaskEntry {
    Task t;                   /* t.runs holds its runs, the last one may be under way */
    CoordRun run;             /* that one: coord_run_step leads it */
    char *after_gtid;         /* what the job must see applied */
    int64_t claimed_at;       /* by the primary's clock, as in RunSpec */
    uint64_t record;          /* of what belongs on record, as last touched */
    int64_t rev, saved_rev;   /* memory and database */
    int64_t saved_ms;         /* when it was last known to be written; monotonic */
    TaskAction saved_request; /* the database's request column, as last read or written */
    bool saving;
    bool ended_saved; /* its end is on record */
    bool changing;    /* what a person asked for is being written */
    Retry save_retry;
    char *post_run; /* a run that went well, whose follow-up is not on record yet; NULL: none */
} TaskEntry;

typedef struct CoordJournal {
    int64_t term;
    char owner[40];          /* of the term: this coordinator's uuid, made with its folder */
    char *primary, *address; /* where the primary's server was last seen */
    int64_t port;
    json_t *failover; /* failover_impl.h says what; NULL: nothing yet */
} CoordJournal;

struct Coord {
    struct event_base *base;
    struct event *step, *tick, *signals[3];
    char *config_path;
    SidingConfig conf;
    char *reload_trouble; /* what the last SIGHUP did not take over; NULL: nothing */
    CertWatch certificate;
    int lock_fd;
    int64_t alive_until; /* wall time: a coordinator of this folder was there until then; 0: not known */
    struct Zones *zones; /* zones.h */
    int64_t started_at;
    int64_t hear_until_ms; /* monotonic: agents that have not answered by then are not waited for */
    CoordJournal journal;
    char *incarnation; /* of the queue; NULL: it has not been read */
    HttpClient *http;
    WorkPool *files; /* blocking downloads for answers: logs */
    CoordStore *store;
    struct FailoverEdge *failover;    /* failover_impl.h */
    struct Provisions *provisions;    /* provisions.c */
    const ProvisionRecord *provision; /* of it: the replica that is made, or was last */
    struct Invitations *invitations;  /* invitations.c */
    Events *events;
    Mail *mail;
    struct TurnMailer *turn_mailer; /* turn_mailer.h */
    HttpServer *server;
    struct ResultStreams *result_streams; /* result_stream.h */
    Slots *slots;                         /* the queue's inside: a place for each task that is not ended */
    RoleMap *roles;
    struct {
        bool loading, taking, saving_events;
        int64_t taken_ms, swept_ms, asked_ms, term_ms; /* monotonic: intake, sweep, requests, term */
        int64_t inbox_after, sweep_after;
        Retry load_retry, events_retry;
        char *load_error;
        struct QueueMemory *memory; /* queue_memory.h */
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
        bool reading;     /* their runs from the database: entries stay meanwhile */
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
bool state_is_newer(const TaskEntry *e); /* than the database: a run is under way, or it is to be written */
/* Than a row whose reading began then: it may have been written since. */
bool state_is_newer_than(const TaskEntry *e, int64_t read_ms);
void state_remove(Coord *c, TaskEntry *e);
void state_free_entries(Coord *c);
AgentLink *state_agent(const Coord *c, const char *name);
AgentLink *state_primary_agent(const Coord *c);
/* The node's server holds nothing whole, or has not caught up since it was filled: it is not told to follow
 * or to acknowledge, and does not count. */
bool state_is_being_made(const Coord *c, const AgentLink *a);
bool state_heard_lately(const AgentLink *a); /* it has answered when an answer was due */
/* All of them, c->n_agents, for what looks at the cluster as a whole; the array is the caller's. */
const Node **state_nodes(const Coord *c);
NodeRole state_role(const Coord *c, const char *node); /* none while the primary is not known */
bool state_primary_flavor(const Coord *c, DbFlavor *ret);
char *state_mixed(const Coord *c, const AgentLink *a); /* topology_mixed below the primary */
/* Lets go of the oldest that the database has as well. */
void state_trim(Coord *c);

Run *entry_run_named(const TaskEntry *e, const char *key); /* NULL: none has this key */
Run *entry_run(const TaskEntry *e);                        /* the last, NULL if none */
CoordRunState entry_state(const TaskEntry *e); /* of the last run; CRUN_WAITING where there is none */
bool entry_is_active(const TaskEntry *e);      /* its last run is not ended */
bool entry_is_saved(const TaskEntry *e);
/* Changed in memory: to be written, if it belongs on record. Passing states do not: claims, freezes, uploads
 * and ends do. */
void entry_touch(TaskEntry *e);
void entry_is_on_record(TaskEntry *e); /* as it is now: its claim was written before memory knew of it */
void entry_set_parts(TaskEntry *e, const StrList *nodes);
AgentRun *state_agent_run(const AgentLink *a, const char *run);

/* The results on the nodes are counted soon. */
void retention_soon(Coord *c);
/* A step soon (once, however often it is asked for), or at a monotonic time. */
void coord_step_soon(Coord *c);
void coord_wake_at(Coord *c, int64_t mono_ms);

bool retry_due(const Retry *r);
void retry_failed(Coord *c, Retry *r, int64_t least_ms, int64_t most_ms); /* and a step when it is due */
