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

enum { WORLD_NODES = 4, WORLD_TRX = 4, WORLD_MESSAGES = 2048, WORLD_COORDINATORS = 2, WORLD_ACTIONS = 512 };

typedef struct WorldConf {
    int servers;  /* node 0 is the primary */
    bool witness; /* one more voter without a server */
    int acks, trx;
    int begins; /* failovers that each coordinator may begin, giving up and taking over included */
    int kills;  /* of servers; of agents between two acts */
    bool alone;
    bool rights; /* clients with every right write on, also on what was closed */
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
} WorldServer;

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
    uint8_t acknowledged; /* set of transactions */
    int8_t opened;        /* the server opened last */
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
