/* SPDX-License-Identifier: Apache-2.0
 * Order-independent checksum of a set of rows, computed alike in C and by both servers: the sum of
 * CRC32 (zlib's) over each row's columns. A column is its text form, NULL is "\N"; each is followed by
 * a comma and its length in bytes and a semicolon, so that moved borders change the sum. Floating
 * point columns are not text-stable across servers and are refused by the SQL side.
 */
#pragma once

#include <stdint.h>

#include "str.h"

typedef struct RowSum {
    int64_t rows;
    uint64_t sum; /* of 32-bit row checksums: exact up to 2^32 rows */
} RowSum;

typedef struct RowSumField {
    const char *p; /* NULL is SQL NULL */
    size_t n;
} RowSumField;

void rowsum_add(RowSum *s, const RowSumField *fields, size_t n);
/* "rows:sum" as the SQL below gives it, e.g. "1200:2576980377600". */
char *rowsum_text(const RowSum *s);
/* SELECT CONCAT(COUNT(*), ':', COALESCE(SUM(CRC32(CONCAT(…))),0)) FROM table; names are quoted here.
 * `where` is trusted SQL or NULL. */
void rowsum_sql(Str *out, const char *database, const char *table, const StrList *columns, const char *where);
