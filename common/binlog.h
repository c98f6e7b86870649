/* SPDX-License-Identifier: Apache-2.0
 * Reads binary and relay log files from disk, without a server: which transactions they hold whole. The
 * position a replica has received is what this finds (MariaDB's Gtid_IO_Pos is empty after a restart), and
 * a drain has ended when the applied position equals it.
 * Format: MariaDB knowledge base "Replication Protocol"; MySQL internals "Binary Log Event".
 */
#pragma once

#include <stdint.h>

#include "db.h"
#include "str.h"

typedef struct BinlogScan {
    char *last; /* MariaDB: last whole transaction of each domain, "0-1-270,1-1-5"; "" if none */
    int64_t transactions, bytes;
    bool torn; /* the last file ends inside a transaction or an event: the normal end after a kill */
    char *torn_file;
    int64_t torn_pos; /* of the first event of the incomplete group */
} BinlogScan;

void binlog_scan_done(BinlogScan *s);

/* Files in the order they were written. Only the last may be torn; a damaged one before it is ERR_CORRUPT.
 * Encrypted files are refused. */
MUST_CHECK bool binlog_scan(const StrList *files, BinlogScan *ret, Err *err);
