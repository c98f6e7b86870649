/* SPDX-License-Identifier: Apache-2.0
 * Errant transactions: what a replica has and its primary does not, since somebody wrote on the replica. Both
 * tell their positions at moments of their own, and a replica told later than its primary seems to be ahead
 * of it: what is suspected is looked for in what the primary has read later, twice. Pure.
 */
#pragma once

#include "common/db/db.h"
#include "common/wire/wire_node.h"

enum { ERRANT_SURE_MS = 3000 };

typedef struct ErrantWatch {
    char *known;   /* GTIDs, as a text of the flavour; NULL or "": none */
    char *suspect; /* what the primary has not told to have yet; NULL: nothing is being looked at */
    char *primary; /* whose readings these are */
    int64_t since_ms, looked_at; /* monotonic; ServerState.read_at of the primary's last reading */
    int looks;
} ErrantWatch;

typedef enum ErrantNews {
    ERRANT_NOTHING,
    ERRANT_FOUND, /* `known` is new, or has grown */
    ERRANT_GONE,  /* there are none any more */
} ErrantNews;

void errant_watch_done(ErrantWatch *w);
/* To be called with whatever both have told last: a reading of the primary counts once. */
ErrantNews errant_look(ErrantWatch *w, DbFlavor flavor, const Node *replica, const Node *primary,
                       int64_t now_ms);
