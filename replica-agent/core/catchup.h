/* SPDX-License-Identifier: Apache-2.0
 * Catching up, judged from positions that a probe reads: rate, time left, and when it is done. Done means
 * that what the primary had written at one moment was applied within a short while after that moment, and
 * that this goes on for a moment; a comparison of two positions of the same instant would never hold under
 * load. A replica delayed on purpose never reaches that: it is done when it waits for its delay, for the same
 * moment. Without a coordinator, or without a connection to the source, what has been received stands for the
 * primary's position. Pure.
 */
#pragma once

#include "common/db/gtid.h"
#include "common/db/repl.h"

enum { CATCHUP_LAG_MS = 1000, CATCHUP_HOLD_MS = 300, CATCHUP_FRESH_MS = 3000, CATCHUP_WINDOW = 64 };

typedef struct CatchupReading {
    int64_t now_ms;
    const char *applied;
    const char *received;   /* "": not known, as on MariaDB after a restart */
    const char *primary;    /* the primary's position as last told; NULL: never */
    int64_t primary_ms;     /* when it was told */
    bool connected;         /* the receiver runs */
    bool waits_for_delay;   /* what is due on a replica delayed on purpose is applied */
    bool coordinates_equal; /* of the source, applied and received: used where `received` is not known */
    const char *exec_file;  /* of the source, applied */
    int64_t exec_pos;
    int64_t backlog_bytes; /* received and not yet applied; -1: not known */
} CatchupReading;

typedef struct CatchupSample {
    int64_t at_ms;
    int64_t trx, trx_left;
    double bytes, bytes_left;
} CatchupSample;

typedef struct Catchup {
    DbFlavor flavor;
    int64_t started_ms;
    char *start_applied; /* where it stood when it resumed */
    char *target;        /* to be reached, set at target_ms */
    int64_t target_ms;
    bool target_told; /* it is the primary's, not what was received */
    int64_t near_ms;  /* since when every target was reached in time; 0: not */
    int64_t due_ms,
        due_last_ms; /* delayed: since when what was due was applied, mostly; last seen so; 0: not */
    char *exec_file;
    int64_t exec_pos;
    CatchupSample samples[CATCHUP_WINDOW]; /* those at which it had moved on, oldest first */
    size_t n;
    int64_t backlog, applied; /* transactions; backlog -1: not known */
    int64_t backlog_bytes;
    double bytes; /* applied */
    double rate;  /* transactions a second */
    double byte_rate;
    int64_t end_ms; /* when nothing will be left, as things go; -1: not known, or it falls behind */
    double eta_s;   /* the same from now */
} Catchup;

void catchup_start(Catchup *c, DbFlavor flavor, const char *applied, int64_t now_ms);
void catchup_done(Catchup *c);
/* The way of applying has changed: earlier rates say nothing about it. */
void catchup_rates_anew(Catchup *c);
/* One reading. True once caught up. */
bool catchup_sample(Catchup *c, const CatchupReading *r);
/* Received and not yet applied, in bytes of binary log; -1: not known. */
int64_t catchup_backlog_bytes(const ReplStatus *s);

/* How far the applier is behind what has been received, in time: the age of the oldest received position
 * that is not applied yet. The servers' own figure is NULL while paused and wrong after. */
typedef struct Lag {
    char *target;
    int64_t target_ms, lag_ms; /* lag_ms -1: not known */
} Lag;
void lag_sample(Lag *l, DbFlavor flavor, const char *applied, const char *received, int64_t begun_ms,
                int64_t now_ms);
void lag_done(Lag *l);
