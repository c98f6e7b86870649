/* SPDX-License-Identifier: Apache-2.0
 * What an agent decides from, in three parts with one owner each. `known` is what others say (the server, the
 * disks, the coordinator) and is replaced by inputs. `durable` and the journals of runs are what the agent
 * has promised: changed by agent_step alone, on disk before the effects that depend on it. `flight` is what
 * is under way in this process and ends with it. Pure: no clock, no I/O; times are of the input at hand.
 */
#pragma once

#include "boost.h"
#include "boot.h"
#include "catchup.h"
#include "common/db/repl.h"
#include "common/wire/wire_fill.h"
#include "common/wire/wire_run.h"
#include "guard.h"
#include "inflow.h"
#include "lease.h"
#include "order_step.h"
#include "pause_machine.h"
#include "run_machine.h"

/* ---- the configuration, as far as decisions depend on it ------------------------------------------------
 */

typedef struct JobRules {
    const char *name, *kind, *on, *at_limit; /* borrowed */
    int64_t pause_limit_ms, min_free_bytes, relay_limit_bytes, catchup_limit_ms;
    int64_t snooze_ms, snooze_most; /* after status 75; 0: that is a failure */
} JobRules;

/* Strings are borrowed from the configuration, which outlives the state. */
typedef struct AgentRules {
    const char *node, *state_dir, *spool_dir, *at_limit;
    const char **peers; /* names of other agents whose address is known */
    size_t n_peers;
    int64_t pause_limit_ms, applied_timeout_ms, barrier_timeout_ms, renew_ms, stop_grace_ms;
    int64_t min_free_bytes, relay_limit_bytes, catchup_limit_ms, limit_warn_percent;
    bool boost, boost_trials, boost_last_acknowledger, sync_relay_log;
    int64_t boost_workers, boost_queue_bytes, boost_trials_above_ms;
    bool calls_before_pause, calls_after_caught_up, ignores_failed_hooks;
    bool calls_after_promotion, calls_after_demotion;
    JobRules *jobs;
    size_t n_jobs;
} AgentRules;

/* ---- known ----------------------------------------------------------------------------------------------
 */

/* The last reading of the server. */
typedef struct ServerView {
    bool ever, up;
    Err error;    /* of the last reading, while !up */
    bool foreign; /* !up: a server answers that is not this agent's; nothing is done on it */
    DbVersion version;
    ReplStatus status;
    ReplSemiSync semi_sync;
    LeaseServer id;
    LeaseSettings settings; /* as they were when the server process was first looked at */
    char *log_file;         /* of a primary: where its binary log ends; NULL: not known */
    int64_t log_pos;
    int64_t begun_ms, read_at; /* monotonic begin of the reading; wall clock end */
} ServerView;

typedef struct Known {
    AgentRules rules;
    const char *boot_id; /* borrowed */
    int64_t started_ms;
    ServerView server;
    Lag lag;
    Inflow inflow;                              /* what the receiver receives; on a primary what it writes */
    InflowTold source;                          /* what the primary has written, as the coordinator said it */
    int64_t spool_free, state_free, relay_free; /* bytes; -1: not known */
    char *relay_dir;                            /* NULL: not known */
    bool hangs;                                 /* the last look at the server got no answer in time */
    int64_t coordinator_ms;                     /* last contact; 0: none since started_ms */
    char *primary;                              /* the primary's position as the coordinator said it */
    int64_t primary_ms;                         /* when */
    bool sole; /* no other replica acknowledges the primary's commits, as the coordinator said */
} Known;

/* ---- durable --------------------------------------------------------------------------------------------
 */

#define ROLE_RECORD_LIST(F, T)                                                                               \
    F(T, ENUM, role, NodeRole, node_role_names) /* none before the coordinator gave one */                   \
    F(T, INT, term)                             /* of the role */                                            \
    F(T, INT, seen_term)                        /* the greatest heard */                                     \
    F(T, STR, seen_owner)                       /* who spoke in it; NULL: it was not said */                 \
    F(T, BOOL, opened) /* in this role, term and server process: who closes it from then on means it */      \
    F(T, OBJ, opened_on, LeaseServer, lease_server_fields)                                                   \
    F(T, BOOL, closed_by_hand) /* somebody else has closed it since */
WIRE_STRUCT(RoleRecord, ROLE_RECORD_LIST);
extern const WireField role_record_fields[];

/* Which server all of this is about: a pause, a role, what a server was like before. */
#define BOUND_RECORD_LIST(F, T) F(T, STR, identity) /* ReplStatus.identity; NULL: none was seen yet */
WIRE_STRUCT(BoundRecord, BOUND_RECORD_LIST);
extern const WireField bound_record_fields[];

/* That before_pause was called: after_caught_up is owed. */
#define HOOK_RECORD_LIST(F, T)                                                                               \
    F(T, STR, owner) /* NULL: nothing is owed */                                                             \
    F(T, STR, reason)                                                                                        \
    F(T, STR, gtid)                                                                                          \
    F(T, BOOL, over) /* after_caught_up is due */                                                            \
    F(T, INT, tries)
WIRE_STRUCT(HookRecord, HOOK_RECORD_LIST);
extern const WireField hook_record_fields[];

/* That this node has become, or is no longer, the primary, and its hook has not been called, or failed. */
#define ROLE_HOOK_RECORD_LIST(F, T)                                                                          \
    F(T, BOOL, promoted)                                                                                     \
    F(T, INT, term)    /* of the decision; 0: nothing is owed */                                             \
    F(T, STR, primary) /* by that decision */                                                                \
    F(T, INT, tries)
WIRE_STRUCT(RoleHookRecord, ROLE_HOOK_RECORD_LIST);
extern const WireField role_hook_record_fields[];

/* apply_rate: transactions/s of the last catch-up worth measuring; 0: none yet. */
#define RATES_RECORD_LIST(F, T) F(T, NUM, apply_rate)
WIRE_STRUCT(RatesRecord, RATES_RECORD_LIST);
extern const WireField rates_record_fields[];

/* What this voter has promised and accepted, and toward whom its receiver may be started. */
#define VOTE_RECORD_LIST(F, T)                                                                               \
    F(T, OBJ, vote, VoteState, vote_state_fields)                                                            \
    F(T, BOOL, stale) /* its source is a primary that was replaced: it follows nobody until told whom */     \
    F(T, BOOL, owed)  /* a failover has stopped its receiver: it is started when that may be */              \
    /* on purpose, lifted for a drain: it comes back when it follows the new primary; 0: nothing was lifted  \
     */                                                                                                      \
    F(T, INT, delay_s)
WIRE_STRUCT(VoteRecord, VOTE_RECORD_LIST);
extern const WireField vote_record_fields[];

typedef struct Durable {
    FillState fill;   /* order.id NULL: never filled */
    PauseState pause; /* lease.state is written from it */
    Lease lease;      /* valid unless PAUSE_NONE; owner set while a pause begins */
    RoleRecord role;
    VoteRecord vote;
    BoundRecord bound;
    LeaseServer dealt_with; /* the server process whose start has been dealt with */
    HookRecord hook;
    RoleHookRecord role_hook;
    RatesRecord rates;
    BoostMemory ways; /* of applying, and which was the fastest */
} Durable;

#define RUN_JOURNAL_LIST(F, T)                                                                               \
    F(T, STR, state)     /* written from AgentRunner.state */                                                \
    F(T, STR, program)   /* the stage: job, fetch, load, seal, gather */                                     \
    F(T, BOOL, verified) /* the frozen state was proven unmoved after the job */                             \
    F(T, BOOL, aligning)                                                                                     \
    F(T, BOOL, resumed_early)                                                                                \
    F(T, STR, voided)      /* the frozen state is lost: no result, whatever the job says */                  \
    F(T, STR, cut_outcome) /* why it is being ended from outside */                                          \
    F(T, STR, cut_kind)                                                                                      \
    F(T, STR, cut_text)                                                                                      \
    F(T, BOOL, cut_hard)                                                                                     \
    F(T, INT, tries) /* of a program that may be started again */                                            \
    F(T, OBJ, gather, GatherOrder, gather_order_fields)                                                      \
    F(T, BOOL, seen) /* the coordinator has seen that it was taken: it may begin at any time */              \
    F(T, OBJ, run, AgentRun, agent_run_fields)
WIRE_STRUCT(RunJournal, RUN_JOURNAL_LIST);
extern const WireField run_journal_fields[];

typedef struct AgentRunner {
    RunState state; /* the one place */
    RunSide side;
    RunJournal j; /* durable */
    /* in flight */
    uint64_t accepted_in; /* the drain that accepted it */
    int64_t told_seq;     /* states of this number and later ones show it; 0: none yet. Set by who tells */
    bool changed;         /* j is ahead of what was given to be written */
    bool watched;         /* its program runs, or is being started */
    bool forgetting;
    uint64_t op; /* the verification under way; 0: none */
    int64_t barrier_ms;
    int64_t awaiting_ms; /* since when its own submission is awaited; 0: not yet */
} AgentRunner;

/* ---- flight ---------------------------------------------------------------------------------------------
 */

typedef struct PauseFlight {
    bool beginning;     /* the survey or the hook before the lease is under way */
    bool unwanted;      /* released meanwhile */
    bool unboosted;     /* the next START does without a boost: it could not be written down */
    uint64_t frozen_in; /* the drain in which it froze */
    uint64_t survey;    /* under way before the lease; 0: none */
    uint64_t op;        /* under way; 0: none */
    int64_t retry_ms, since_ms, loud_ms, started_ms;
    int64_t
        stopped_ms; /* since when the applier has been seen stopped while it should catch up; 0: it runs */
    char *align_gtid, *align_file;
    int64_t align_pos;
    char *trouble;         /* why it does not get on, for people */
    char *failed_at;       /* the position at which a failure of the applier was reported; NULL: none */
    struct Input *waiting; /* wished by hand while replication is just being started; NULL: none */
    int64_t waiting_until_ms;
} PauseFlight;

/* A request to start replication that somebody has stopped: it waits for a reading. */
typedef struct StartFlight {
    uint64_t token; /* of its answer; 0: there is none */
    int64_t since_ms;
    char *by, *reason;
} StartFlight;

typedef struct ReplayFlight {
    Catchup catchup;
    Boost boost;
    int64_t size_class; /* of the transactions of this backlog */
    bool given_up;      /* a change of way went wrong: none is tried any more in this catch-up */
    int64_t durable_ms; /* not before this another try */
} ReplayFlight;

typedef struct BootFlight {
    bool seen;      /* this agent has decided about the present server process */
    bool runs_seen; /* and about the runs it found: they may go on */
    bool start_due; /* replication is ours to start, without a lease */
    uint64_t op;
    int64_t retry_ms;
    char *trouble;
} BootFlight;

typedef struct RoleFlight {
    bool confirmed; /* repeated by the coordinator since this server process started */
    bool unwritten; /* the record is not on disk: it is not obeyed */
    bool settled;   /* a replica has been set as the role says: semi-sync cannot be read off read_only */
    bool cuts;      /* `op` closes it since its members do not answer */
    bool cut_off;   /* that has been done */
    bool wanted;    /* to be opened by hand, for the request `asked` */
    uint64_t asked;
    int64_t since_ms; /* a reading that began before says what was before the last change */
    uint64_t op;
    int64_t retry_ms;
} RoleFlight;

/* The order that is being carried out, and what has been found since it came first. */
typedef struct VoteFlight {
    uint64_t opened_in; /* the drain in which the gate was opened, until that is on disk; 0: it is */
    bool unwritten;     /* the record is not on disk: nothing is done because of it */
    AgentOrder order;   /* kind none: none */
    uint64_t token;     /* of the request that waits for its answer; 0: none */
    int64_t answer_ms;  /* it is answered then, done or not */
    Ballot ballot;      /* in which all below was found */
    uint64_t op;
    OrderAct act;        /* of `op` */
    Ballot in;           /* … and the ballot it was begun in */
    bool looks;          /* what the last act did is to be seen in a reading first */
    int64_t since_ms;    /* of that act's end */
    int64_t opened_ms;   /* when an act of this ballot opened the server; 0: none did */
    int64_t opened_acks; /* … and how many its commits wait for since */
    int64_t retry_ms;
    char *trouble;  /* why it does not get on */
    bool told;      /* that somebody else has started the receiver */
    bool signalled; /* SIGKILL was sent to its server, which had not ended by then */
    bool stopped, killed, log_read, closed, drained, armed, probed;
    /* Since when it acknowledges nothing before it is armed again, as a number that never comes again; 0: it
     * was armed. `ends`: what an arm that is under way ends; `muted`: the last in which the server was told
     * so itself, as the decision leaves it out; `stands`: the receiver did at the last reading. */
    int64_t silence, last_silence, ends, muted;
    bool stands;
    int64_t reopen_ms; /* it was closed for a switchover, and opens then unless more is ordered; 0: nothing is
                          due */
    Ballot closed_in;
    int64_t closed_ms; /* since when nothing could be written; 0: not known */
    char *received, *ahead;
    char *
        filled_for; /* the primary that it was given another replica's data for, since `ballot`; NULL: none */
    int64_t filled_ms; /* a reading that began before does not show that it follows */
} VoteFlight;

/* What the primary's members have said lately. Times are monotonic; 0: never. */
typedef struct ContactPeer {
    char *node;
    int64_t asked_ms; /* the question under way */
    int64_t next_ms;
    int64_t stood_ms; /* when it was asked what it answered by standing by this primary */
} ContactPeer;

enum { CONTACT_PEERS = 32 };
typedef struct ContactFlight {
    ContactPeer peers[CONTACT_PEERS];
    size_t n;
    bool had;  /* enough have stood by it since this agent started */
    bool lost; /* they do so no more: it is closed, or being closed */
    int64_t ticked_ms, grace_ms;
    uint64_t probe; /* a commit of our own, under way since probed_ms; 0: none */
    int64_t probed_ms, retry_ms, acknowledged_ms;
} ContactFlight;
void contact_done(ContactFlight *f);

typedef struct GuardFlight {
    GuardLevel level[GUARD_CAUSES];
    char *said[GUARD_CAUSES]; /* sentence while a level is above fine */
    GuardVerdict verdict;     /* the last */
    GuardReading reading;
    int64_t acted_ms;           /* since when an action is due; 0: none */
    int64_t hits[GUARD_CAUSES]; /* counters since the start */
    bool renew_overdue;
} GuardFlight;

typedef struct HookFlight {
    bool calling;
    int64_t retry_ms, failed; /* failed: counter since the start */
} HookFlight;

typedef struct RoleHookFlight {
    bool calling, ending; /* ending: it was asked to */
    bool promoted;        /* of the one that runs */
    int64_t term, retry_ms;
} RoleHookFlight;

typedef struct FillFlight {
    bool running;                     /* its program runs, or is being started */
    int64_t retry_ms;                 /* it is started again then; 0: not */
    int64_t tries;                    /* in this phase, since the agent started */
    int64_t sampled_ms, sampled_done; /* of the last look at its speed; 0: none in this phase */
} FillFlight;

typedef struct Flight {
    uint64_t last_op; /* ids are given from here */
    PauseFlight pause;
    StartFlight start;
    ReplayFlight replay;
    BootFlight boot;
    RoleFlight role;
    VoteFlight vote;
    ContactFlight contact;
    GuardFlight guard;
    HookFlight hook;
    RoleHookFlight role_hook;
    FillFlight fill;
    StrList done;  /* runs that were forgotten; their orders may still be on the way */
    bool rescuing; /* a rescue's program runs */
    bool ending;   /* this agent was asked to end */
} Flight;

/* Which records are ahead of what was given to be written. */
typedef struct Changed {
    bool lease, role, vote, bound, dealt_with, hook, role_hook, rates, ways, fill;
    StrList gone; /* runs that were forgotten */
} Changed;

typedef struct AgentState {
    Known known;
    Durable durable;
    AgentRunner **runs;
    size_t n_runs;
    Flight flight;
    Changed changed;
    uint64_t drain; /* counts: while effects wait for the record of one, the next does not begin */
} AgentState;

void agent_state_done(AgentState *s);

/* ---- questions ------------------------------------------------------------------------------------------
 */

/* Its order came so late that nobody counts on it any more: it may have been given to another. */
bool run_is_late(const Known *k, const RunSpec *spec, int64_t now_ms);
const char *run_id(const AgentRunner *r);
AgentRunner *run_find(const AgentState *s, const char *id);
bool run_is_under_way(const AgentRunner *r);
AgentRunner *run_of_pause(const AgentState *s); /* that owns the present pause; NULL: none */
/* One that begins as soon as the present pause is over, all that it needs being applied; NULL: none. */
const AgentRunner *run_next(const AgentState *s);
const JobRules *rules_of_job(const AgentRules *r, const char *name);

bool pause_is_in_force(const AgentState *s);                   /* the replica is not to apply */
bool pause_is_held_by(const AgentState *s, const char *owner); /* also one that begins */
int64_t pause_left_ms(const AgentState *s, int64_t now_ms, int64_t wall_ms);
/* What opens the gate below is written. */
bool vote_is_on_disk(const AgentState *s);
/* The one gate: whether a receiver may be started here, toward the source that is configured now; whether
 * this server may be opened as the primary. Free as long as nothing was promised or accepted. */
bool vote_lets_receive(const AgentState *s);
bool rules_have_peer(const AgentRules *r, const char *name);
/* Its members do not answer, and it is closed for that, or being closed. */
bool contact_is_lost(const AgentState *s);
int64_t contact_count(const AgentState *s, int64_t now_ms); /* members whose word counts; -1: none is asked */
/* A voter with this record stands by `primary`, which was decided in `asked`: nobody has it promise to follow
 * another, and it has accepted none. */
bool contact_stands(const VoteState *v, const char *primary, Ballot asked);
bool vote_lets_open(const AgentState *s);
/* By what it has voted for, whether that is on disk yet or not. */
bool vote_decides_open(const AgentState *s);
/* Its server gets another's data: nothing else is done on it. */
bool fill_is_under_way(const AgentState *s);
/* … or it has failed in the midst: it holds nothing whole, follows nobody and serves nobody. */
bool fill_is_unfinished(const AgentState *s);
/* The primary was opened in this server process and term, and somebody else has closed it since. */
bool role_is_closed_by_hand(const AgentState *s);
/* "paused by run 12.1 since …", into err as ERR_CONFLICT. Returns false. */
bool pause_conflict(const AgentState *s, Err *err);
/* Received and not applied, in transactions; -1: not known. */
/* Bytes that may still arrive in the relay logs within `ms`. */
int64_t known_coming(const Known *k, int64_t ms, int64_t now_ms);
int64_t lag_in_transactions(const AgentState *s);
/* Durability must not be relaxed: nobody else keeps what the primary has promised. */
bool must_be_durable(const AgentState *s);
/* Whether readings should follow each other closely now: something waits for a position. */
bool wants_close_readings(const AgentState *s);
/* Least free space of the present pause, or the agent's own. */
int64_t guard_min_free(const AgentState *s);
/* ERR_CONFLICT if another server answers, another agent has it, or nothing was seen of it yet. */
MUST_CHECK bool server_is_ours(const AgentState *s, Err *err);
/* ERR_CONFLICT or ERR_REFUSED if a run of this spec may not begin on this replica now. */
MUST_CHECK bool run_may_begin(const AgentState *s, const RunSpec *spec, Err *err);
bool run_is_for_replica(const RunSpec *spec, const JobRules *job);

/* The agent's own disks. Short of space: less than min_free_bytes, or nothing, is free there. */
typedef enum OwnDisk { DISK_SPOOL, DISK_STATE } OwnDisk;
bool disk_is_short(const AgentState *s, OwnDisk d);
/* "DIR has … bytes free, less than …"; NULL: it is not short. Owned. */
char *disk_short_text(const AgentState *s, OwnDisk d);
char *short_of_space(const AgentState *s); /* of the first that is; NULL: none. Owned */
