/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's hand in a failover: it looks at the primary, asks core/failover what is to be done, and
 * carries that out by orders to the agents. Whatever is lost on the way is ordered again; a coordinator that
 * was killed finds in the agents' votes and its journal what is not finished.
 */
#pragma once

#include "common/net/http.h"
#include "coord_state.h"

void failover_open(Coord *c);
void failover_close(Coord *c);
void failover_step_all(Coord *c); /* in each turn of the loop */
/* Nobody else may give roles meanwhile. */
bool failover_is_under_way(const Coord *c);
/* What a node is told to be; ROLE_NONE while that may be about to change, or has changed unknown to us. */
NodeRole failover_role(Coord *c, const char *node);
/* Why this is no time for what can wait: a failover is under way, or not decided, or the primary is not well;
 * maintenance. NULL: all is calm. Owned. */
char *failover_unrest(Coord *c);
/* Sentences for `siding status`. */
/* Something of the failover of that term is told when it is over, or before. */
void failover_record_late(Coord *c, int64_t term, int64_t at, const char *node, const char *text);
void failover_warnings(Coord *c, StrList *ret);

void handle_failover(HttpRequest *req, void *context);
void handle_failover_plan(HttpRequest *req, void *context);
void handle_failover_list(HttpRequest *req, void *context);
void handle_failover_show(HttpRequest *req, void *context);
void handle_failover_give_up(HttpRequest *req, void *context);
void handle_maintenance(HttpRequest *req, void *context);
void handle_primary(HttpRequest *req, void *context);
