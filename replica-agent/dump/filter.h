/* SPDX-License-Identifier: Apache-2.0
 * Which tables and views are dumped. Pure.
 */
#pragma once

#include <regex.h>

#include "common/base/str.h"

typedef struct Filter {
    StrList databases;           /* empty: all but the server's own */
    StrList tables;              /* "db.table"; empty: all */
    regex_t *matches, *excludes; /* of "db.table", any of them */
    size_t n_matches, n_excludes;
} Filter;

/* Borrows nothing. ERR_USAGE names the expression that is none. */
MUST_CHECK bool filter_init(Filter *f, const StrList *databases, const StrList *tables,
                            const StrList *matches, const StrList *excludes, Err *err);
void filter_done(Filter *f);
bool filter_wants(const Filter *f, const char *database, const char *table);
/* Some tables only: what belongs to a database as a whole is left out. */
bool filter_is_partial(const Filter *f);
