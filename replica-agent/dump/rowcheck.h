/* SPDX-License-Identifier: Apache-2.0
 * The checksum that proves written rows equal to the table's, whatever their order: a row is the CRC-32 of
 * its values joined by the bytes 00 FF 00, NULL left out, then one digit for each column that may be NULL (1:
 * it is); a value that may be too long for the server to join is its CRC-32, a comma and its length. A set of
 * rows is their number and the sum of their CRCs. The server computes it while it reads the rows; here it is
 * fed with values in pieces. Values are the bytes the protocol sends without conversion; FLOAT and DOUBLE as
 * Flavor.real_text. CRC-32 finds accidents, not forgeries. Pure.
 */
#pragma once

#include "catalogue.h"
#include "common/db/rowsum.h"

/* An expression whose value is 0; the server adds the row's CRC to the session's sum whenever it is computed.
 */
void rowcheck_add_sql(Str *out, const DumpTable *t);
extern const char *const rowcheck_reset_sql; /* the sum is 0 */
/* Right after the SELECT of such expressions: one row and column, "rows:sum" of what the server has sent. */
extern const char *const rowcheck_sent_sql;
/* SELECT of one row and column, "rows:sum"; `where` is trusted SQL or NULL. */
void rowcheck_sql(Str *out, const DumpTable *t, const char *where);
bool rowcheck_parse(const char *text, RowSum *ret);

enum { ROWCHECK_HELD = 1 << 14, ROWCHECK_ROOM = ROWCHECK_HELD / 2 };

typedef struct RowCheck {
    RowSum sum;
    unsigned char *flags; /* of the stored columns */
    size_t n, column;     /* column: whose value comes next */
    uint32_t row_crc, value_crc;
    size_t value_n;
    bool any;   /* a value of this row has come */
    char *mask; /* of n */
    size_t n_mask;
    size_t n_held;
    char held[ROWCHECK_HELD]; /* not in row_crc yet */
} RowCheck;

void rowcheck_init(RowCheck *c, const DumpTable *t);
void rowcheck_done(RowCheck *c);
void rowcheck_value_begin(RowCheck *c);
void rowcheck_bytes(RowCheck *c, const char *p, size_t n);
void rowcheck_value_end(RowCheck *c);
void rowcheck_value(RowCheck *c, const char *p, size_t n); /* a whole one */
void rowcheck_null(RowCheck *c);
void rowcheck_row_end(RowCheck *c);

/* A whole value without a copy: up to ROWCHECK_ROOM bytes may be written here and, if they turn out to be a
 * value, taken. NULL: a value that may be long, it is to be fed. */
char *rowcheck_room(RowCheck *c);
void rowcheck_take(RowCheck *c, size_t n);
