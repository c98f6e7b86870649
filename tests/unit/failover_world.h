/* SPDX-License-Identifier: Apache-2.0
 * A cluster as small as it can be and still lose something: servers with semi-synchronous replication, their
 * agents (order_step) and two coordinators (failover_step). Whatever may happen next is listed, and can be
 * done to a copy. A message that was sent may arrive at any time, twice, or never. Agents and coordinators
 * may stand still as long as they like; only the agent of an open primary keeps its own time (fence 2), as
 * docs/failover.md assumes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/core/failover.h"
#include "replica-agent/core/order_step.h"

enum { WORLD_NODES = 4, WORLD_TRX = 4, WORLD_MESSAGES = 4096, WORLD_COORDINATORS = 2, WORLD_ACTIONS = 1024 };

typedef struct WorldConf {
    int servers;  /* node 0 is the primary */
    bool witness; /* one more voter without a server */
    int acks, trx;
    int begins; /* failovers that each coordinator may begin, giving up and taking over included */
    int kills;  /* of servers; of agents between two acts */
    bool alone;
    bool off;    /* the first primary's host is powered off once, and a person says so to coordinator 0 */
    bool rights; /* clients with every right write on, also on what was closed */
    /* Members are counted in and out (failover_members.c), and so many times a replica's host is off and
     * comes back, or somebody stops its receiver. */
    bool moves;
    int aways;
    bool begins_alone; /* the primary was opened alone: its commits wait for nobody, nobody follows it */
} WorldConf;

typedef struct WorldServer {
    bool up, open, receiver, armed, semi_sync, drained, log_read, ended, closed;
    Ballot closed_in;
    int8_t follows;
    uint8_t n; /* of log: received, or written */
    uint8_t log[WORLD_TRX];
    uint8_t waiting;          /* written here by clients that still wait */
    uint8_t got[WORLD_NODES]; /* of this server's log, what each replica has acknowledged */
    uint8_t decided_n;        /* of the winner's log when it was drained */
    uint8_t acks;
    int8_t valid_until; /* fence 2 */
    uint8_t probe;      /* the probe's transaction has been acknowledged */
    uint8_t process;    /* counts */
    uint8_t silence;    /* its number; 0: it was armed since */
} WorldServer;

/* What a coordinator has last heard of a node: as it was then. */
typedef struct WorldHeard {
    bool known, up, receiver, armed;
    int8_t follows;
    uint8_t process, silence;
    bool since;            /* the primary was seen waiting for acknowledgements before that */
    int position;          /* of all it has */
    int64_t term, version; /* of the decision that it has accepted */
} WorldHeard;

/* What a coordinator is about, beside its decisions. */
typedef struct WorldWish {
    int8_t leaving;  /* a node; FAILOVER_NOBODY: none */
    uint8_t silence; /* in which it was, or … */
    bool off;        /* its host was, as a person has seen */
    int left_at;     /* what the primary had then */
    bool strict, has_position;
    uint8_t process; /* the primary's, while its acknowledgements are raised */
    int position;    /* what it had when its commits waited already */
} WorldWish;

typedef struct WorldVoter {
    Voter vote;
    Decision accepted;
} WorldVoter;

typedef struct World {
    WorldServer servers[WORLD_NODES];
    WorldVoter voters[WORLD_NODES];
    Failover coordinators[WORLD_COORDINATORS];
    uint64_t sent[WORLD_MESSAGES / 64];
    int8_t now;
    uint8_t n_trx, begun[WORLD_COORDINATORS], kills;
    bool off, forced;     /* node 0's host, for good; what coordinator 0 was told */
    uint8_t acknowledged; /* set of transactions */
    /* of `moves` */
    uint8_t away, aways, silences; /* hosts that are off; so many times; numbers given */
    uint8_t counted_in, counted_out, raised;
    WorldHeard heard[WORLD_COORDINATORS][WORLD_NODES];
    WorldWish wishes[WORLD_COORDINATORS];
    Decision in_force; /* the latest that a majority has accepted */
    int8_t opened;     /* the server opened last */
    int64_t opened_term;
} World;

typedef enum WorldActionKind {
    WORLD_WRITE,
    WORLD_REPLICATE,
    WORLD_ACKNOWLEDGE,
    WORLD_KILL,
    WORLD_RESTART,
    WORLD_DELIVER,
    WORLD_CUT, /* delivered, and the agent is killed after some acts */
    WORLD_BEGIN,
    WORLD_SWITCH,
    WORLD_REOPEN, /* the agent, by itself */
    WORLD_TAKE_OVER,
    WORLD_GIVE_UP,
    WORLD_LOOK,
    WORLD_RENEW,
    WORLD_TIME,
    WORLD_CLOSE,
    WORLD_OFF,
    WORLD_FORCE,
    /* of `moves` */
    WORLD_AWAY,
    WORLD_BACK,
    WORLD_STOP,  /* of its receiver, by a person */
    WORLD_START, /* … by the agent */
    WORLD_HEAR,  /* b: a node's state */
    WORLD_TIDY,  /* b: the next step for it */
    WORLD_LEAVE, /* b: it is asked to leave */
    WORLD_LEFT,  /* … and is put to the voters */
    WORLD_RAISE, /* the next step */
} WorldActionKind;

typedef struct WorldAction {
    WorldActionKind kind;
    int a, b;
} WorldAction;

void world_init(World *w, const WorldConf *c);
int world_actions(const World *w, const WorldConf *c, WorldAction *ret);
/* NULL, or what must never be. */
const char *world_do(World *w, const WorldConf *c, const WorldAction *a);
void world_say(const WorldAction *a, char *ret, size_t size);
uint64_t world_hash(const World *w);
