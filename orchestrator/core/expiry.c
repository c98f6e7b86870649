/* SPDX-License-Identifier: Apache-2.0 */
#include "expiry.h"

/* Of two parts of one run the later seal tells when the run was. */
static bool is_newer(const KeptResult *a, const KeptResult *than)
{
    return str_eq(a->group, than->group) && !str_eq(a->run, than->run) && a->sealed_at > than->sealed_at;
}

static bool is_first_part(const KeptResult *results, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq(results[k].run, results[i].run))
            return false;
    return true;
}

static int64_t newer_runs(const KeptResult *results, size_t n, const KeptResult *than)
{
    int64_t newer = 0;
    for (size_t i = 0; i < n; i++)
        newer += is_newer(&results[i], than) && is_first_part(results, i);
    return newer;
}

/* All parts of a run stay or go by the newest of them. */
static const KeptResult *newest_part(const KeptResult *results, size_t n, const KeptResult *of,
                                     bool *ret_needed)
{
    const KeptResult *newest = of;
    *ret_needed = false;
    for (size_t i = 0; i < n; i++)
        if (str_eq(results[i].run, of->run)) {
            *ret_needed = *ret_needed || results[i].needed;
            newest = results[i].sealed_at > newest->sealed_at ? &results[i] : newest;
        }
    return newest;
}

void retention_plan(KeptResult *results, size_t n, int64_t now_ms)
{
    for (size_t i = 0; i < n; i++) {
        KeptResult *r = &results[i];
        bool needed;
        const KeptResult *by = newest_part(results, n, r, &needed);
        int64_t newer = newer_runs(results, n, by);
        bool many = r->keep > 0 && newer >= r->keep,
             old = r->keep_for_ms > 0 && now_ms - by->sealed_at > r->keep_for_ms;
        r->expires = !needed && newer > 0 && (many || old);
    }
}

bool retention_is_left_over(const Run *r, const char *node)
{
    return r->nodes.n > 1 && wire_run_holders(r) == 1 && coord_run_is_final(r->state) &&
           !str_eq(r->nodes.v[0], node);
}
