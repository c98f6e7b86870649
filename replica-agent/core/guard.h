/* SPDX-License-Identifier: Apache-2.0
 * How far a pause may go: longest pause, most relay bytes, most estimated catch-up time, least free disk.
 * From limits and one reading follows what is warned about and what is done; whatever is done ends in resumed
 * replication. A relay log disk is never let run full: then the server answers nothing any more, and needs
 * room for what arrives until the applier has freed some. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/str.h"

typedef enum GuardCause {
    GUARD_PAUSE,      /* ms since the pause began */
    GUARD_RELAY,      /* bytes received since the freeze */
    GUARD_CATCHUP,    /* ms that catching up would take now */
    GUARD_RELAY_DISK, /* bytes free */
    GUARD_SPOOL_DISK,
    GUARD_STATE_DISK,
    GUARD_CAUSES
} GuardCause;

typedef enum GuardLevel { GUARD_FINE, GUARD_WARN, GUARD_LIMIT, GUARD_URGENT } GuardLevel;

typedef enum GuardPolicy {
    GUARD_STOP,       /* ask the job to end, and end it after its grace */
    GUARD_KILL,       /* end it at once */
    GUARD_LET_FINISH, /* only warn, except for the longest pause and the disks */
} GuardPolicy;

typedef enum GuardAction { GUARD_DO_NOTHING, GUARD_DO_STOP, GUARD_DO_KILL } GuardAction;

enum { GUARD_RESERVE_S = 120, GUARD_UNKNOWN = -1 };

typedef struct GuardLimits {
    int64_t pause_ms, relay_bytes, catchup_ms; /* 0: no limit */
    int64_t free_bytes;                        /* least free space; the relay logs' also follows what comes */
    int64_t warn_percent;
    GuardPolicy policy;
} GuardLimits;

typedef struct GuardReading {
    int64_t value[GUARD_CAUSES]; /* GUARD_UNKNOWN: not known, never a cause */
    int64_t coming;              /* bytes that may arrive in the relay logs within GUARD_RESERVE_S */
} GuardReading;

typedef struct GuardVerdict {
    GuardLevel level[GUARD_CAUSES];
    int64_t limit[GUARD_CAUSES]; /* 0: none */
    GuardAction action;
    GuardCause cause; /* of the action */
} GuardVerdict;

void guard_decide(const GuardLimits *l, const GuardReading *r, GuardVerdict *ret);
/* Least free space of the relay logs' file system: what is configured, or what may come within
 * GUARD_RESERVE_S. */
int64_t guard_relay_need(int64_t configured, int64_t coming);
/* Whether the ballast must go now: the disk will be full within moments, or is and the server hangs. */
bool guard_ballast_due(int64_t relay_free, double bytes_per_s, bool server_hangs, int64_t need);
/* Whether there is room to make it again. */
bool guard_ballast_again(int64_t relay_free, int64_t ballast, int64_t need);

const char *guard_cause_name(GuardCause c); /* for metrics: pause relay catchup relay_disk … */
bool guard_policy_from_name(const char *name, GuardPolicy *ret);
/* "12.3 min of 15 min", with the words of the cause. Owned. */
char *guard_sentence(GuardCause c, int64_t value, int64_t limit, const char *folder);
