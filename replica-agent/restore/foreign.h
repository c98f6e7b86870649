/* SPDX-License-Identifier: Apache-2.0
 * Dumps without a list of their files: mydumper's of any version. Its file names are no proof: before 0.12
 * names stand in them as they are, so that a dot in one reads as the dot between two, digits as the number of
 * a part, and two tables may have had one file. What a file is and whose, is taken from its text; a dump that
 * has more than one reading is refused.
 */
#pragma once

#include "folder.h"

/* Settles database, table and step of every file; files that are no part of a dump are listed as unknown. */
MUST_CHECK bool foreign_resolve(Folder *f, Err *err);

typedef struct ForeignCount {
    char *database; /* its true name, or as in file names: 0.15 writes the one, 1.0 the other */
    char *table;    /* as in file names */
    int64_t rows;
} ForeignCount;

/* Rows of each table as mydumper 0.12 and later note them; *ret_n 0: it does not say. Owned, as its names. */
MUST_CHECK bool foreign_counts(const Folder *f, ForeignCount **ret, size_t *ret_n, Err *err);
void foreign_counts_free(ForeignCount *c, size_t n);
