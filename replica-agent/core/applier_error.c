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

const char *applier_failure_name(ApplierFailure f)
{
    static const char *const names[] = {
        [APPLIER_TRANSIENT] = "transient",
        [APPLIER_POSITION] = "position",
        [APPLIER_DATA] = "data",
        [APPLIER_INCIDENT] = "incident",
    };
    return names[f];
}

bool applier_failure_needs_person(ApplierFailure f)
{
    return f == APPLIER_DATA || f == APPLIER_INCIDENT;
}
