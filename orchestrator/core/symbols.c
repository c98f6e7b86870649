/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols.h"

#include <string.h>

#include "numbered.h"

typedef struct Symbol {
    char *text;
    uint64_t hash;
    uint32_t uses, next_free;
} Symbol;

struct Symbols {
    Symbol *v; /* [0] is none */
    uint32_t n, free;
    Numbered by_text;
};

static uint64_t hash_text(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return numbered_mix(h);
}

static uint64_t hash_of(const void *owner, uint32_t n)
{
    return ((const Symbols *)owner)->v[n].hash;
}

static bool is_text(const void *owner, uint32_t n, const void *wanted)
{
    return strcmp(((const Symbols *)owner)->v[n].text, wanted) == 0;
}

Symbols *symbols_new(void)
{
    Symbols *s = NEW(Symbols);
    s->v = xcalloc(1, sizeof *s->v);
    s->n = 1;
    s->by_text = (Numbered){.hash = hash_of, .is = is_text};
    return s;
}

void symbols_free(Symbols *s)
{
    if (!s)
        return;
    for (uint32_t i = 1; i < s->n; i++)
        free(s->v[i].text);
    free(s->v);
    numbered_done(&s->by_text);
    free(s);
}

uint32_t symbols_find(const Symbols *s, const char *text)
{
    return text && *text ? numbered_find(&s->by_text, s, hash_text(text), text) : 0;
}

static uint32_t add(Symbols *s, const char *text)
{
    uint32_t n = s->free;
    if (n) {
        s->free = s->v[n].next_free;
    } else {
        n = s->n++;
        if ((n & (n - 1)) == 0)
            s->v = xrealloc(s->v, (size_t)n * 2 * sizeof *s->v);
    }
    s->v[n] = (Symbol){.text = xstrdup(text), .hash = hash_text(text)};
    numbered_add(&s->by_text, s, n);
    return n;
}

uint32_t symbols_take(Symbols *s, const char *text)
{
    if (!text || !*text)
        return 0;
    uint32_t n = symbols_find(s, text);
    if (!n)
        n = add(s, text);
    s->v[n].uses++;
    return n;
}

void symbols_keep(Symbols *s, uint32_t n)
{
    if (n)
        s->v[n].uses++;
}

void symbols_drop(Symbols *s, uint32_t n)
{
    if (!n || --s->v[n].uses)
        return;
    numbered_remove(&s->by_text, s, n);
    free(s->v[n].text);
    s->v[n] = (Symbol){.next_free = s->free};
    s->free = n;
}

const char *symbols_text(const Symbols *s, uint32_t n)
{
    return n ? s->v[n].text : NULL;
}
