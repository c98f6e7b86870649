/* SPDX-License-Identifier: Apache-2.0
 * The events that a source makes itself; all others it passes on as they are. Format: MariaDB's "Replication
 * Protocol". Pure.
 */
#pragma once

#include <stdint.h>

#include "gtid_list.h"

typedef struct SourceEvents {
    uint32_t server_id;
    bool checksums; /* of what is sent just now */
} SourceEvents;

/* Each appends one event. `file`: what the source calls the binary log it sends. */
void source_event_rotate(Str *to, const SourceEvents *e, const char *file);
void source_event_heartbeat(Str *to, const SourceEvents *e, const char *file, uint64_t pos);
/* The receiver's UNTIL is reached; `sent`: its position then. */
void source_event_until(Str *to, const SourceEvents *e, const GtidList *sent, uint64_t pos);

/* A format description of a file becomes one that is sent in between: not as at a server's start, which would
 * drop temporary tables. False if it is none that this code knows. */
bool source_event_format(Str *event, bool *ret_checksums);
/* The checksum of a changed event. */
void source_event_seal(char *event, size_t n);
/* Of a Gtid_list: does it say what a receiver has left out, and of which the list lacks some? */
bool source_event_tells_ignored(const Str *event, const GtidList *have);
