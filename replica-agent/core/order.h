/* SPDX-License-Identifier: Apache-2.0
 * The operations on the server, as the core orders them and hears of their end. An order is data; what it
 * does is replica-agent/server's.
 */
#pragma once

#include "boot.h"
#include "lease.h"
#include "order_step.h"

typedef enum OpKind {
    OP_SURVEY,  /* what the server is and has; findings */
    OP_STOP,    /* stop the applier, read where it stands */
    OP_ALIGN,   /* move the stopped applier on to `gtid` exactly */
    OP_VERIFY,  /* does it still stand as the lease says */
    OP_START,   /* start what may be started */
    OP_RETUNE,  /* another way of applying: the applier is stopped and started */
    OP_DURABLE, /* the lease's durability back while it still catches up */
    OP_RESTORE, /* the lease's settings back, the applier running */
    OP_ROLE,    /* read_only and semi-sync */
    OP_ORDER,   /* one act of a failover: `act` */
    OP_KINDS
} OpKind;

typedef enum OpEnd {
    END_OK,
    END_FAILED,      /* refused, or not reached: the error says why, nothing of it is left in the server */
    END_UNKNOWN,     /* no answer in time: it may still take effect */
    END_WAITING,     /* OP_START: may not be started now (way says why) */
    END_STALLED,     /* OP_RESTORE: what was received is not applied, and nothing goes on */
    END_MOVED,       /* OP_VERIFY: the frozen state has changed */
    END_BUSY,        /* no worker was free: nothing was done */
    END_NOT_WRITTEN, /* what it depends on could not be written down: nothing was done */
    OP_ENDS
} OpEnd;

typedef struct OpOrder {
    OpKind kind;
    uint64_t id;
    char *run;                            /* OP_VERIFY: for whom; owned */
    char *gtid, *file;                    /* OP_ALIGN; owned */
    int64_t pos;                          /* OP_ALIGN */
    bool thorough;                        /* OP_SURVEY: settings and grants too */
    bool allow_downstream, allow_delayed; /* OP_SURVEY */
    bool first;                           /* OP_STOP: the relay files are secured before it */
    bool fresh_server, may_end_rescue;    /* OP_START */
    bool boost;                           /* OP_START: with `boosted` */
    bool shut;                            /* OP_START: no receiver is started */
    bool silent;                          /* … or one that acknowledges nothing */
    bool open;                            /* OP_ROLE: writable */
    bool cut_off;                         /* OP_ROLE, closing: semi-sync stays on, all sessions are ended */
    LeaseSettings boosted;                /* OP_START, OP_RETUNE; owned */
    OrderAct act;                         /* OP_ORDER */
    AgentOrder order;                     /* OP_ORDER; owned */
    bool receiver_alone;                  /* OP_ORDER: a pause is in force, the applier stays stopped */
    int64_t delay_s;                      /* OP_ORDER: VoteRecord.delay_s */
} OpOrder;

/* All pointers are borrowed for the time of the step. */
typedef struct OpReport {
    OpKind kind;
    uint64_t id;
    OpEnd end;
    Err err; /* unless END_OK */
    const char *run;
    DbFlavor flavor;
    const ReplStatus *status;      /* zeroed where it was not read */
    const LeaseServer *server;     /* the process that answered */
    const LeaseSettings *settings; /* OP_SURVEY */
    const WireList *findings;      /* OP_SURVEY: Finding */
    StartWay way;                  /* OP_START */
    const char *from, *held_gtid;  /* OP_START, where the relay files hold more than is applied */
    int64_t backlog;
    bool open;                    /* OP_ROLE */
    const char *received, *ahead; /* OP_ORDER */
    const char *told;             /* OP_ORDER: what was done to others' sessions; NULL: nothing */
    int64_t closed_for_ms;        /* OP_ORDER */
    bool ended_well;              /* OP_START: the server processes since the lease's have ended in order */
    const char *left;             /* OP_RESTORE: settings that somebody else has changed; NULL: none */
} OpReport;
