/* SPDX-License-Identifier: Apache-2.0
 * One more replica, or one whose data are replaced (core/provision.h): the record in provision.json, what the
 * agents say, the calls. One at a time; the last one stays to be looked at.
 */
#pragma once

#include "common/net/http.h"
#include "coord_state.h"

void provisions_open(Coord *c);
void provisions_close(Coord *c);
void provisions_step(Coord *c);
/* The node's server holds nothing whole, or has not caught up since it was filled: it is not told to follow
 * or to acknowledge, and does not count. */
bool provisions_hold(const Coord *c, const AgentLink *a);

void handle_provision(HttpRequest *req, void *context);
void handle_provision_show(HttpRequest *req, void *context);
