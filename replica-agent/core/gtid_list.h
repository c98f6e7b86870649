/* SPDX-License-Identifier: Apache-2.0
 * A MariaDB position as a list of one entry a domain, to be asked and moved entry by entry. Pure.
 */
#pragma once

#include "common/db/gtid.h"

typedef struct GtidList {
    GtidEntry *v;
    size_t n;
} GtidList;

void gtid_list_done(GtidList *l);
void gtid_list_copy(GtidList *to, const GtidList *from);
/* "" and NULL are empty; false, and `ret` empty, where a part is no GTID. */
bool gtid_list_read(GtidList *ret, const char *text);
const GtidEntry *gtid_list_find(const GtidList *l, uint32_t domain); /* NULL: nothing of it */
bool gtid_list_has(const GtidList *l, const GtidEntry *e);           /* e, or what came after it */
void gtid_list_set(GtidList *l, const GtidEntry *e);                 /* in place of what its domain has */
