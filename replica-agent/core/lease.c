/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

#include <stdlib.h>

const WireField lease_server_fields[] = WIRE_FIELDS(LeaseServer, LEASE_SERVER_LIST);
const WireField lease_settings_fields[] = WIRE_FIELDS(LeaseSettings, LEASE_SETTINGS_LIST);
const WireField lease_rescue_fields[] = WIRE_FIELDS(LeaseRescue, LEASE_RESCUE_LIST);
const WireField lease_fields[] = WIRE_FIELDS(Lease, LEASE_LIST);

void lease_boost(Lease *l, bool must_be_durable, const char *boot_id, int64_t wall_ms)
{
    if (!l->boosted)
        l->durable = must_be_durable;
    if (!l->boost_boot_id)
        l->boosted_at = wall_ms;
    l->boosted = true;
    free(l->boost_boot_id);
    l->boost_boot_id = xstrdup(l->durable ? NULL : boot_id);
}

static void note(char **list, const char *value)
{
    AUTO(strlist_done) StrList values = STRLIST_INIT;
    strlist_split(&values, *list ? *list : "", '|');
    if (!value || strlist_has(&values, value))
        return;
    char *more = *list ? xasprintf("%s|%s", *list, value) : xstrdup(value);
    free(*list);
    *list = more;
}

void lease_note_ours(Lease *l, const LeaseSettings *set)
{
    note(&l->ours.sync_binlog, set->sync_binlog);
    note(&l->ours.flush_log, set->flush_log);
    note(&l->ours.workers, set->workers);
    note(&l->ours.parallel_mode, set->parallel_mode);
    note(&l->ours.sync_relay, set->sync_relay);
    note(&l->ours.queue_bytes, set->queue_bytes);
    l->reread = false;
}

void lease_reread(Lease *l, const LeaseSettings *found)
{
    bool known = l->original.flush_log != NULL;
    wire_free(lease_settings_fields, &l->original);
    wire_free(lease_settings_fields, &l->ours);
    if (known && found)
        wire_copy(lease_settings_fields, &l->original, found);
    l->reread = true;
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

LeaseWatch lease_watch(const Lease *l, bool stands, const char *boot_id, int64_t mono_ms, int64_t wall_ms)
{
    if (lease_left_ms(l, boot_id, mono_ms, wall_ms) > -LEASE_GRACE_MS)
        return LEASE_WATCH_WAITS;
    return stands ? LEASE_WATCH_RELEASE : LEASE_WATCH_RELEASE_DEAD;
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
