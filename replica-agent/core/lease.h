/* SPDX-License-Identifier: Apache-2.0
 * The pause lease as it stands on disk, and its clock. It is written before replication is touched and
 * removed when the settings are back. Within one boot only CLOCK_BOOTTIME counts, so that a stepped wall
 * clock neither ends nor prolongs a pause; after a reboot only the wall clock is left. Pure.
 */
#pragma once

#include "common/wire/wire.h"

/* One server process. pid 0: reached over TCP, then only started_at tells two processes apart (seconds). */
typedef struct LeaseServer {
    int64_t pid, pid_start; /* /proc start time in clock ticks */
    int64_t started_at;     /* time, from the server's uptime */
    char *boot_id;
} LeaseServer;
extern const WireField lease_server_fields[];

typedef struct LeaseSettings {
    char *sync_binlog, *flush_log, *workers, *parallel_mode, *sync_relay, *queue_bytes;
} LeaseSettings;
extern const WireField lease_settings_fields[];

/* What a rescue has found and done; from a restart on it is measured anew. */
typedef struct LeaseRescue {
    char *from, *target; /* GTID positions; target: the last whole transaction in the relay files */
    int64_t total, done, done_before, tries; /* done_before: when the present try began */
    double rate, eta_s;
    int64_t started_at; /* time */
} LeaseRescue;
extern const WireField lease_rescue_fields[];

typedef struct Lease {
    char *owner; /* run id, LEASE_MANUAL or LEASE_RESCUE */
    char *reason, *by, *state;
    int64_t term;
    bool hold, boosted;
    bool taken_over; /* somebody else stopped the applier: the settings go back, nothing is started */
    bool durable;    /* its own durability is in force although it is still boosted: see pause_make_durable */
    bool retuning;   /* the applier is stopped for a moment, to change how it applies */
    bool restarted;  /* the server is another process than the one that was frozen */
    char *gtid, *binlog_gtid, *source_host, *source_file, *received;
    int64_t source_port, source_pos;
    int64_t relay_bytes; /* size of the relay logs when it froze */
    LeaseSettings original;
    char *boost_boot_id; /* the boot in which durability was relaxed; NULL: it was not */
    bool stalled;        /* kept transactions were missing after catch-up */
    LeaseRescue rescue;
    LeaseServer server;
    char *boot_id;
    int64_t taken_mono_ms, limit_ms;
    int64_t taken_at, frozen_at, resumed_at; /* times */
    Replay replay;
} Lease;
extern const WireField lease_fields[];

#define LEASE_MANUAL "manual"
#define LEASE_RESCUE "rescue" /* nobody's pause: a start of the server found a buffer */

/* A start is about to apply with a boost. Durability that this lease has relaxed before stays so until
 * lease_durable, whoever else acknowledges: only then is what was committed on the disk. */
void lease_boost(Lease *l, bool must_be_durable, const char *boot_id);
/* The server's own durability is in force and the disk has all: a crash of the machine does no harm any more.
 */
void lease_durable(Lease *l);

/* The machine went down while durability was relaxed: the operating system had not written everything. */
bool lease_crashed_boosted(const Lease *l, const char *boot_id);

/* What is left of the pause's limit; 0 or less: it has passed. */
int64_t lease_left_ms(const Lease *l, const char *boot_id, int64_t mono_ms, int64_t wall_ms);

typedef enum ServerSame { SERVER_SAME, SERVER_OTHER, SERVER_UNKNOWN } ServerSame;
ServerSame lease_server_compare(const LeaseServer *a, const LeaseServer *b);
