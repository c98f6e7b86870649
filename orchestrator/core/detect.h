/* SPDX-License-Identifier: Apache-2.0
 * Is the primary dead? Judged from three sides: this coordinator's own login to its server, what the
 * primary's agent says of it, and whether the replicas' receivers are connected. A failover is begun only by
 * a fault that all sides agree on for `after_ms`: one too many is worse than a late one. A silence counts
 * from the last word of any side on, since it takes a while to be known for one. Pure.
 *
 * Whether a replica applies is no vote: a paused one, or one whose applier has stopped, still receives. An
 * error message of the server (too many connections, access denied, host blocked) proves that it lives. A
 * server that answers on a disk that takes no writes is judged by two sides: its agent, which tries to write
 * there, and its GTID position, which stands still.
 */
#pragma once

#include "common/wire/wire_node.h"

#define DETECT_KIND_VALUES(E)                                                                                \
    E(DETECT_WELL, "well")                                                                                   \
    E(DETECT_UNCLEAR, "unclear")                        /* the sides contradict each other */                \
    E(DETECT_ALONE, "coordinator alone")                /* too few agents answer: the fault is ours */       \
    E(DETECT_UNREACHABLE_HERE, "unreachable from here") /* replicas still receive */                         \
    E(DETECT_USED_UP, "connections used up")            /* … these prove life */                           \
    E(DETECT_DENIED, "access denied")                                                                        \
    E(DETECT_BLOCKED, "host blocked")                                                                        \
    E(DETECT_AGENT_DEAD, "agent dead, server alive")                                                         \
    E(DETECT_NO_WRITES, "takes no writes") /* it answers, and commits nothing: a lock */                     \
    E(DETECT_DISK_FULL, "disk full")       /* others have the same data: no failover by itself */            \
    E(DETECT_DISK_STALLED, "disk stalled")                                                                   \
    E(DETECT_DISK_BROKEN, "disk takes no writes")                                                            \
    E(DETECT_CUT_OFF, "cut off from its members") /* its agent closes it */                                  \
    E(DETECT_ACKS_LOST, "acknowledgements lost")                                                             \
    E(DETECT_HUNG, "server hung")                                                                            \
    E(DETECT_SERVER_DEAD, "server dead")                                                                     \
    E(DETECT_HOST_DEAD, "host dead")
WIRE_ENUM(DetectKind, DETECT, DETECT_KIND_VALUES);
extern const WireEnum detect_kind_names;

/* What came of the coordinator's last login to the primary's server. */
typedef enum DetectLogin {
    DETECT_NOT_TRIED,
    DETECT_ANSWERS,
    DETECT_REFUSED, /* its host answers, nobody listens there */
    DETECT_SILENT,  /* no answer in time, or no way there */
    DETECT_TOO_MANY,
    DETECT_NOT_LET_IN,
    DETECT_SHUT_OUT, /* our host is blocked */
} DetectLogin;

typedef struct DetectReplica {
    const char *name;
    bool heard;    /* its agent answers */
    bool votes;    /* its receiver is meant to run; false: stopped by hand, or by an error of its own */
    bool receives; /* connected to the primary */
    bool alive;    /* its last attempt to connect was answered with an error message of the server */
} DetectReplica;

typedef struct DetectReading {
    int64_t now_ms;
    DetectLogin login;
    int64_t stuck_ms; /* for so long nothing has been committed though we tried; 0: it goes on */
    int64_t still_ms; /* its position has been the same for so long; 0: not known */
    int64_t quiet_ms; /* since any side had a word of it: a login answered, its agent, a receiver; 0: not
                         known */
    bool agent_heard; /* the primary's */
    /* what it said last */
    bool up, hangs; /* hangs: its server takes connections and answers nothing */
    bool cut_off;
    int64_t waiting; /* commits that wait for an acknowledgement */
    DiskFault disk;
    const char *disk_folder; /* that has the fault */
    int64_t disk_ms;         /* for so long */
    int voters, heard;       /* agents, and how many of them answer; the primary's included */
    const DetectReplica *replicas;
    size_t n;
} DetectReading;

typedef struct DetectRules {
    int64_t after_ms;
    int64_t gap_ms; /* a longer time between two looks: this coordinator itself stood still */
} DetectRules;

/* Zeroed at the start. */
typedef struct Detect {
    DetectKind kind;
    int64_t since_ms;  /* of `kind` */
    int64_t failed_ms; /* since when every look was one of those that a failover mends; 0: it was not */
    int64_t looked_ms;
    int64_t watches_ms; /* since when it was looked at without a gap: nothing before counts */
} Detect;

/* A failover would mend it. */
bool detect_is_fatal(DetectKind kind);
/* Takes a look. True: it has been fatal for long enough. */
bool detect_step(Detect *d, const DetectRules *rules, const DetectReading *r);
/* What each side says, a sentence. Owned. */
char *detect_evidence(const DetectReading *r);
