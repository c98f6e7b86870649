/* SPDX-License-Identifier: Apache-2.0
 * Cuts the text of a dump's file into statements, as it comes: a line that ends with the delimiter ends one;
 * values hold no raw newline, and bodies stand between DELIMITER lines. Pure.
 */
#pragma once

#include "common/base/str.h"

/* No server takes a longer one: what goes on without an end has no more memory than this. */
#define STATEMENTS_LONGEST ((size_t)1 << 30)

typedef struct StatementCutter {
    Str text; /* read and not given yet */
    size_t at, seen, longest;
    char delimiter[16];
} StatementCutter;

void statements_init(StatementCutter *s);
void statements_done(StatementCutter *s);
void statements_feed(StatementCutter *s, const char *p, size_t n);
/* The next whole statement without its delimiter, ended by a NUL: valid until the next call of any of these.
 * NULL: more text is needed. */
const char *statements_next(StatementCutter *s, size_t *ret_n);
/* Too much is kept without an end; to be asked once statements_next has given NULL. */
bool statements_is_endless(const StatementCutter *s);
/* At the end of the file: what is left is no statement but blanks. */
bool statements_ended(const StatementCutter *s);
/* Rows are put into a table by it (and so it belongs to a transaction). */
bool statements_is_insert(const char *p, size_t n);
