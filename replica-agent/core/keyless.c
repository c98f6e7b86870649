/* SPDX-License-Identifier: Apache-2.0 */
#include "keyless.h"

#include <string.h>

void keyless_begin(Keyless *k)
{
    for (size_t i = 0; i < k->n; i++)
        k->v[i].seen = false;
}

static KeylessTable *find(const Keyless *k, const char *name)
{
    for (size_t i = 0; i < k->n; i++)
        if (str_eq(k->v[i].name, name))
            return &k->v[i];
    return NULL;
}

void keyless_add(Keyless *k, const char *name, int64_t rows, int64_t counter, int64_t wall_ms)
{
    KeylessTable *t = find(k, name);
    bool fresh = !t;
    if (!t) {
        k->v = xrealloc(k->v, (k->n + 1) * sizeof *k->v);
        t = &k->v[k->n++];
        *t = (KeylessTable){.name = xstrdup(name)};
    }
    /* At the first sight a counter tells of changes since the table's statistics were made. */
    if (fresh ? counter > 0 : counter != t->counter && counter > 0)
        t->changed_at = wall_ms;
    t->rows = rows;
    t->counter = counter;
    t->seen = true;
}

void keyless_end(Keyless *k)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->n; i++) {
        if (k->v[i].seen)
            k->v[kept++] = k->v[i];
        else
            free(k->v[i].name);
    }
    k->n = kept;
    k->sampled = true;
}

int64_t keyless_changed(const Keyless *k, int64_t since, size_t most, StrList *ret)
{
    int64_t n = 0, below = INT64_MAX;
    for (size_t i = 0; i < k->n; i++)
        n += k->v[i].changed_at >= since && k->v[i].changed_at;
    /* Equal sizes come out together. */
    while (ret->n < most) {
        int64_t largest = -1;
        for (size_t i = 0; i < k->n; i++)
            if (k->v[i].changed_at && k->v[i].changed_at >= since && k->v[i].rows < below &&
                k->v[i].rows > largest)
                largest = k->v[i].rows;
        if (largest < 0)
            break;
        for (size_t i = 0; i < k->n && ret->n < most; i++)
            if (k->v[i].changed_at && k->v[i].changed_at >= since && k->v[i].rows == largest)
                strlist_add(ret, k->v[i].name);
        below = largest;
    }
    return n;
}

void keyless_copy(Keyless *to, const Keyless *from)
{
    *to = *from;
    to->v = xcalloc(from->n + 1, sizeof *to->v);
    for (size_t i = 0; i < from->n; i++) {
        to->v[i] = from->v[i];
        to->v[i].name = xstrdup(from->v[i].name);
    }
}

void keyless_done(Keyless *k)
{
    for (size_t i = 0; i < k->n; i++)
        free(k->v[i].name);
    free(k->v);
    *k = (Keyless){0};
}
