/* SPDX-License-Identifier: Apache-2.0
 * GTID positions of both flavours, parsed and compared without a server. MariaDB: "0-1-270,1-1-5", the
 * last transaction of each domain. MySQL: "uuid:1-5:9,uuid2:1-3", sets of intervals, tags ("uuid:tag:1-3")
 * included. Text out is canonical and holds no newline. Pure.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"
#include "db.h"

typedef struct Gtid Gtid; /* a position: MariaDB list or MySQL set */

typedef enum GtidOrder { GTID_EQUAL, GTID_BEFORE, GTID_AFTER, GTID_DIVERGED } GtidOrder;

MUST_CHECK bool gtid_parse(DbFlavor flavor, const char *text, Gtid **ret,
                           Err *err); /* ERR_USAGE with the offending part */
void gtid_free(Gtid *g);
char *gtid_text(const Gtid *g);
/* How `a` stands to `b`. MariaDB: per domain by sequence number; a domain absent is before any. */
GtidOrder gtid_compare(const Gtid *a, const Gtid *b);
bool gtid_contains(const Gtid *whole, const Gtid *part); /* whole is equal to or after part */
/* Transactions in `b` that are not in `a` (MariaDB: by sequence numbers, an estimate where numbers were
 * skipped). */
int64_t gtid_behind(const Gtid *a, const Gtid *b);
/* Union (MySQL) or the greater of each domain (MariaDB). */
Gtid *gtid_max(const Gtid *a, const Gtid *b);
size_t gtid_domains(const Gtid *g); /* each applied in an order of its own; MySQL has one */
/* What a server has in its binary log is, on MariaDB, the last of each domain and server ("0-1-270,0-2-8"),
 * on MySQL a set. Of that, what it wrote itself (MySQL: all, a set tells whoever wrote it), and of `these`
 * what is not in `has`. MariaDB, of a server that `has` does not name: what `replicated` is before in its
 * domain (may be NULL). Owned; NULL if unparsable. */
char *gtid_own_text(DbFlavor flavor, const char *these, int64_t server_id);
char *gtid_lacking_text(DbFlavor flavor, const char *these, const char *has, const char *replicated);
/* One entry of a MariaDB position, "0-1-270". */
typedef struct GtidEntry {
    uint32_t domain, server_id;
    uint64_t seq;
} GtidEntry;
bool gtid_entry_parse(const char *text, GtidEntry *ret);
char *gtid_entry_text(const GtidEntry *e); /* owned */
/* On text, for callers that hold strings of one flavour; unparsable text is GTID_DIVERGED / -1. */
GtidOrder gtid_compare_text(DbFlavor flavor, const char *a, const char *b);
int64_t gtid_behind_text(DbFlavor flavor, const char *a, const char *b);
char *gtid_max_text(DbFlavor flavor, const char *a, const char *b); /* owned; NULL if unparsable */
