/* SPDX-License-Identifier: Apache-2.0
 * What an agent does, as data: a step returns these, the loop carries them out in their order. An effect that
 * is marked `after_record` waits until what the step has changed is on disk; if it cannot be written, the
 * effect is dropped and comes back as its own failure. Never so marked, since a disk must not hold them up:
 * START (but for a boost that is written down first), the return of settings, signals, the vault, ends of
 * pauses.
 */
#pragma once

#include "common/base/log.h"
#include "input.h"

typedef enum EffectKind {
    FX_LOG,       /* level, text */
    FX_EVENT,     /* for people: level, word (its kind), owner (a run or NULL), text; number: the term of the
                     failover     that it belongs to, or 0 */
    FX_POST,      /* `post`, behind what is queued */
    FX_SQL,       /* `op` */
    FX_CANCEL,    /* number: the operation whose end nobody needs: its waiting ends */
    FX_DROP_HELD, /* the connection kept since the freeze is closed */
    FX_PROGRAM,   /* owner's program `word` is started, or found again */
    FX_SIGNAL,    /* number: to owner's program */
    FX_CLEAN,     /* owner's secrets and what no result needs */
    FX_FORGET,    /* owner's files go; IN_FORGOTTEN follows */
    FX_RESCUE,    /* the rescue is started, or found again */
    FX_FILL,      /* its program is started, or found again; flag: what an earlier order left goes first */
    FX_HOOK,      /* flag: before_pause, else after_caught_up */
    FX_ROLE_HOOK, /* flag: after_promotion, else after_demotion; number: its term, token: the attempt, owner:
                     the primary */
    FX_END_ROLE_HOOK, /* the one that runs is killed */
    FX_ASK, /* owner's agent: does it stand by this primary; number: ms to answer in. IN_STANDS follows */
    FX_CLEAR_VAULT, /* links may go once all is applied */
    FX_ANSWER,      /* token; err, or owner's run, or text: a body, number: its status */
    FX_NEWS,        /* for requests that wait for a pause: owner, number = PauseNews, err */
    FX_CHANGED,     /* what others see; flag: it can wait a little */
    FX_KINDS
} EffectKind;

typedef struct Effect {
    EffectKind kind;
    bool after_record;
    LogLevel level;
    char *owner, *word, *text;
    int64_t number;
    bool flag;
    uint64_t token;
    Err err;
    OpOrder op;
    Input *post;
} Effect;

typedef struct Effects {
    Effect *v;
    size_t n, cap;
} Effects;

void effects_done(Effects *fx);
void effects_drop(Effect *e); /* frees what it holds */

/* One step under way: the state, its input's time, what follows. */
typedef struct Turn {
    AgentState *s;
    int64_t now_ms, wall_ms;
    Effects *out;
} Turn;

Effect *fx_add(Turn *t, EffectKind kind);
void fx_log(Turn *t, LogLevel level, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* level: info, warn, error; `run` may be NULL. */
void fx_event(Turn *t, const char *level, const char *kind, const char *run, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
void fx_changed(Turn *t);
void fx_changed_slightly(Turn *t);
/* A new input from one machine to another; `owner` is copied. */
Input *fx_post(Turn *t, InputKind kind, const char *owner);
/* A new operation with an id of its own. */
OpOrder *fx_sql(Turn *t, OpKind kind, bool after_record);
void fx_answer(Turn *t, uint64_t token, const char *run, const Err *err);
