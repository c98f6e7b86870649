/* SPDX-License-Identifier: Apache-2.0 */
#include "gtid_list.h"

#include <string.h>

void gtid_list_done(GtidList *l)
{
    free(l->v);
    *l = (GtidList){0};
}

void gtid_list_copy(GtidList *to, const GtidList *from)
{
    GtidList l = {xcalloc(from->n + 1, sizeof *from->v), from->n};
    if (from->n)
        memcpy(l.v, from->v, from->n * sizeof *from->v);
    gtid_list_done(to);
    *to = l;
}

static GtidEntry *find(const GtidList *l, uint32_t domain)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].domain == domain)
            return &l->v[i];
    return NULL;
}

const GtidEntry *gtid_list_find(const GtidList *l, uint32_t domain)
{
    return find(l, domain);
}

bool gtid_list_has(const GtidList *l, const GtidEntry *e)
{
    const GtidEntry *have = find(l, e->domain);
    return have && have->seq >= e->seq;
}

void gtid_list_set(GtidList *l, const GtidEntry *e)
{
    GtidEntry *have = find(l, e->domain);
    if (!have) {
        l->v = xrealloc(l->v, (l->n + 1) * sizeof *l->v);
        have = &l->v[l->n++];
    }
    *have = *e;
}

bool gtid_list_read(GtidList *ret, const char *text)
{
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    gtid_list_done(ret);
    strlist_split(&parts, text ? text : "", ',');
    for (size_t i = 0; i < parts.n; i++) {
        GtidEntry e;
        if (!gtid_entry_parse(parts.v[i] + strspn(parts.v[i], " "), &e)) {
            gtid_list_done(ret);
            return false;
        }
        gtid_list_set(ret, &e);
    }
    return true;
}
