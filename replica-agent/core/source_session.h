/* SPDX-License-Identifier: Apache-2.0
 * What a MariaDB receiver asks of its source before it asks for events, and what the source says. Pure.
 */
#pragma once

#include "source_wire.h"

typedef struct SourceFacts {
    uint32_t server_id; /* another than the receiver's */
    bool checksums;     /* events end with a CRC-32 */
    int64_t now_s;
} SourceFacts;

/* What the receiver has told. */
typedef struct SourceSession {
    bool semi_sync; /* each event comes with a header of two bytes */
    int64_t heartbeat_ms;
    char *state, *until; /* positions; NULL: not told */
} SourceSession;

void source_session_done(SourceSession *s);
/* Exactly one answer to each. A statement that is not a receiver's is answered with an error. */
void source_answer(const SourceFacts *f, SourceSession *s, const char *sql, size_t n, PacketOut *out);
