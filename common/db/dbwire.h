/* SPDX-License-Identifier: Apache-2.0
 * The rows of a streamed result as the server sends them, for readers that want neither a copy nor a whole
 * row in memory: after db_wire_begin the caller reads the socket itself, packet by packet, to the result's
 * end.
 */
#pragma once

#include "db.h"

typedef struct DbWire {
    int fd;
    const unsigned char *head; /* bytes the client library had read already; valid until the first read */
    size_t head_n;
} DbWire;

/* False where it cannot be done (TLS, compression, a deadline, another client library): read by db_next. */
bool db_wire_begin(DbRows *r, DbWire *ret);
/* `whole`: everything was read; otherwise the connection is of no use any more. Then db_rows_free as ever. */
void db_wire_end(DbRows *r, bool whole);
/* An error packet's number and text as an Err. Always false. */
bool db_wire_error(unsigned code, const char *text, Err *err);

/* The fields of the row that db_next gave. */
const char *const *db_row(const DbRows *r, const unsigned long **ret_lengths);
