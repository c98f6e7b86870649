/* SPDX-License-Identifier: Apache-2.0 */
#include "purge_plan.h"

#include <string.h>

static const WireField hold_fields[] = WIRE_FIELDS(PurgeHold, PURGE_HOLD_LIST);
static const WireField values_fields[] = WIRE_FIELDS(PurgeValues, PURGE_VALUES_LIST);
const WireField purge_state_fields[] = WIRE_FIELDS(PurgeState, PURGE_STATE_LIST);

static PurgeHold *at(const PurgeState *p, size_t i)
{
    return (PurgeHold *)p->holds.v + i;
}

static void drop(PurgeState *p, size_t i)
{
    wire_free(hold_fields, at(p, i));
    memmove(at(p, i), at(p, i + 1), (p->holds.n - i - 1) * sizeof(PurgeHold));
    p->holds.n--;
}

bool purge_release(PurgeState *p, const char *owner)
{
    for (size_t i = 0; i < p->holds.n; i++)
        if (str_eq(at(p, i)->owner, owner)) {
            drop(p, i);
            return true;
        }
    return false;
}

void purge_hold(PurgeState *p, const char *owner, int64_t keep_s, int64_t for_ms, const char *boot_id,
                int64_t mono_ms, int64_t wall_ms)
{
    purge_release(p, owner);
    PurgeHold *h = wire_list_add(&p->holds, sizeof *h);
    *h = (PurgeHold){xstrdup(owner), keep_s, xstrdup(boot_id), mono_ms, wall_ms, for_ms};
}

int64_t purge_left_ms(const PurgeHold *h, const char *boot_id, int64_t mono_ms, int64_t wall_ms)
{
    bool same_boot = boot_id && *boot_id && str_eq(h->boot_id, boot_id);
    return h->for_ms - (same_boot ? mono_ms - h->taken_mono_ms : wall_ms - h->taken_at);
}

bool purge_drop_ended(PurgeState *p, const char *boot_id, int64_t mono_ms, int64_t wall_ms)
{
    size_t before = p->holds.n;
    for (size_t i = p->holds.n; i-- > 0;)
        if (purge_left_ms(at(p, i), boot_id, mono_ms, wall_ms) <= 0)
            drop(p, i);
    return p->holds.n != before;
}

static bool equal(const PurgeValues *a, const PurgeValues *b)
{
    return a->expire_s == b->expire_s && a->size == b->size;
}

PurgeValues purge_decide(PurgeState *p, const PurgeValues *now)
{
    int64_t keep = 0;
    /* Neither ours nor what was there before: a person has changed it meanwhile. */
    if (!p->raised || (!equal(now, &p->set) && !equal(now, &p->own)))
        p->own = *now;
    for (size_t i = 0; i < p->holds.n; i++)
        if (at(p, i)->keep_s > keep)
            keep = at(p, i)->keep_s;
    PurgeValues want = p->own;
    if (p->holds.n && want.expire_s && want.expire_s < keep)
        want.expire_s = keep;
    if (p->holds.n)
        want.size = 0;
    p->set = want;
    p->raised = !equal(&want, &p->own) || p->raised;
    return want;
}

bool purge_settled(PurgeState *p, const PurgeValues *now)
{
    if (p->holds.n || (p->raised && !equal(now, &p->own)))
        return false;
    p->raised = false;
    p->own = p->set = (PurgeValues){0};
    return true;
}
