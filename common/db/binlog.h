/* SPDX-License-Identifier: Apache-2.0
 * Reads binary and relay log files from disk, without a server: which transactions they hold whole. The
 * position a replica has received is what this finds (MariaDB's Gtid_IO_Pos is empty after a restart), and
 * a drain has ended when the applied position equals it.
 * Format: MariaDB knowledge base "Replication Protocol"; MySQL internals "Binary Log Event".
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"
#include "db.h"

typedef struct BinlogScan {
    char *last; /* MariaDB: last whole transaction of each domain, "0-1-270,1-1-5"; "" if none */
    int64_t transactions, bytes;
    bool torn; /* the last file ends inside a transaction or an event: the normal end after a kill */
    char *torn_file;
    int64_t torn_pos; /* of the first event of the incomplete group */
    bool incident;    /* behind the last whole transaction: the source says that it lost events */
} BinlogScan;

void binlog_scan_done(BinlogScan *s);

enum { BINLOG_ENCRYPTED = 164 }; /* Err.code of a file that is encrypted */
/* A file of MariaDB whose events only the server can read; false too where it cannot be looked at. */
bool binlog_is_encrypted(const char *path);
/* Events that stand whole in a file, which lengths tell also where it is encrypted: what a kill has cut off
 * at the end is not counted. ERR_CORRUPT for what has no such lengths. */
MUST_CHECK bool binlog_whole_events(const char *path, int64_t *ret, Err *err);

/* A file may end inside an event where a kill cut it off, if what follows goes on from there; a gap between
 * whole groups is ERR_CORRUPT. Encrypted files are refused. Files in the order they were written; a
 * transaction that is there twice counts once. */
MUST_CHECK bool binlog_scan(const StrList *files, BinlogScan *ret, Err *err);

typedef struct BinlogPart {
    size_t file; /* index */
    int64_t from, to;
} BinlogPart;

/* One whole transaction: where its events stand, and the format description that they follow. Events that
 * belong to the file and not to the transaction are left out. */
typedef struct BinlogGroup {
    uint32_t domain, server_id;
    uint64_t seq;
    bool standalone; /* one statement without BEGIN and COMMIT: DDL */
    BinlogPart format;
    const BinlogPart *parts;
    size_t n_parts;
    int64_t gtid_to; /* where the first event of parts[0], the GTID, ends */
} BinlogGroup;

char *binlog_group_gtid(const BinlogGroup *g); /* owned */

typedef bool (*BinlogVisit)(void *arg, const BinlogGroup *g, Err *err);
/* The same, with each transaction shown once, in order. False if `visit` says so. */
MUST_CHECK bool binlog_walk(const StrList *files, BinlogVisit visit, void *arg, BinlogScan *ret, Err *err);

/* What stands between transactions and means something to who applies them. */
typedef enum BinlogLooseKind {
    BINLOG_INCIDENT,  /* the source says that its log lacks events: an applier stops there */
    BINLOG_GTID_LIST, /* may tell of transactions that the receiver was told to leave out */
    BINLOG_GAP,       /* between this file and the one before it a file is missing */
} BinlogLooseKind;
typedef struct BinlogLoose {
    BinlogLooseKind kind;
    BinlogPart part, format; /* of a gap: part.file alone */
} BinlogLoose;
typedef bool (*BinlogVisitLoose)(void *arg, const BinlogLoose *e, Err *err);
/* binlog_walk that also shows these, where they stand. */
MUST_CHECK bool binlog_walk_all(const StrList *files, BinlogVisit visit, BinlogVisitLoose loose, void *arg,
                                BinlogScan *ret, Err *err);
