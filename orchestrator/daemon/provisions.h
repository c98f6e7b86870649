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

void handle_provision(HttpRequest *req, void *context);
void handle_provision_show(HttpRequest *req, void *context);
