/* SPDX-License-Identifier: Apache-2.0
 * Rows of a streamed result, with a fixed amount of memory whatever the size of a row: a row that fits into
 * the buffer comes whole, a bigger one value by value, its bytes in pieces.
 */
#pragma once

#include "common/db/dbwire.h"
#include "format.h"
#include "rate_limit.h"

typedef struct RowReader {
    DbRows *rows;
    bool wire;  /* read off the socket here, not by the client library */
    bool whole; /* the end was reached */
    int fd;
    RateLimit *rate_limit; /* NULL: reads as fast as the server sends */
    unsigned char *buffer; /* bytes [pos, end) are not used yet */
    size_t pos, end;
    size_t packet_left; /* of a big row */
    bool packet_goes_on;
    Value *values; /* of a whole row */
    size_t n_values;
    size_t column, value_left; /* of a big row */
} RowReader;

typedef enum RowKind { ROW_END, ROW_WHOLE, ROW_BIG } RowKind;

/* The buffer lasts over many results. */
void reader_init(RowReader *r, size_t most_columns);
void reader_done(RowReader *r);

MUST_CHECK bool reader_open(RowReader *r, Db *db, const char *sql, Err *err);
/* ROW_WHOLE: r->values are valid until the next call. ROW_BIG: reader_value once a column, and reader_bytes
 * until the value is read, then reader_next again, which passes over the columns that were not taken. */
MUST_CHECK bool reader_next(RowReader *r, RowKind *ret, Err *err);
MUST_CHECK bool reader_value(RowReader *r, bool *ret_null, size_t *ret_n, Err *err);
MUST_CHECK bool reader_bytes(RowReader *r, Value *ret, Err *err); /* n 0: the value is read */
/* Not at the end of the rows, the connection is of no use afterwards. */
void reader_close(RowReader *r);
