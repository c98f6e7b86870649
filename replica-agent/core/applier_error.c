/* SPDX-License-Identifier: Apache-2.0 */
#include "applier_error.h"

#include "common/base/str.h"

typedef struct CodeRow {
    int code;
    ApplierFailure failure;
} CodeRow;

/* Numbers that are the same on both servers, unless said otherwise. What is not here is an error of the data:
 * an applier that fails is left to a person rather than driven on. */
static const CodeRow rows[] = {
    {1590, APPLIER_INCIDENT},  /* ER_SLAVE_INCIDENT */
    {1785, APPLIER_DATA},      /* a statement that GTIDs cannot name */
    {1020, APPLIER_TRANSIENT}, /* record has changed since last read (MariaDB, snapshot isolation) */
    {1021, APPLIER_TRANSIENT}, /* disk full */
    {1037, APPLIER_TRANSIENT}, /* out of memory */
    {1038, APPLIER_TRANSIENT}, /* out of sort memory */
    {1040, APPLIER_TRANSIENT}, /* too many connections */
    {1041, APPLIER_TRANSIENT}, /* out of resources */
    {1114, APPLIER_TRANSIENT}, /* the table is full: mostly its disk */
    {1205, APPLIER_TRANSIENT}, /* lock wait timeout */
    {1213, APPLIER_TRANSIENT}, /* deadlock */
    {1317, APPLIER_TRANSIENT}, /* interrupted */
    {1927, APPLIER_TRANSIENT}, /* connection was killed (MariaDB) */
    {1964, APPLIER_TRANSIENT}, /* a prior transaction failed (MariaDB): that one is told first */
    {1969, APPLIER_TRANSIENT}, /* statement time exceeded (MariaDB) */
    {3024, APPLIER_TRANSIENT}, /* statement time exceeded (MySQL) */
    {1053, APPLIER_TRANSIENT}, /* shutdown */
    {3058, APPLIER_TRANSIENT}, /* deadlock of user locks */
    {1201, APPLIER_POSITION},  /* the notes of the relay files cannot be read */
    {1593, APPLIER_POSITION},  /* fatal error of replication: relay files, threads */
    {1594, APPLIER_POSITION},  /* a relay file cannot be read */
    {1595, APPLIER_POSITION},  /* a relay file cannot be written */
    {1236, APPLIER_POSITION},  /* the source, or its log, cannot go on from there */
    {1872, APPLIER_POSITION},  /* the repository of the position (MySQL) */
    {13121, APPLIER_POSITION}, /* a relay file cannot be read (MySQL) */
};

ApplierFailure applier_failure(int64_t code)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].code == code)
            return rows[i].failure;
    return APPLIER_DATA;
}

/* What a person mends first; by number, then by kind. */
static const struct {
    int code;
    const char *first;
} mends[] = {
    {1021, "make room on the disk that is full"},
    {1114, "make room on the disk, or raise the limit of the table's space"},
    {1666,
     "let its own binary log take rows: SET GLOBAL binlog_format=ROW, and binlog_format = ROW in its option "
     "file"},
    {1950, "somebody has written on this replica: decide what becomes of it (docs/runbook.md, errant "
           "transactions)"},
    {1032,
     "a row is missing here that the primary has: bring it in with SET SESSION sql_log_bin=0, or provision "
     "the replica anew"},
    {1007,
     "a database is here that the primary has only now: somebody created it on this replica. Remove it with "
     "SET SESSION sql_log_bin=0, or provision the replica anew"},
    {1050,
     "a table is here that the primary has only now: somebody created it on this replica. Remove it with SET "
     "SESSION sql_log_bin=0, or provision the replica anew"},
    {1008, "a database is missing here that the primary had: create it with SET SESSION sql_log_bin=0, or "
           "provision the replica anew"},
    {1051,
     "a table is missing here that the primary had: create it with SET SESSION sql_log_bin=0, or provision "
     "the replica anew"},
    {1146,
     "a table is missing here that the primary has: bring it in with SET SESSION sql_log_bin=0, or provision "
     "the replica anew"},
    {1062,
     "a row is here that the primary does not have: remove it with SET SESSION sql_log_bin=0, or provision "
     "the replica anew"},
    {1236,
     "the source has purged what is missing here, or its log cannot be read: provision the replica anew, "
     "unless its relay files hold it"},
    {1590,
     "the primary's log lacks events: provision the replica anew, or, where you know what is missing, SET "
     "GLOBAL sql_slave_skip_counter=1 (docs/runbook.md, incidents)"},
};

static const char *first_of(int64_t code)
{
    static const char *const by_kind[] = {
        [APPLIER_TRANSIENT] = "end what holds the lock, or free what is used up, if it is still so",
        [APPLIER_POSITION] = "see the server's error log; the relay files are read by GTID",
        [APPLIER_DATA] =
            ("make the replica's table what the primary's was, with SET SESSION sql_log_bin=0, or "
             "provision the replica anew"),
        [APPLIER_INCIDENT] = "look at the primary's error log",
    };
    for (size_t i = 0; i < COUNT(mends); i++)
        if (mends[i].code == code)
            return mends[i].first;
    return by_kind[applier_failure(code)];
}

char *applier_advice(int64_t code, const char *node)
{
    return xasprintf("%s; then siding replica resume %s", first_of(code), node);
}

bool applier_data_are_wrong(int64_t code)
{
    static const int codes[] = {
        1032, 1062,                                     /* rows */
        1007, 1008, 1049, 1050, 1051, 1060, 1061, 1091, /* databases, tables, columns, keys */
        1054, 1146, 1451, 1452, 1535, 1677,             /* tables that are made otherwise */
        1304, 1305, 1359, 1360,                         /* routines, triggers */
    };
    for (size_t i = 0; i < COUNT(codes); i++)
        if (codes[i] == code)
            return true;
    return false;
}

bool receiver_is_refused(int64_t code)
{
    return code == 1236 || code == 13114; /* the second is MySQL's number for it */
}

const char *receiver_advice(int64_t code)
{
    if (receiver_is_refused(code))
        return "the source has purged what is missing here, or this replica has transactions that the source "
               "does "
               "not have (siding check: errant): provision it anew, or see errant transactions in "
               "docs/runbook.md";
    switch (code) {
    case 1045:
        return "the source does not let the replication account in: see its password and grants";
    case 1593:
        return "see that every server has a server_id (MySQL: and a server_uuid) of its own";
    case 1595:
        return "make room on the disk of the relay logs, then restart the server";
    default:
        return NULL;
    }
}

bool applier_failure_needs_person(ApplierFailure f)
{
    return f == APPLIER_DATA || f == APPLIER_INCIDENT;
}
