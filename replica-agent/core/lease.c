/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

#include <stdlib.h>

const WireField lease_server_fields[] = WIRE_FIELDS(LeaseServer, LEASE_SERVER_LIST);
const WireField lease_settings_fields[] = WIRE_FIELDS(LeaseSettings, LEASE_SETTINGS_LIST);
const WireField lease_rescue_fields[] = WIRE_FIELDS(LeaseRescue, LEASE_RESCUE_LIST);
const WireField lease_fields[] = WIRE_FIELDS(Lease, LEASE_LIST);

void lease_boost(Lease *l, bool must_be_durable, const char *boot_id)
{
    if (!l->boosted)
        l->durable = must_be_durable;
    l->boosted = true;
    free(l->boost_boot_id);
    l->boost_boot_id = xstrdup(l->durable ? NULL : boot_id);
}

void lease_durable(Lease *l)
{
    l->durable = true;
    free(STEAL(l->boost_boot_id));
}

bool lease_crashed_boosted(const Lease *l, const char *boot_id)
{
    return l->boosted && l->boost_boot_id && boot_id && *boot_id && !str_eq(l->boost_boot_id, boot_id);
}

int64_t lease_left_ms(const Lease *l, const char *boot_id, int64_t mono_ms, int64_t wall_ms)
{
    bool same_boot = boot_id && *boot_id && str_eq(l->boot_id, boot_id);
    int64_t used = same_boot ? mono_ms - l->taken_mono_ms : wall_ms - l->taken_at;
    return l->limit_ms - used;
}

ServerSame lease_server_compare(const LeaseServer *a, const LeaseServer *b)
{
    if (a->boot_id && b->boot_id && !str_eq(a->boot_id, b->boot_id))
        return SERVER_OTHER;
    if (a->pid && b->pid)
        return a->pid == b->pid && a->pid_start == b->pid_start ? SERVER_SAME : SERVER_OTHER;
    if (!a->started_at || !b->started_at)
        return SERVER_UNKNOWN;
    /* The server's uptime has whole seconds, and reading it takes a moment. */
    enum { GRAIN_MS = 2500 };
    return llabs(a->started_at - b->started_at) <= GRAIN_MS ? SERVER_SAME : SERVER_OTHER;
}
