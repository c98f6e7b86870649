/* SPDX-License-Identifier: Apache-2.0
 * What a source sends to one receiver that has asked for events: the transactions of the files that are
 * beyond the receiver's position, whole and as they are, the format descriptions that they follow, incidents,
 * heartbeats, and the end that its UNTIL asks for.
 */
#pragma once

#include "relay_link.h"
#include "replica-agent/core/gtid_list.h"
#include "replica-agent/core/source_session.h"

typedef struct RelayStream {
    const StrList *files;
    const GtidList *from; /* where the server stood: the first transaction of each domain beyond it may have
                             been under way when the server was killed */
    uint32_t server_id;
    bool checksums; /* as the receiver was told */
    int64_t window_bytes;
    RelayLink *link;
    const SourceSession *session;
    /* What the server has applied by now; called while the window is full. */
    void (*applied)(void *arg, GtidList *ret);
    void *arg;
} RelayStream;

/* ERR_LOST: the receiver has gone; ERR_CANCELLED: the link was stopped; else the files cannot be sent. */
MUST_CHECK bool relay_stream(const RelayStream *r, Err *err);

/* Do the events beyond `from` end with checksums? */
MUST_CHECK bool relay_stream_checksums(const StrList *files, const GtidList *from, bool *ret, Err *err);
