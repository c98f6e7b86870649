/* SPDX-License-Identifier: Apache-2.0
 * What an applier that stopped with an error stopped for: that decides whether to read the relay files anew,
 * to try again, or to tell a person and touch nothing. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum ApplierFailure {
    APPLIER_TRANSIENT, /* a lock, a full disk, a connection: the same may succeed later */
    APPLIER_POSITION, /* its place in the relay files, or these, cannot be read: the files are read by GTID */
    APPLIER_DATA,     /* data or statement: it fails again wherever it is applied */
    APPLIER_INCIDENT, /* the source says that its log lacks events, or the server stopped by intent */
} ApplierFailure;

/* `code` is Last_SQL_Errno, never 0. */
ApplierFailure applier_failure(int64_t code);
/* Nothing helps before a person has mended something. */
bool applier_failure_needs_person(ApplierFailure f);
/* Its data are not what the primary's were, or what the primary has written cannot be there: new data mend
 * that, and nobody has to find out how it came about. Never of an error that may have another cause. */
bool applier_data_are_wrong(int64_t code);
/* What a person does about it on the replica `node`, for people. Never a START that could throw away what
 * only the relay files hold: `siding replica resume` reads them first. Owned. */
char *applier_advice(int64_t code, const char *node);
/* By Last_IO_Errno: the source has purged what is missing, or lacks what is there. It would say so again. */
bool receiver_is_refused(int64_t code);
/* The same as applier_advice of a receiver; NULL: its text says it all. */
const char *receiver_advice(int64_t code);
