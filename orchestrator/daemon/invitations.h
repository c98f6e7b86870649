/* SPDX-License-Identifier: Apache-2.0
 * Invitations of new hosts (core/invitation.h): their record in invitations.json, and the door through which
 * their files are fetched. That is a listener of its own, with TLS and without certificates of clients, which
 * is open only as long as somebody is invited, and has two calls.
 */
#pragma once

#include "common/net/http.h"
#include "coord_state.h"

void invitations_open(Coord *c);
void invitations_close(Coord *c);
/* Ends what is over; opens and closes the door. */
void invitations_step(Coord *c);
void invitations_renew(Coord *c); /* the door's certificate */

void handle_invite(HttpRequest *req, void *context);
void handle_revoke(HttpRequest *req, void *context);
void handle_invitations(HttpRequest *req, void *context);
