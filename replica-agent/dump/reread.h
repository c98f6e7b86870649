/* SPDX-License-Identifier: Apache-2.0
 * Reads a data file's text back into values, as a server that loads it would, and sums them up (rowcheck.h).
 * Takes the text in pieces of any size. Pure.
 */
#pragma once

#include "format.h"
#include "rowcheck.h"

typedef struct Reread {
    FormatKind kind;
    RowCheck *check;
    int state;
    bool quoted_null; /* TSV: a backslash and N began the value */
    bool begun;       /* the value has begun */
    char word[400];   /* a number, a keyword, a line's first bytes */
    size_t n_word;
    unsigned char nibble;
} Reread;

void reread_init(Reread *r, FormatKind kind, RowCheck *check);
/* False: the text is not what format.h writes. */
bool reread_feed(Reread *r, const char *p, size_t n);
/* At the end of the file: false if it ends in the middle of a row. */
bool reread_ended(const Reread *r);
