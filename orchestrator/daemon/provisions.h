/* SPDX-License-Identifier: Apache-2.0
 * One more replica, or one whose data are replaced (core/provision.h): the record in provision.json, what the
 * agents say, the calls. One at a time; the last one stays to be looked at. Those that the coordinator begins
 * by itself (core/reprovision.h) stand in the same record, so that one that was decided on is one that was
 * begun.
 */
#pragma once

#include "common/net/http.h"
#include "coord_state.h"

void provisions_open(Coord *c);
void provisions_close(Coord *c);
void provisions_step(Coord *c);
/* Sentences about what is done by itself, or is not, for `siding status`. */
void provisions_warnings(const Coord *c, StrList *ret);

void handle_provision(HttpRequest *req, void *context);
void handle_provision_show(HttpRequest *req, void *context);

/* ---- for reprovisions.c ------------------------------------------------------------------------------ */

typedef struct ProvisionWish {
    AgentLink *node, *donor; /* donor NULL: none serves */
    bool replaces, discards;
    int64_t max_rate;
    const char *by;
    const char *why; /* by itself; NULL: a person asks */
} ProvisionWish;

/* On record once it is true. */
MUST_CHECK bool provisions_begin(Coord *c, const ProvisionWish *w, Err *err);
AgentLink *provisions_donor(Coord *c, const AgentLink *node); /* who is least behind; NULL: none serves */

/* ---- reprovisions.c ---------------------------------------------------------------------------------- */

void reprovisions_step(Coord *c, Reprovision *s, Retry *retry);
