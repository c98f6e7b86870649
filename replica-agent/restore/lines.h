/* SPDX-License-Identifier: Apache-2.0
 * An INSERT of siding-dump as the LOAD DATA that puts the same rows in: the server takes lines with half the
 * work that parsing a statement costs it. Whatever siding-dump does not write is left to be an INSERT. Pure.
 */
#pragma once

#include "common/base/str.h"

typedef struct Lines {
    Str statement; /* the file's name in it only shows in errors */
    Str text;      /* what is fed */
    int64_t rows;
} Lines;

/* False: it is not such an INSERT, `io` holds nothing of use. `io` may be used again and again. */
bool lines_of_insert(const char *sql, size_t n, Lines *io);
void lines_done(Lines *l);
