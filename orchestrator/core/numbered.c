/* SPDX-License-Identifier: Apache-2.0 */
#include "numbered.h"

#include "common/base/str.h"

uint64_t numbered_mix(uint64_t h)
{
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 33);
}

uint32_t numbered_find(const Numbered *t, const void *owner, uint64_t hash, const void *wanted)
{
    if (!t->cap)
        return 0;
    for (size_t i = hash & (t->cap - 1); t->v[i]; i = (i + 1) & (t->cap - 1))
        if (t->is(owner, t->v[i], wanted))
            return t->v[i];
    return 0;
}

static void insert(Numbered *t, const void *owner, uint32_t n)
{
    size_t i = t->hash(owner, n) & (t->cap - 1);
    while (t->v[i])
        i = (i + 1) & (t->cap - 1);
    t->v[i] = n;
}

static void grow(Numbered *t, const void *owner)
{
    uint32_t *old = t->v;
    size_t cap = t->cap;
    t->cap = cap ? cap * 2 : 64;
    t->v = xcalloc(t->cap, sizeof *t->v);
    for (size_t i = 0; i < cap; i++)
        if (old[i])
            insert(t, owner, old[i]);
    free(old);
}

void numbered_add(Numbered *t, const void *owner, uint32_t n)
{
    if (t->n * 2 >= t->cap)
        grow(t, owner);
    insert(t, owner, n);
    t->n++;
}

/* What stood behind it moves up, so that no gap ends a search too early. */
void numbered_remove(Numbered *t, const void *owner, uint32_t n)
{
    size_t mask = t->cap - 1, gap = t->hash(owner, n) & mask;
    while (t->v[gap] != n)
        gap = (gap + 1) & mask;
    for (size_t i = (gap + 1) & mask; t->v[i]; i = (i + 1) & mask) {
        size_t home = t->hash(owner, t->v[i]) & mask;
        if (((i - home) & mask) < ((i - gap) & mask))
            continue;
        t->v[gap] = t->v[i];
        gap = i;
    }
    t->v[gap] = 0;
    t->n--;
}

void numbered_done(Numbered *t)
{
    free(t->v);
    t->v = NULL;
    t->cap = t->n = 0;
}
