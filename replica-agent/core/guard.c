/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include <stdio.h>

#include "common/base/clock.h"

enum { URGENT_PART = 4, BALLAST_LEAST = 4 << 20, BALLAST_S = 3 };

static const struct {
    const char *name;
    bool disk;
    bool hard; /* also with "let-finish" */
} causes[GUARD_CAUSES] = {
    [GUARD_PAUSE] = {"pause", false, true},          [GUARD_RELAY] = {"relay", false, false},
    [GUARD_CATCHUP] = {"catchup", false, false},     [GUARD_RELAY_DISK] = {"relay_disk", true, true},
    [GUARD_SPOOL_DISK] = {"spool_disk", true, true}, [GUARD_STATE_DISK] = {"state_disk", true, true},
};

int64_t guard_relay_need(int64_t configured, int64_t coming)
{
    return coming > configured ? coming : configured;
}

static GuardLevel judge_growth(int64_t value, int64_t limit, int64_t warn_percent)
{
    if (value >= limit)
        return GUARD_LIMIT;
    return (double)value * 100 >= (double)limit * (double)warn_percent ? GUARD_WARN : GUARD_FINE;
}

static GuardLevel judge_disk(int64_t free_bytes, int64_t need, int64_t warn_percent)
{
    if (free_bytes <= need / URGENT_PART)
        return GUARD_URGENT;
    if (free_bytes < need)
        return GUARD_LIMIT;
    return (double)free_bytes * (double)warn_percent < (double)need * 100 ? GUARD_WARN : GUARD_FINE;
}

static GuardAction action_of(GuardCause c, GuardLevel level, GuardPolicy policy)
{
    if (level < GUARD_LIMIT || (policy == GUARD_LET_FINISH && !causes[c].hard))
        return GUARD_DO_NOTHING;
    if (policy == GUARD_KILL || (c == GUARD_RELAY_DISK && level == GUARD_URGENT))
        return GUARD_DO_KILL;
    return GUARD_DO_STOP;
}

void guard_decide(const GuardLimits *l, const GuardReading *r, GuardVerdict *ret)
{
    const int64_t limits[GUARD_CAUSES] = {
        [GUARD_PAUSE] = l->pause_ms,        [GUARD_RELAY] = l->relay_bytes,
        [GUARD_CATCHUP] = l->catchup_ms,    [GUARD_RELAY_DISK] = guard_relay_need(l->free_bytes, r->coming),
        [GUARD_SPOOL_DISK] = l->free_bytes, [GUARD_STATE_DISK] = l->free_bytes,
    };
    *ret = (GuardVerdict){.action = GUARD_DO_NOTHING};
    for (GuardCause c = 0; c < GUARD_CAUSES; c++) {
        ret->limit[c] = limits[c];
        if (limits[c] <= 0 || r->value[c] < 0)
            continue;
        ret->level[c] = causes[c].disk ? judge_disk(r->value[c], limits[c], l->warn_percent)
                                       : judge_growth(r->value[c], limits[c], l->warn_percent);
        GuardAction action = action_of(c, ret->level[c], l->policy);
        if (action > ret->action) {
            ret->action = action;
            ret->cause = c;
        }
    }
}

bool guard_ballast_due(int64_t relay_free, double bytes_per_s, bool server_hangs, int64_t need)
{
    int64_t moments = (int64_t)(bytes_per_s * BALLAST_S);
    if (relay_free < 0)
        return false;
    if (relay_free < (moments > BALLAST_LEAST ? moments : BALLAST_LEAST))
        return true;
    return server_hangs && relay_free < need / URGENT_PART;
}

bool guard_ballast_again(int64_t relay_free, int64_t ballast, int64_t need)
{
    return relay_free > 2 * ballast + need;
}

const char *guard_cause_name(GuardCause c)
{
    return causes[c].name;
}

bool guard_policy_from_name(const char *name, GuardPolicy *ret)
{
    static const char *const names[] = {
        [GUARD_STOP] = "stop", [GUARD_KILL] = "kill", [GUARD_LET_FINISH] = "let-finish"};
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq(name, names[i])) {
            *ret = (GuardPolicy)i;
            return true;
        }
    return false;
}

static void format_bytes(int64_t n, char ret[32])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double x = (double)n;
    size_t u = 0;
    for (; x >= 1000 && u + 1 < COUNT(units); u++)
        x /= 1000;
    snprintf(ret, 32, u ? "%.1f %s" : "%.0f %s", x, units[u]);
}

char *guard_sentence(GuardCause c, int64_t value, int64_t limit, const char *folder)
{
    char v[CLOCK_TEXT], l[CLOCK_TEXT];
    if (c == GUARD_PAUSE || c == GUARD_CATCHUP) {
        clock_format_duration(value, v);
        clock_format_duration(limit, l);
    } else {
        format_bytes(value, v);
        format_bytes(limit, l);
    }
    switch (c) {
    case GUARD_PAUSE:
        return xasprintf("pause limit: the replica has been paused for %s, it may be for %s", v, l);
    case GUARD_RELAY:
        return xasprintf("relay limit: %s have arrived since the freeze, the limit is %s", v, l);
    case GUARD_CATCHUP:
        return xasprintf("catch-up limit: catching up would take about %s now, the limit is %s", v, l);
    case GUARD_RELAY_DISK:
        return xasprintf("the disk of the relay logs is nearly full: %s has %s free, %s are needed", folder,
                         v, l);
    default:
        return xasprintf("the disk is full: %s has %s free, at least %s are needed", folder, v, l);
    }
}
