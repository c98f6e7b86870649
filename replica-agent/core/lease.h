/* SPDX-License-Identifier: Apache-2.0
 * The pause lease as it stands on disk, and its clock. It is written before replication is touched and
 * removed when the settings are back. Within one boot only CLOCK_BOOTTIME counts, so that a stepped wall
 * clock neither ends nor prolongs a pause; after a reboot only the wall clock is left. Pure.
 */
#pragma once

#include "common/wire/wire_run.h"

/* One server process. pid 0: reached over TCP, then only started_at tells two processes apart (seconds). */
/* clang-format off */
#define LEASE_SERVER_LIST(F, T)                                \
    F(T, INT, pid)                                             \
    F(T, INT, pid_start) /* /proc start time in clock ticks */ \
    F(T, TIME, started_at) /* from the server's uptime */      \
    F(T, STR, boot_id)
/* clang-format on */
WIRE_STRUCT(LeaseServer, LEASE_SERVER_LIST);
extern const WireField lease_server_fields[];

/* clang-format off */
#define LEASE_SETTINGS_LIST(F, T) \
    F(T, STR, sync_binlog)        \
    F(T, STR, flush_log)          \
    F(T, STR, workers)            \
    F(T, STR, parallel_mode)      \
    F(T, STR, sync_relay)         \
    F(T, STR, queue_bytes)
/* clang-format on */
WIRE_STRUCT(LeaseSettings, LEASE_SETTINGS_LIST);
extern const WireField lease_settings_fields[];

/* What a rescue has found and done; from a restart on it is measured anew. */
/* clang-format off */
#define LEASE_RESCUE_LIST(F, T)                                                 \
    /* GTID positions; target: the last whole transaction in the relay files */ \
    F(T, STR, from)                                                             \
    F(T, STR, target)                                                           \
    F(T, INT, total)                                                            \
    F(T, INT, done)                                                             \
    F(T, INT, done_before) /* when the present try began */                     \
    F(T, INT, tries)                                                            \
    F(T, NUM, rate)                                                             \
    F(T, NUM, eta_s)                                                            \
    F(T, TIME, started_at)
/* clang-format on */
WIRE_STRUCT(LeaseRescue, LEASE_RESCUE_LIST);
extern const WireField lease_rescue_fields[];

/* clang-format off */
#define LEASE_LIST(F, T)                                                                                     \
    F(T, STR, owner) /* run id, LEASE_MANUAL or LEASE_RESCUE */                                              \
    F(T, STR, reason)                                                                                        \
    F(T, STR, by)                                                                                            \
    F(T, STR, state)                                                                                         \
    F(T, INT, term)                                                                                          \
    F(T, BOOL, hold)                                                                                         \
    F(T, BOOL, boosted)                                                                                      \
    F(T, BOOL, taken_over) /* somebody else stopped the applier: the settings go back, nothing is started */ \
    /* its own durability is in force although it is still boosted: see pause_make_durable */                \
    F(T, BOOL, durable)                                                                                      \
    F(T, BOOL, retuning) /* the applier is stopped for a moment, to change how it applies */                 \
    F(T, BOOL, restarted) /* the server is another process than the one that was frozen */                   \
    F(T, STR, gtid)                                                                                          \
    F(T, STR, binlog_gtid)                                                                                   \
    F(T, STR, source_host)                                                                                   \
    F(T, STR, source_file)                                                                                   \
    F(T, STR, received)                                                                                      \
    F(T, INT, source_port)                                                                                   \
    F(T, INT, source_pos)                                                                                    \
    F(T, INT, relay_bytes) /* size of the relay logs when it froze */                                        \
    /* Of the server process at hand: what it had of its own, and all values that were set instead ("4|8") */ \
    F(T, OBJ, original, LeaseSettings, lease_settings_fields)                                                \
    F(T, OBJ, ours, LeaseSettings, lease_settings_fields)                                                    \
    F(T, BOOL, lost)   /* what it had of its own is not known any more: the journal was damaged */           \
    F(T, BOOL, reread) /* of a process that began meanwhile: nothing was set there yet */                    \
    F(T, TIME, boosted_at) /* when durability was relaxed; 0: not known */        \
    F(T, STR, boost_boot_id) /* the boot in which durability was relaxed; NULL: it was not */                \
    F(T, BOOL, stalled) /* kept transactions were missing after catch-up */                                  \
    F(T, OBJ, rescue, LeaseRescue, lease_rescue_fields)                                                      \
    F(T, OBJ, server, LeaseServer, lease_server_fields)                                                      \
    F(T, STR, boot_id)                                                                                       \
    F(T, INT, taken_mono_ms)                                                                                 \
    F(T, INT, limit_ms)                                                                                      \
    F(T, TIME, taken_at)                                                                                     \
    F(T, TIME, frozen_at)                                                                                    \
    F(T, TIME, resumed_at)                                                                                   \
    F(T, OBJ, replay, Replay, replay_fields)
/* clang-format on */
WIRE_STRUCT(Lease, LEASE_LIST);
extern const WireField lease_fields[];

#define LEASE_MANUAL "manual"
#define LEASE_RESCUE "rescue" /* nobody's pause: a start of the server found a buffer */

/* A start is about to apply with a boost. Durability that this lease has relaxed before stays so until
 * lease_durable, whoever else acknowledges: only then is what was committed on the disk. */
void lease_boost(Lease *l, bool must_be_durable, const char *boot_id, int64_t wall_ms);
/* These are about to be set: from here on they are known as ours. */
void lease_note_ours(Lease *l, const LeaseSettings *set);
/* The server is another process now, with these settings: nothing is ours there. */
void lease_reread(Lease *l, const LeaseSettings *found);
/* The server's own durability is in force and the disk has all: a crash of the machine does no harm any more.
 */
void lease_durable(Lease *l);

/* The machine went down while durability was relaxed: the operating system had not written everything. */
bool lease_crashed_boosted(const Lease *l, const char *boot_id);

/* What is left of the pause's limit; 0 or less: it has passed. */
int64_t lease_left_ms(const Lease *l, const char *boot_id, int64_t mono_ms, int64_t wall_ms);

/* What somebody beside the agent does about a pause: its limit and a minute more belong to the agent. Whether
 * it lives is not known here. */
enum { LEASE_GRACE_MS = 60000 };
typedef enum LeaseWatch {
    LEASE_WATCH_WAITS,
    LEASE_WATCH_RELEASE,      /* the replica still stands still */
    LEASE_WATCH_RELEASE_DEAD, /* it is being resumed: only if no agent is at it any more */
} LeaseWatch;
LeaseWatch lease_watch(const Lease *l, bool stands, const char *boot_id, int64_t mono_ms, int64_t wall_ms);

typedef enum ServerSame { SERVER_SAME, SERVER_OTHER, SERVER_UNKNOWN } ServerSame;
ServerSame lease_server_compare(const LeaseServer *a, const LeaseServer *b);
