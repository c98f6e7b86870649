/* SPDX-License-Identifier: Apache-2.0
 * Would the other servers let this one's account of replication in? Whoever becomes the primary is followed
 * as that account, and the moment of a failover is late to learn that it is missing there. Looked at all the
 * time, a round of logins every SOURCE_LOOK_EVERY_MS, by a worker.
 *
 * Only what a server itself says against the account is a fault; one that cannot be reached says nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/wire_node.h"

struct Agent;

enum { SOURCE_LOOK_EVERY_MS = 20000 };

#define SOURCE_LISTS_LIST(F, T)                                                                              \
    F(T, LIST, servers, OrderServer, order_server_fields) /* as the coordinator said */                      \
    F(T, LIST, faults, SourceFault, source_fault_fields)  /* of the last round */
WIRE_STRUCT(SourceLists, SOURCE_LISTS_LIST);

typedef struct SourceLook {
    SourceLists lists;
    bool in_flight;
    int64_t next_ms;
} SourceLook;

/* Takes the list, and leaves the one of before in its place. */
void source_look_told(struct Agent *a, WireList *servers);
void source_look_tick(struct Agent *a);
void source_look_close(struct Agent *a); /* nothing is in flight any more */
