/* SPDX-License-Identifier: Apache-2.0
 * What an agent does about replication when it meets a server: at its own start, and whenever the server
 * comes back as another process. The agent owns START at boot; it never takes "not running" as a wish of
 * anybody, and never issues a START that could throw a buffer away without being able to fetch it again.
 * Pure.
 */
#pragma once

#include "buffer.h"
#include "common/db/repl.h"
#include "lease.h"
#include "pause_machine.h"

typedef enum BootServer {
    BOOT_SAME,  /* the process this agent has dealt with before */
    BOOT_OTHER, /* another one: it restarted, or the agent sees it for the first time */
} BootServer;

typedef enum BootThreads { BOOT_BOTH_STOPPED, BOOT_SQL_STOPPED, BOOT_SQL_RUNNING } BootThreads;

typedef enum BootOwner {
    BOOT_OWNER_GONE,   /* the lease's run is not known, or has ended */
    BOOT_OWNER_ALIVE,  /* a run under way, or a person's pause within its limit */
    BOOT_OWNER_ENDING, /* the run has journalled its end and wants the replica to resume */
} BootOwner;

typedef enum BootAction {
    BOOT_NOTHING,
    BOOT_LEAVE_ALONE,    /* somebody stopped it: say so */
    BOOT_START,          /* no lease: replication is ours to start */
    BOOT_CONTINUE,       /* repeat the action of the lease's state */
    BOOT_RELEASE,        /* end the lease */
    BOOT_GIVE_UP,        /* end the lease, and the run that waits for it */
    BOOT_MOVED,          /* fail the owner: the applier ran */
    BOOT_RESTARTED,      /* fail the owner: the server restarted under it */
    BOOT_RESTARTED_HELD, /* stays frozen */
} BootAction;

typedef struct BootRow {
    int lease;   /* PauseState; BOOT_ANY */
    int server;  /* BootServer; BOOT_ANY */
    int threads; /* BootThreads; BOOT_ANY */
    int owner;   /* BootOwner; BOOT_ANY */
    int hold;    /* 0, 1; BOOT_ANY */
    BootAction action;
    const char *reason;
} BootRow;

/* The first row that fits; there is always one. */
const BootRow *boot_decide(PauseState lease, BootServer server, BootThreads threads, BootOwner owner,
                           bool hold);
BootThreads boot_threads(ReplIo io, bool sql_running);

/* How replication may be started. */
typedef enum StartWay {
    START_NOT_NEEDED, /* it runs */
    START_SQL,        /* the receiver runs or is connecting */
    START_BOTH,       /* nothing that was received can be lost by it */
    START_RESCUE,     /* first apply what the relay files hold; only then start */
    START_UNREADABLE, /* the relay files cannot be read: a START could throw away what they hold */
    START_ERRANT,     /* the server has transactions of its own: a person must decide */
    START_REFETCH,    /* positions may lie after a crash of the machine: fetch again what the source has */
    START_CRASHED,    /* the same, and there is no way to fetch it again now */
    START_SHUT,       /* all that was received is applied, and no receiver may be started */
} StartWay;

typedef struct StartInput {
    bool sql_running;
    ReplIo io;
    bool fresh_server;  /* the process has not replicated since it started */
    BufferState buffer; /* asked for only while both threads stand still */
    bool can_refetch, source_answers;
    bool shut; /* a failover has stopped the receiver for good: core/state, vote_lets_receive */
} StartInput;
StartWay start_decide(const StartInput *in);
