/* SPDX-License-Identifier: Apache-2.0
 * The agent around its core: what has happened is posted to the loop (loop.h), which steps through it
 * (core/agent_step) and has the effects carried out by the files of this folder. None of them decides; none
 * calls another machine. All of it belongs to the loop's thread.
 */
#pragma once

#include <event2/event.h>

#include "common/db/work.h"
#include "common/net/certificate.h"
#include "common/net/http.h"
#include "loop.h"
#include "queue.h"
#include "release.h"
#include "replica-agent/agent/do/apart.h"
#include "replica-agent/agent/do/ballast.h"
#include "replica-agent/agent/do/disk_watch.h"
#include "replica-agent/agent/do/node_events.h"
#include "replica-agent/agent/do/purge.h"
#include "replica-agent/agent/do/sampler.h"
#include "replica-agent/agent/do/source_look.h"
#include "replica-agent/agent/do/store.h"
#include "replica-agent/agent/do/vault_tick.h"
#include "replica-agent/core/agent_step.h"
#include "replica-agent/helper/supervise.h"
#include "replica-agent/host/config.h"

struct Program;
struct StateWaiter;
struct Answer;
struct Probe;
struct RunProgram;
struct RunSplit;
struct Copy;

typedef struct Agent {
    const char *config_path;
    AgentConfig conf;
    char *reload_trouble; /* what the last SIGHUP did not take over; NULL: nothing */
    CertWatch certificate;
    JobList jobs;
    struct event_base *base;
    struct event *tick, *probe_timer, *signals[3];
    WorkPool *probes, *work;
    HttpServer *http;
    RoleMap *roles;
    int lock_fd;
    bool stopping;
    int64_t ending_ms; /* since when it is asked to end, and waits for durability; 0: it is not */

    AgentState s;
    Queue queue;
    Loop loop;
    Store store;

    Db *held;               /* one connection since the freeze; in an operation's hands while that runs */
    struct Program *rescue; /* NULL: none is under way */
    struct Program *fill;   /* NULL: none is under way */
    struct RunProgram *programs;
    struct RunSplit *splits;
    struct Copy *copies; /* under way */
    AgentVault vault;
    Apart apart;
    char *data_dir; /* of the server, where it is this host's; NULL: not known yet */
    Ballast ballast;
    Sampler sampler;
    SourceLook source_look;
    DiskWatch disks;
    Purge purge;
    Tell tell;
    Release release;
    struct {
        pid_t pid; /* of the last one started; 0: none, or reaped */
        int64_t next_ms;
    } watcher;
    struct RoleCall *role_call; /* the hook after a promotion or demotion that runs; NULL: none */
    struct HttpClient *peers;   /* other agents are asked by it; NULL: none was yet */
    struct Probe *probe;        /* between two readings */

    int64_t seq; /* of what others see */
    struct event *news;
    bool slight; /* a change that can wait is pending */
    int64_t told_ms;
    struct StateWaiter *waiters;
    struct Answer *answers; /* requests that wait for theirs */
    uint64_t last_token;
    bool accepting; /* a run's preflight is under way */
} Agent;

/* changes.c: what others see has changed: soon (positions, counters), or at once (states). */
void agent_changed(Agent *a);
void agent_changed_slightly(Agent *a);

/* api.c */
bool api_open(Agent *a, Err *err);
MUST_CHECK bool api_configure(Agent *a, Err *err); /* roles and peers, as the configuration has them now */
void api_tick(Agent *a);                           /* answers those whose time is over */
void api_close(Agent *a);

/* answers.c: requests that are answered by an effect. */
uint64_t answer_expect(Agent *a, HttpRequest *req, json_t *(*make)(Agent *a, const char *run), int status);
/* One that is answered by the pause's news too: `resume` by RESUMED or RELEASED, else by FROZEN. */
uint64_t answer_expect_news(Agent *a, HttpRequest *req, bool resume);
void answer_give(Agent *a, uint64_t token, const char *run, const Err *err); /* err NULL or ERR_NONE: well */
/* With a body that is made already; one that cannot be made of the state later. */
void answer_text(Agent *a, uint64_t token, int status, const char *json);
void answer_news(Agent *a, const char *owner, PauseNews news, const Err *err);
void answers_tick(Agent *a);
void answers_close(Agent *a);

/* probe.c */
void probe_begin(Agent *a);
void probe_close(Agent *a);

/* sql.c: operations in workers. */
void sql_begin(Agent *a, OpOrder *order);
void sql_drop_held(Agent *a);
void sql_release(Input *in); /* what an operation's input borrows from */

/* programs.c: what runs execute. */
void programs_start(Agent *a, const char *run, const char *name, bool only_find);
void programs_signal(Agent *a, const char *run, int signo);
void programs_tick(Agent *a);
bool programs_are_under_way(const Agent *a, size_t *ret_n);
void programs_close(Agent *a);

/* rescue_run.c */
void rescue_begin(Agent *a);
void rescue_tick(Agent *a);
void rescue_close(Agent *a);

/* fill_run.c */
void fill_begin(Agent *a, bool fresh);
void fill_look(Agent *a);
void fill_close(Agent *a);

/* hooks.c */
void hook_call(Agent *a, bool before);

/* contact.c */
void contact_ask(Agent *a, const Effect *e);
void contact_close(Agent *a);

/* role_hooks.c */
void role_hook_call(Agent *a, const Effect *e);
void role_hook_end(Agent *a);

/* run_split.c */
void splits_tick(Agent *a);
void splits_close(Agent *a);
/* The run's program has ended, and not all of the work of its list is done: whatever the exit status says. */
bool split_is_undone(Agent *a, const AgentRunner *r);

/* run_files.c: folders of runs. */
char *run_dir(const Agent *a, const char *id);           /* state_dir/runs/ID */
char *run_results(const Agent *a, const char *id);       /* spool_dir/ID */
char *run_log_dir(const Agent *a, const AgentRunner *r); /* of the program whose log is asked for. Owned */
void run_clean(Agent *a, const char *id); /* secrets and fetched files; the result too unless sealed */
void run_forget(Agent *a, const char *id, uint64_t token);          /* IN_FORGOTTEN follows */
MUST_CHECK bool run_check(Agent *a, const RunSpec *spec, Err *err); /* job, arguments, cluster, side */
/* How many milliseconds the serving replica that is furthest behind is so: for loads under way. */
void run_told_lag(Agent *a, const char *lag_ms);

/* run_program.c: what a stage runs. */
MUST_CHECK bool run_program_spec(Agent *a, const AgentRunner *r, const char *name, ProgramSpec *ret,
                                 Err *err);
char *run_program_dir(const Agent *a, const AgentRunner *r, const char *name);
/* A sentence, and what kind of failure it is. */
void run_program_failure(Agent *a, const AgentRunner *r, const char *name, const ProgramExit *e, Err *ret);

/* node_state.c */
json_t *node_state_json(Agent *a, int64_t events_after); /* with the events after this one */
json_t *node_lease_json(const Agent *a);
json_t *node_run_json(const Agent *a, const AgentRunner *r);
void node_warnings(const Agent *a, StrList *ret);

/* metrics.c */
char *metrics_text(const Agent *a);
