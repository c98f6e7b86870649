/* SPDX-License-Identifier: Apache-2.0
 * Inside of the failover: takeover.c (what begins and ends one), failover_turn.c (what is seen, and a turn of
 * the loop), failover_after.c (what is left to do), failover_orders.c (orders and answers), failover_names.c
 * (numbers and names of nodes), failover_rules.c (what it goes by), failover_advice.c (what a person decides
 * on), primary_watch.c (the coordinator's own look at the primary), failover_history.c (what happened),
 * failover_leave.c (a replica is counted out), failover_raise.c (commits wait for replicas again),
 * handlers_failover.c. Nobody else includes this.
 *
 * On disk, in the coordinator's journal: "ballot", the greatest term of ours, before it is used; "decision",
 * the last that stood; "drained", what its primary had when it took over; "strict", whether commits of the
 * primary waited for acknowledgements when it was last seen; "maintenance_until".
 */
#pragma once

#include "orchestrator/core/candidate.h"
#include "orchestrator/core/detect.h"
#include "orchestrator/core/failover.h"
#include "orchestrator/core/loss.h"
#include "takeover.h"

/* Of one node, by its number. */
typedef struct FailoverPeer {
    char *name;
    char *position;      /* as promised; NULL: none yet */
    bool wanted, busy;   /* an order is to go out; one is under way */
    FailoverOrder order; /* the one wanted */
    int64_t asked_version, serial;
    FailoverOrderKind asked;
    Ballot asked_ballot;
    Retry retry;
    char *waits; /* what its last answer waits for, or why there is none */
    char *told;  /* why it cannot follow, as told last */
} FailoverPeer;

/* Errors that a server sends before it lets anybody in: it lives. */
enum { CON_COUNT = 1040, ACCESS_DENIED = 1045, HOST_BLOCKED = 1129, NOT_PRIVILEGED = 1130 };

/* A primary that was closed for a switchover opens by itself where nobody has gone on so long: with the time
 * that it may take to be closed, 5 s in all. */
enum { FAILOVER_OPENS_AFTER_MS = 3000 };

typedef struct PrimaryWatch PrimaryWatch;

/* What the coordinator's own look at the primary's server says. */
typedef struct WatchResult {
    DetectLogin login;
    int64_t stuck_ms; /* a commit of the coordinator's own hangs */
    int64_t still_ms; /* the position of a server that answers stands still */
    int64_t spoke_ms; /* monotonic: when it last answered, also with an error; 0: never */
} WatchResult;

typedef struct FailoverEdge {
    bool looked_back; /* at what the process before this one has left */
    bool opens;       /* the primary is ordered to open: who decided it may not have come to that */
    bool grows;       /* what is confirmed is one member more, or less, or acknowledgements */
    bool unsaved;     /* `record` */
    bool known;       /* `f` has been begun from what is known */
    Failover f;
    FailoverPeer peers[FAILOVER_NODES];
    int n_peers;
    uint64_t owner; /* of the ballots of this process */
    int64_t serial;
    char *drained; /* what the winner had when it was drained */

    /* of the failover under way, or the last */
    json_t *record; /* failover_history.c; NULL: none is under way */
    char *only;     /* the node that was asked for */
    bool takes_loss, old_is_off;
    int64_t kill_after_ms;
    char *refused;                  /* why the primary could not be closed */
    int64_t begun_ms, unwritten_ms; /* monotonic; since when nothing could be written, 0: not known */

    Detect detect;
    WatchResult watched;
    PrimaryWatch *watch;
    int64_t received_ms; /* monotonic: a receiver was last seen connected to the primary */
    DetectKind told_kind;
    char *told;            /* why one that was due is not begun, as told last */
    int64_t again_ms;      /* monotonic: no automatic one before */
    int64_t unfinished_ms; /* monotonic: since when the votes say that something is not finished */
    int64_t tidied_ms;
    int64_t armed_ms; /* monotonic: the members were told to acknowledge what they have received */
    struct {
        bool strict;      /* the primary waits for acknowledgements, as it was told */
        int64_t read_at;  /* … since before this reading of it */
        int64_t uptime_s; /* at the last look; less: another process, which waits for nobody */
        char *position;   /* what it had committed by then; NULL: not known */
    } raising;
    struct {
        char *node;      /* that is being counted out; NULL: none */
        int64_t silence; /* in which it was found; 0: it is off */
        int64_t read_at; /* of the primary's reading at the last look, and how many have come since */
        int readings;
        char *position; /* what the primary had after it acknowledged for the last time; NULL: not known */
    } leaving;
} FailoverEdge;

/* failover_names.c */
int failover_number(Coord *c, const char *name); /* FAILOVER_NOBODY for NULL, and where there are too many */
const char *failover_name(const Coord *c, int node); /* NULL: nobody */
AgentLink *failover_agent(const Coord *c, int node);
char *failover_names(const Coord *c, NodeSet set); /* "db0, db2", "nobody"; owned */
Decision failover_decision(Coord *c, const WireDecision *d);
void failover_write_decision(const Coord *c, const Decision *d, WireDecision *ret); /* owned */

/* failover_orders.c */
/* An event happens: what follows is ordered, recorded, told. */
void failover_feed(Coord *c, FailoverEvent *ev);
void failover_send(Coord *c); /* what is wanted and due */
/* An order beside those of the decider, in its ballot. */
void failover_want(Coord *c, int node, const FailoverOrder *o);

/* failover_rules.c */
NodeSet failover_nodes(Coord *c); /* all that are configured */
void failover_rules(Coord *c, FailoverRules *ret);
/* `alone`: a winner that nobody can follow may be opened all the same (candidate.h). */
void failover_candidates(Coord *c, const AgentLink *a, bool alone, StrList *never, StrList *avoid);
bool failover_was_strict(const Coord *c); /* commits of the primary, when it was seen last */

/* takeover.c */
void failover_know(Coord *c); /* from the journal, once the primary is known */
void failover_phase_changed(Coord *c, FailoverPhase before);
int64_t failover_maintenance_until(const Coord *c);           /* wall clock; 0: none */
void failover_note(Coord *c, const char *key, json_t *value); /* what cannot be written is logged */
MUST_CHECK bool failover_journal(Coord *c, const char *key, json_t *value, Err *err); /* takes value */
typedef struct FailoverWish {
    const char *kind, *cause, *by, *only; /* kind: automatic, manual, switchover, resumed */
    bool takes_loss, old_is_off;
    bool clean;            /* the primary lives: it is closed, not killed */
    int64_t kill_after_ms; /* … sessions in the way of that are ended after this; 0: never */
    int64_t since_ms;      /* monotonic: the last sign of a primary that takes writes; 0: it takes them now */
} FailoverWish;
MUST_CHECK bool failover_begin(Coord *c, const FailoverWish *w, int64_t *ret_id, Err *err);
void failover_begin_own(Coord *c, const FailoverWish *w);
void failover_confirm_last(Coord *c, const char *why); /* the last decision of the votes, in a new ballot */

/* failover_advice.c */
void failover_loss(Coord *c, Loss *ret); /* if one went on, or were begun, with those that can be asked now */
char *failover_what_is_missing(Coord *c); /* in the phase it is in; owned */
MUST_CHECK bool failover_primary_is_silent(Coord *c, Err *err);

/* failover_turn.c */
/* Why an automatic one would not begin now, however dead the primary; nothing: it would. */
void failover_obstacles(Coord *c, StrList *ret);

/* failover_after.c */
void failover_watch_rivals(Coord *c);
void failover_look_after(Coord *c);
size_t failover_heard(const Coord *c); /* agents that answer */
bool failover_hears_majority(const Coord *c);
/* A vote that no finished failover leaves, or of another than the decision of the others: it is confirmed
 * before another failover begins. */
bool failover_is_unfinished(Coord *c);
bool failover_is_ours(const FailoverEdge *e, Ballot b); /* of this coordinator's present ballot */
bool failover_follows_primary(Coord *c, const AgentLink *a);

/* failover_leave.c */
/* The first of the members but `a` (NULL: of all) that does not hold all of it; NULL: they do. */
const char *failover_who_lacks(Coord *c, const AgentLink *a, const char *position);

/* failover_raise.c */
/* The primary was opened alone, and is followed again: one step a look. The order that is wanted, if any. */
bool failover_raise(Coord *c, FailoverOrder *ret);

/* failover_history.c */
void failover_record_begin(Coord *c, const FailoverWish *w);
void failover_record_decision(Coord *c, const FailoverWish *w);
void failover_record(Coord *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void failover_record_end(Coord *c, const char *outcome, const char *to);
json_t *failover_history_read(const Coord *c); /* newest last; owned */
int64_t failover_record_id(const Coord *c);
void failover_record_save(Coord *c); /* what is not saved yet */
/* The last, where it has no end and is none of ours: its id and the node that was asked for; owned, NULL:
 * none. */
json_t *failover_record_left(const Coord *c);
void failover_record_close(Coord *c, int64_t id, const char *outcome, const char *to);

/* primary_watch.c */
PrimaryWatch *primary_watch_new(Coord *c);
void primary_watch_free(PrimaryWatch *w);
void primary_watch_step(PrimaryWatch *w); /* begins a look when one is due */
