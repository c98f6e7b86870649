/* SPDX-License-Identifier: Apache-2.0
 * The agent's state, owned by the loop's thread. Files of this folder and what each may do:
 * probe reads the server; pause moves the lease and is alone in touching the applier; vault keeps relay
 * files; rescue applies them; run walks runs; api answers; store writes files. Everything that changes what
 * others see calls agent_changed.
 */
#pragma once

#include <event2/event.h>

#include "common/db/work.h"
#include "common/net/http.h"
#include "facts.h"
#include "guard.h"
#include "hooks.h"
#include "pause.h"
#include "purge.h"
#include "release.h"
#include "replay.h"
#include "replica-agent/host/config.h"
#include "run.h"
#include "steps.h"
#include "tell.h"

/* The last reading of the server. */
typedef struct ServerView {
    bool ever, up;
    Err error;
    DbVersion version;
    ReplStatus status;
    ReplSemiSync semi_sync;
    LeaseServer id;
    int64_t begun_ms, read_at; /* monotonic begin of the reading; wall clock end */
} ServerView;

typedef struct Role {
    char *role;        /* NULL before the coordinator gave one */
    int64_t term;      /* of the role */
    int64_t seen_term; /* the greatest heard */
    bool confirmed;    /* repeated by the coordinator since this server process started */
    bool settled;      /* the server has been set as the role says: semi-sync cannot be told from read_only */
    bool in_flight;
    int64_t retry_ms;
} Role;

/* The relay files of the server, and the links to them. */
typedef struct AgentVault {
    WorkPool *pool;
    VaultPlace place; /* index NULL: not known yet */
    VaultFigures figures;
    bool in_flight, clear_due;
    int64_t next_ms, loud_ms;
    char *held; /* by the links when the pause was over; NULL: not read yet */
    int64_t clear_since_ms, missing_since_ms;
    char *trouble;
} AgentVault;

struct Program;
struct StateWaiter;
struct ManualWaiter;
struct Probe;

typedef struct Agent {
    const char *config_path;
    AgentConfig conf;
    JobList jobs;
    struct event_base *base;
    struct event *tick, *probe_timer, *signals[3];
    WorkPool *probes, *work;
    HttpServer *http;
    int lock_fd;

    ServerView server;
    LeaseServer known; /* the server process whose start has been dealt with (server.json) */
    bool runs_met;
    bool met;                        /* this agent has decided about the present server process */
    bool start_due, start_in_flight; /* replication is ours to start, without a lease */
    int64_t start_retry_ms;
    char *start_trouble;

    Pause pause;
    Replaying replaying;
    AgentVault vault;
    Release release;
    struct Program *rescue; /* NULL: none is under way */
    struct Copy *copies;    /* under way */
    Runner **runs;
    size_t n_runs;
    Role role;
    int64_t coordinator_ms; /* last contact; 0: none since started_ms */
    int64_t started_ms;
    Guard guard;
    Sampler sampler;
    Purge purge;
    Hooks hooks;
    Tell tell;
    int64_t spool_free, state_free;
    bool store_trouble;

    int64_t seq;
    struct event *news;
    bool slight; /* a change that can wait is pending */
    int64_t told_ms;
    Lag lag;
    struct StateWaiter *waiters;
    struct ManualWaiter *manual; /* requests of pause and resume by hand that wait for their end */
    struct Probe *probe;         /* between two readings */
    bool accepting;              /* a run's preflight is under way */
    bool stopping;
} Agent;

/* What others see has changed: soon (positions, counters), or at once (states). */
void agent_changed(Agent *a);
void agent_changed_slightly(Agent *a);

/* api.c */
bool api_open(Agent *a, Err *err);
void api_news(Agent *a); /* answers those who wait for a change */
void api_tick(Agent *a); /* answers those whose time is over */
void api_pause_news(Agent *a, const char *owner, PauseNews news, const Err *err);
void api_close(Agent *a);
/* By hand: ends the run that holds the pause, or the pause itself. */
MUST_CHECK bool api_end_pause(Agent *a, const char *by, const char *reason, Err *err);

/* probe.c */
void probe_begin(Agent *a);
void probe_close(Agent *a);

/* vault_tick.c */
void vault_open(Agent *a);
void vault_tick(Agent *a);
void vault_learn(Agent *a, const VaultPlace *p); /* after a step that has read it */
void vault_close(Agent *a);

/* rescue_run.c: ends in pause_rescue_ended */
void rescue_begin(Agent *a);
bool rescue_is_under_way(const Agent *a);
void rescue_tick(Agent *a);
void rescue_close(Agent *a);

/* meet.c: what a start of agent or server asks for */
void meet_server(Agent *a);
void meet_tick(Agent *a);
void role_tick(Agent *a);
/* ERR_STALE_TERM if a greater one was heard; 0: none given. Counts as a sign of life of the coordinator. */
MUST_CHECK bool role_heard_term(Agent *a, int64_t term, Err *err);
MUST_CHECK bool role_set(Agent *a, const char *role, int64_t term, Err *err);
void role_load(Agent *a);

/* node_state.c */
json_t *node_state_json(Agent *a, int64_t events_after); /* with the events after this one */
json_t *node_lease_json(const Agent *a);
json_t *node_run_json(const Agent *a, const Runner *r);
void node_warnings(const Agent *a, StrList *ret);
int64_t node_lag_trx(const Agent *a); /* received and not applied; -1: not known */

/* metrics.c */
char *metrics_text(const Agent *a);
