/* SPDX-License-Identifier: Apache-2.0
 * Do kept relay files go on, without a hole, from where a server stands? An applier cannot tell: it takes
 * what comes. Numbers may skip inside a file, as the source skipped them; not between the server's position
 * and the first transaction, and not where a file is missing. Pure.
 */
#pragma once

#include "gtid_list.h"

typedef struct Follows {
    GtidList from; /* the server's position */
    GtidList seen; /* the last transaction of each domain in the files so far */
    GtidList due;  /* domains that a missing file may have cut: what they had before it */
    bool gap;      /* a file was missing: domains not seen before may lack their beginning */
} Follows;

MUST_CHECK bool follows_begin(Follows *f, const char *from, Err *err);
void follows_done(Follows *f);
void follows_gap(Follows *f);
/* The next transaction of the files. ERR_CORRUPT if there is a hole before it. */
MUST_CHECK bool follows_take(Follows *f, const GtidEntry *e, Err *err);
