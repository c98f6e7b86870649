/* SPDX-License-Identifier: Apache-2.0
 * The statement that a transaction in a binary or relay log begins with.
 */
#pragma once

#include "binlog.h"

typedef struct BinlogQuery {
    char *schema, *sql; /* owned; sql NULL: rows only, or compressed */
    size_t file;
    int64_t from, to; /* its event */
    char *event;      /* the bytes of the event */
    size_t sql_at;    /* of the statement in it */
    size_t tail;      /* bytes of checksum at its end */
} BinlogQuery;

void binlog_query_done(BinlogQuery *q);
/* A leading BEGIN is passed over. */
MUST_CHECK bool binlog_query_read(const StrList *files, const BinlogGroup *g, BinlogQuery *ret, Err *err);
/* The event with another statement; its checksum is zero, as one that nobody has computed. Owned. */
char *binlog_query_replaced(const BinlogQuery *q, const char *sql, size_t *ret_bytes);
