/* SPDX-License-Identifier: Apache-2.0
 * Inside of the explored cluster: failover_world.c (servers, messages, what may happen), failover_agents.c
 * (what agents do with an order) and failover_members.c (what the daemon does about members, and what must
 * hold of them).
 */
#pragma once

#include "failover_world.h"

enum { WORLD_FENCE_AFTER = 1 };

typedef struct WorldMessage {
    bool answer, clean;
    uint8_t kind; /* FailoverOrderKind, or FailoverEventKind of an answer */
    int8_t coordinator, node, donor;
    uint8_t silence; /* that an arm ends */
    Ballot ballot;
    Decision decision;
    FailoverEvent event;
} WorldMessage;

void world_send(World *w, const WorldMessage *m);
void world_order(World *w, int coordinator, int node, const FailoverOrder *o);
void world_feed(World *w, const WorldConf *c, int coordinator, FailoverEvent *ev);
int world_position(const WorldServer *s); /* its log, as a number */
bool world_covers(int a, int b);          /* of positions */
bool world_is_prefix(const WorldServer *a, const WorldServer *of);
int world_voters(const WorldConf *c);
void world_add(WorldAction *ret, int *n, WorldActionKind kind, int a, int b);

/* failover_agents.c */
/* An order comes. `acts`: how many before the agent is killed; -1: it is not. NULL, or what must never be. */
const char *world_obey(World *w, const WorldConf *c, const WorldMessage *m, int acts);
void world_stop_server(WorldServer *s);

/* failover_members.c */
void members_init(World *w, const WorldConf *c);
void members_actions(const World *w, const WorldConf *c, WorldAction *ret, int *n);
void members_do(World *w, const WorldConf *c, const WorldAction *a);
void members_opened(World *w, int coordinator, const FailoverEvent *ev); /* before the coordinator takes it */
/* NULL; or an acknowledged transaction that too few of the members in force hold. */
const char *members_hold(World *w, const WorldConf *c);
