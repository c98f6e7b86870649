/* SPDX-License-Identifier: Apache-2.0
 * Order-independent checksum of a set of rows, computed alike in C and by both servers. A column gives
 * "CRC32(bytes),LENGTH(bytes);", NULL gives "N;"; a row is the CRC32 of its columns' texts in order; the set
 * is "number of rows:sum of the rows' CRC32". The bytes are those of the column's text form as the protocol
 * sends it when the result needs no character set conversion: text in the column's own character set (for
 * utf8mb4 what db.h gives), binary, BIT and GEOMETRY raw, numbers and times as text, times in +00:00. FLOAT
 * and DOUBLE have no text that is the same everywhere (FLOAT is rounded to six digits): pass them to
 * rowsum_sql_exprs between Flavor's real_text_before and _after, and compare within one flavour only.
 * JSON is normalised text on MySQL and plain text on MariaDB. CRC32 finds accidents, not forgeries.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"

typedef struct RowSum {
    int64_t rows;
    uint64_t sum; /* of 32-bit row checksums: exact up to 2^32 rows */
} RowSum;

typedef struct RowSumField {
    const char *p; /* NULL is SQL NULL */
    size_t n;
} RowSumField;

void rowsum_add(RowSum *s, const RowSumField *fields, size_t n);
/* The same for many rows, faster: one-byte fields are looked up, and what a first field that stays the same
 * has to do with it, as of sorted rows, is done once. */
typedef struct RowSummer RowSummer;
RowSummer *rowsummer_new(void);
void rowsummer_free(RowSummer *r);
void rowsummer_add(RowSummer *r, const RowSumField *fields, size_t n);
RowSum rowsummer_sum(const RowSummer *r);

/* The rows of `other` too. */
void rowsum_join(RowSum *s, const RowSum *other);
/* "rows:sum" as the SQL below gives it, e.g. "1200:2576980377600". */
char *rowsum_text(const RowSum *s);
bool rowsum_parse(const char *text, RowSum *ret);
/* A SELECT of one row with one column, that text. Names are quoted here; `where` is trusted SQL or NULL. */
void rowsum_sql(Str *out, const char *database, const char *table, const StrList *columns, const char *where);
/* The same over trusted SQL expressions instead of column names. */
void rowsum_sql_exprs(Str *out, const char *database, const char *table, const StrList *exprs,
                      const char *where);
