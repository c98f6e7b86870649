/* SPDX-License-Identifier: Apache-2.0
 * Holding back the primary's purge of binary logs while a replica is paused: each hold says how long logs
 * must be kept, and ends by itself. The server's own values are written down before they are changed and put
 * back when the last hold has gone; whoever changes them meanwhile has changed the server's own. Pure.
 */
#pragma once

#include "common/wire/wire.h"

/* clang-format off */
#define PURGE_HOLD_LIST(F, T)              \
    F(T, STR, owner) /* the paused node */ \
    F(T, INT, keep_s)                      \
    F(T, STR, boot_id)                     \
    F(T, INT, taken_mono_ms)               \
    F(T, TIME, taken_at)                   \
    F(T, INT, for_ms)
/* clang-format on */
WIRE_STRUCT(PurgeHold, PURGE_HOLD_LIST);

/* Seconds until a log may go (0: never), and bytes of all logs (0: no limit). */
/* clang-format off */
#define PURGE_VALUES_LIST(F, T) \
    F(T, INT, expire_s)         \
    F(T, INT, size)
/* clang-format on */
WIRE_STRUCT(PurgeValues, PURGE_VALUES_LIST);

/* clang-format off */
#define PURGE_STATE_LIST(F, T)                     \
    F(T, LIST, holds, PurgeHold, hold_fields)      \
    F(T, BOOL, raised) /* own and set are valid */ \
    F(T, OBJ, own, PurgeValues, values_fields)     \
    F(T, OBJ, set, PurgeValues, values_fields)
/* clang-format on */
WIRE_STRUCT(PurgeState, PURGE_STATE_LIST);
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
