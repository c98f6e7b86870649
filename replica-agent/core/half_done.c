/* SPDX-License-Identifier: Apache-2.0 */
#include "half_done.h"

#include "common/db/servercheck.h"

void half_done_free(HalfDone *h)
{
    strlist_done(&h->filters);
    *h = (HalfDone){0};
}

static const char *hiding(const HalfDone *h)
{
    for (size_t i = 0; i < h->filters.n; i++)
        if (servercheck_hides_siding(h->filters.v[i]))
            return h->filters.v[i];
    return NULL;
}

char *half_done_judge(const HalfDone *h, bool *ret_passes)
{
    const char *filter = hiding(h);
    *ret_passes = !filter;
    if (filter)
        return xasprintf(
            "the replica has the filter %s: the queue does not reach it; remove the filter and provision "
            "the replica anew",
            filter);
    if (h->xa_prepared > 0)
        return xasprintf(
            "%lld XA transactions are prepared and not committed: what is read here would lack their "
            "rows; commit or roll back what XA RECOVER shows on the primary",
            (long long)h->xa_prepared);
    if (h->temp_tables > 0)
        return xasprintf(
            "%lld replicated temporary tables are open: what follows needs them, and no copy has them; "
            "end the sessions on the primary that keep temporary tables, or use row events for them",
            (long long)h->temp_tables);
    return NULL;
}
