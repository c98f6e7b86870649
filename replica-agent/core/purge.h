/* SPDX-License-Identifier: Apache-2.0
 * Holding back the primary's purge of binary logs while a replica is paused: each hold says how long logs
 * must be kept, and ends by itself. The server's own values are written down before they are changed and put
 * back when the last hold has gone; whoever changes them meanwhile has changed the server's own. Pure.
 */
#pragma once

#include "common/wire/wire.h"

typedef struct PurgeHold {
    char *owner; /* the paused node */
    int64_t keep_s;
    char *boot_id;
    int64_t taken_mono_ms, taken_at, for_ms;
} PurgeHold;

/* Seconds until a log may go (0: never), and bytes of all logs (0: no limit). */
typedef struct PurgeValues {
    int64_t expire_s, size;
} PurgeValues;

typedef struct PurgeState {
    WireList holds; /* PurgeHold */
    bool raised;    /* own and set are valid */
    PurgeValues own, set;
} PurgeState;
extern const WireField purge_state_fields[];

/* Adds it, or replaces the owner's. */
void purge_hold(PurgeState *p, const char *owner, int64_t keep_s, int64_t for_ms, const char *boot_id,
                int64_t mono_ms, int64_t wall_ms);
bool purge_release(PurgeState *p, const char *owner); /* true: it had one */
int64_t purge_left_ms(const PurgeHold *h, const char *boot_id, int64_t mono_ms, int64_t wall_ms);
/* Drops those whose time is over; true if there were any. */
bool purge_drop_ended(PurgeState *p, const char *boot_id, int64_t mono_ms, int64_t wall_ms);

/* What should stand in the server, whose present values are `now`; notes its own values in `p` (to be saved
 * before they are changed). */
PurgeValues purge_decide(PurgeState *p, const PurgeValues *now);
/* The server has `now`: true if nothing is left to be put back; then p is as if never used. */
bool purge_settled(PurgeState *p, const PurgeValues *now);
