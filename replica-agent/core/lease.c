/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

#include <stdlib.h>

/* clang-format off */
#define ROW(T, f, type) {#f, type, offsetof(T, f), NULL, 0}
#define END {NULL, WIRE_STR, 0, NULL, 0}

const WireField lease_server_fields[] = {
    ROW(LeaseServer, pid, WIRE_INT),         ROW(LeaseServer, pid_start, WIRE_INT),
    ROW(LeaseServer, started_at, WIRE_TIME), ROW(LeaseServer, boot_id, WIRE_STR), END,
};

const WireField lease_settings_fields[] = {
    ROW(LeaseSettings, sync_binlog, WIRE_STR), ROW(LeaseSettings, flush_log, WIRE_STR),
    ROW(LeaseSettings, workers, WIRE_STR),     ROW(LeaseSettings, parallel_mode, WIRE_STR),
    ROW(LeaseSettings, sync_relay, WIRE_STR),  ROW(LeaseSettings, queue_bytes, WIRE_STR), END,
};

const WireField lease_rescue_fields[] = {
    ROW(LeaseRescue, from, WIRE_STR),        ROW(LeaseRescue, target, WIRE_STR),
    ROW(LeaseRescue, total, WIRE_INT),       ROW(LeaseRescue, done, WIRE_INT),
    ROW(LeaseRescue, tries, WIRE_INT),       ROW(LeaseRescue, rate, WIRE_NUM),
    ROW(LeaseRescue, eta_s, WIRE_NUM),       ROW(LeaseRescue, started_at, WIRE_TIME),
    ROW(LeaseRescue, done_before, WIRE_INT), END,
};

const WireField lease_fields[] = {
    ROW(Lease, owner, WIRE_STR),          ROW(Lease, reason, WIRE_STR),
    ROW(Lease, by, WIRE_STR),             ROW(Lease, state, WIRE_STR),
    ROW(Lease, term, WIRE_INT),           ROW(Lease, hold, WIRE_BOOL),
    ROW(Lease, boosted, WIRE_BOOL),       ROW(Lease, restarted, WIRE_BOOL),
    ROW(Lease, taken_over, WIRE_BOOL),    ROW(Lease, durable, WIRE_BOOL),
    ROW(Lease, gtid, WIRE_STR),           ROW(Lease, binlog_gtid, WIRE_STR),
    ROW(Lease, source_host, WIRE_STR),    ROW(Lease, source_port, WIRE_INT),
    ROW(Lease, source_file, WIRE_STR),    ROW(Lease, source_pos, WIRE_INT),
    ROW(Lease, received, WIRE_STR),       ROW(Lease, relay_bytes, WIRE_INT),
    ROW(Lease, retuning, WIRE_BOOL),
    {"original", WIRE_OBJ, offsetof(Lease, original), lease_settings_fields, 0},
    ROW(Lease, boost_boot_id, WIRE_STR),  ROW(Lease, stalled, WIRE_BOOL),
    {"rescue", WIRE_OBJ, offsetof(Lease, rescue), lease_rescue_fields, 0},
    {"server", WIRE_OBJ, offsetof(Lease, server), lease_server_fields, 0},
    ROW(Lease, boot_id, WIRE_STR),        ROW(Lease, taken_mono_ms, WIRE_INT),
    ROW(Lease, limit_ms, WIRE_INT),       ROW(Lease, taken_at, WIRE_TIME),
    ROW(Lease, frozen_at, WIRE_TIME),     ROW(Lease, resumed_at, WIRE_TIME),
    {"replay", WIRE_OBJ, offsetof(Lease, replay), replay_fields, 0},
    END,
};
/* clang-format on */

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
