/* SPDX-License-Identifier: Apache-2.0 */
#include "follows.h"

bool follows_begin(Follows *f, const char *from, Err *err)
{
    *f = (Follows){0};
    return gtid_list_read(&f->from, from)
               ? true
               : err_set(err, ERR_CORRUPT, 0, "the position \"%.200s\" cannot be understood", from);
}

void follows_done(Follows *f)
{
    gtid_list_done(&f->from);
    gtid_list_done(&f->seen);
    gtid_list_done(&f->due);
    *f = (Follows){0};
}

void follows_gap(Follows *f)
{
    f->gap = true;
    gtid_list_copy(&f->due, &f->seen);
}

static uint64_t greater(const GtidEntry *a, const GtidEntry *b)
{
    uint64_t x = a ? a->seq : 0, y = b ? b->seq : 0;
    return x > y ? x : y;
}

static bool hole(const GtidEntry *before, const GtidEntry *e, Err *err)
{
    AUTOFREE char *next = gtid_entry_text(e), *last = before ? gtid_entry_text(before) : NULL;
    return err_set(err, ERR_CORRUPT, 0,
                   "transactions between %s and %s are not in the relay files that are left",
                   last ? last : "the beginning of their domain", next);
}

static void forget(GtidList *l, uint32_t domain)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].domain == domain) {
            l->v[i] = l->v[--l->n];
            return;
        }
}

bool follows_take(Follows *f, const GtidEntry *e, Err *err)
{
    const GtidEntry *from = gtid_list_find(&f->from, e->domain), *seen = gtid_list_find(&f->seen, e->domain),
                    *due = gtid_list_find(&f->due, e->domain);
    bool first = !seen, cut = due || (first && f->gap);
    uint64_t last = greater(from, cut ? due : seen);
    if (((first && from) || cut) && e->seq > last + 1)
        return hole(from && from->seq == last ? from : due, e, err);
    if (due)
        forget(&f->due, e->domain);
    gtid_list_set(&f->seen, e);
    return true;
}
