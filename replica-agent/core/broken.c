/* SPDX-License-Identifier: Apache-2.0 */
#include "broken.h"

#include <string.h>

#include "applier_error.h"

/* A packet that is too big for this server is as big for another one. */
static bool lacks_what_is_purged(const ReplStatus *s)
{
    return s->io == REPL_IO_NO && receiver_is_refused(s->io_errno) && s->io_error && *s->io_error &&
           !strstr(s->io_error, "max_allowed_packet");
}

char *broken_why(const AgentState *s)
{
    const ReplStatus *r = &s->known.server.status;
    bool ours = s->durable.pause != PAUSE_NONE || s->flight.boot.start_due || fill_is_under_way(s);
    if (!s->known.server.up || !r->is_replica || ours)
        return NULL;
    bool by_hand = r->io == REPL_IO_NO && !r->io_errno; /* somebody is at it */
    if (!r->sql_running && !by_hand && applier_data_are_wrong(r->sql_errno))
        return xasprintf("its applier cannot go on: %.300s", r->sql_error ? r->sql_error : "");
    return lacks_what_is_purged(r) ? xasprintf("the primary cannot send what it lacks: %.300s", r->io_error)
                                   : NULL;
}
