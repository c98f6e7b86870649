/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

#include <string.h>

#include "common/base/str.h"

struct Rate {
    int64_t starts, per_ms;
    int64_t *at; /* ascending */
    int64_t n;
};

Rate *rate_new(int64_t starts, int64_t per_ms)
{
    Rate *r = NEW(Rate);
    *r = (Rate){.starts = starts, .per_ms = per_ms, .at = xcalloc((size_t)starts, sizeof *r->at)};
    return r;
}

void rate_free(Rate *r)
{
    if (r)
        free(r->at);
    free(r);
}

bool rate_is(const Rate *r, int64_t starts, int64_t per_ms)
{
    return r && r->starts == starts && r->per_ms == per_ms;
}

/* Of more than it may hold the oldest goes. */
void rate_note(Rate *r, int64_t at_ms)
{
    if (r->n == r->starts && at_ms <= r->at[0])
        return;
    if (r->n == r->starts)
        memmove(r->at, r->at + 1, (size_t)--r->n * sizeof *r->at);
    int64_t k = r->n++;
    for (; k > 0 && r->at[k - 1] > at_ms; k--)
        r->at[k] = r->at[k - 1];
    r->at[k] = at_ms;
}

int64_t rate_wait_ms(const Rate *r, int64_t now_ms)
{
    int64_t wait = r->n < r->starts ? 0 : r->at[0] + r->per_ms - now_ms;
    return wait > 0 ? wait : 0;
}

bool rate_is_idle(const Rate *r, int64_t now_ms)
{
    return !r->n || r->at[r->n - 1] + r->per_ms <= now_ms;
}
