/* SPDX-License-Identifier: Apache-2.0
 * The buffer: what a stopped replica has received and not applied. The position received is what a scan of
 * the relay files finds; the position applied is, for each domain, the greater of what the server has
 * recorded as a replica and what stands in its own binary log. Pure.
 */
#pragma once

#include <stdint.h>

#include "common/db/gtid.h"

typedef enum BufferState {
    BUFFER_UNKNOWN, /* the relay files cannot be read */
    BUFFER_APPLIED, /* nothing is beyond the applied position */
    BUFFER_BEYOND,  /* transactions that a careless START would throw away, or would fetch again */
    BUFFER_ERRANT,  /* the same, and the server has transactions of its own in between */
    BUFFER_CRASHED, /* the machine crashed while durability was relaxed: positions and data may differ */
} BufferState;

typedef struct BufferInput {
    DbFlavor flavor;
    const char *applied, *binlog, *held; /* `held`: by the scan */
    int64_t server_id;
    bool crashed; /* lease_crashed_boosted */
} BufferInput;

/* *ret_errant (may be NULL): the GTID that is the server's own; owned, NULL if there is none. */
BufferState buffer_judge(const BufferInput *in, char **ret_errant);

/* A transaction that this server wrote itself, beyond what it has replicated in that domain; owned, NULL:
 * none. One in a domain that nothing replicates into is nobody's trouble. */
char *buffer_errant(const BufferInput *in);

/* MariaDB: the binary log knows of replicated transactions that the replica's own position does not: a
 * rescue, or a DDL of the applier, was cut off in between. An applier would begin with them again. `held` is
 * not looked at. MySQL has one position, which never lags. */
bool buffer_position_lags(const BufferInput *in);

/* Where a rescue goes on from; owned, NULL if a position cannot be parsed. */
char *buffer_position(DbFlavor flavor, const char *applied, const char *binlog);
bool buffer_reaches(DbFlavor flavor, const char *position, const char *held);
