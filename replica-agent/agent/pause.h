/* SPDX-License-Identifier: Apache-2.0
 * The pause lease at work: the walker of core/pause_machine, and the only code that stops or starts the
 * applier. lease.json is written before each step is acted on. An owner (a run, or a person) asks for a pause
 * and a release, and is told the news; the release itself needs no owner.
 */
#pragma once

#include "common/db/flavor.h"
#include "common/wire/wire.h"
#include "replica-agent/core/lease.h"
#include "replica-agent/core/pause_machine.h"

struct Agent;
struct Step;

typedef struct Pause {
    PauseState state;
    Lease lease;    /* valid unless PAUSE_NONE */
    bool beginning; /* the survey before the lease is under way; lease.owner is set */
    bool unwanted;  /* released during the survey */
    bool dirty;     /* lease.json is behind */
    Db *held;       /* one connection since the freeze; only in a step's hands while it runs */
    uint64_t step;  /* id of the step under way; 0: none */
    bool due;       /* the state has changed meanwhile: act when the step is back */
    int64_t retry_ms, since_ms, loud_ms, started_ms;
    int64_t
        stopped_ms; /* since when the applier has been seen stopped while it should catch up; 0: it runs */
    char *align_gtid, *align_file;
    int64_t align_pos;
    char *trouble;   /* why it does not get on, for people */
    char *failed_at; /* the position at which a failure of the applier was told; NULL: none */
} Pause;

typedef struct PauseWish {
    const char *owner, *reason, *by; /* borrowed */
    int64_t term, limit_ms;
    bool hold, allow_downstream, allow_delayed;
} PauseWish;

typedef enum PauseNews {
    PAUSE_NEWS_FROZEN,   /* also after an alignment */
    PAUSE_NEWS_FAILED,   /* could not be paused or aligned: err; replication is being set right */
    PAUSE_NEWS_VOID,     /* the frozen state is lost: err */
    PAUSE_NEWS_RESUMED,  /* the applier runs */
    PAUSE_NEWS_RELEASED, /* caught up, settings back, the lease is gone */
} PauseNews;

/* Answers by news. ERR_CONFLICT at once if the replica is paused already: the text says by whom. */
MUST_CHECK bool pause_begin(struct Agent *a, const PauseWish *wish, Err *err);
MUST_CHECK bool pause_align(struct Agent *a, const char *owner, const char *gtid, const char *file,
                            int64_t pos, Err *err);
/* Ends the pause. True if `owner` holds one. */
bool pause_release(struct Agent *a, const char *owner);
bool pause_is_held_by(const struct Agent *a, const char *owner);
/* "paused by run 12.1 since …", into err as ERR_CONFLICT. Returns false. */
bool pause_conflict(const struct Agent *a, Err *err);
int64_t pause_left_ms(const struct Agent *a);

/* A start of the server found transactions that nobody has applied: takes a lease of its own for them. */
void pause_rescue(struct Agent *a, const struct Step *s);
void pause_rescue_ended(struct Agent *a, bool ok, const char *why);

void pause_load(struct Agent *a); /* at the agent's start; the first probe decides what to do with it */
void pause_event(struct Agent *a, PauseEvent ev);
void pause_void(struct Agent *a, PauseEvent ev, const char *why); /* moved, restarted: tells the owner */
void pause_again(struct Agent *a);                                /* repeat the state's action */
/* Changes how the applier applies while it catches up; false if that cannot be written down first. */
bool pause_retune(struct Agent *a, const FlavorWay *way);
/* The server's own durability comes back now, while it still catches up. */
void pause_make_durable(struct Agent *a);
void pause_probe(struct Agent *a); /* after each good reading of the server */
void pause_tick(struct Agent *a);
void pause_close(struct Agent *a);
