/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/entries.h"

#include <string.h>

#include "replica-agent/index/tokenize.h"

struct Entries {
    PostingKind kind;
    EntrySink sink;
    void *arg;
    /* Positions of the entry that is not complete yet. */
    char term[TERM_MAX_BYTES];
    size_t n;
    Entry entry;
    uint32_t positions[ENTRY_MAX_POSITIONS];
};

Entries *entries_new(PostingKind kind, EntrySink sink, void *arg)
{
    Entries *e = NEW(Entries);
    e->kind = kind;
    e->sink = sink;
    e->arg = arg;
    return e;
}

void entries_free(Entries *e)
{
    free(e);
}

bool entries_end(Entries *e, Err *err)
{
    bool ok = !e->entry.frequency || e->sink(e->arg, e->term, e->n, &e->entry, err);
    e->entry.frequency = 0;
    return ok;
}

static bool is_same(const Entries *e, const char *term, size_t n, const Posting *p)
{
    return e->entry.frequency && e->entry.record == p->record && e->entry.field == p->field && e->n == n &&
           memcmp(e->term, term, n) == 0;
}

bool entries_put(Entries *e, const char *term, size_t n, const Posting *p, Err *err)
{
    if (e->kind == POSTING_COUNTS) {
        Entry entry = {.record = p->record, .field = p->field, .frequency = p->number};
        return e->sink(e->arg, term, n, &entry, err);
    }
    if (!is_same(e, term, n, p)) {
        if (!entries_end(e, err))
            return false;
        e->n = n < sizeof e->term ? n : sizeof e->term;
        memcpy(e->term, term, e->n);
        e->entry = (Entry){.record = p->record, .field = p->field, .positions = e->positions};
    }
    e->entry.frequency = posting_add_numbers(e->entry.frequency, 1);
    if (e->entry.n_positions < ENTRY_MAX_POSITIONS)
        e->positions[e->entry.n_positions++] = p->number;
    return true;
}

bool entries_put_terms(Entries *e, const Terms *t, Err *err)
{
    for (size_t i = 0; i < terms_count(t); i++) {
        const char *term;
        const Posting *postings;
        size_t n, count;
        terms_at(t, i, &term, &n, &postings, &count);
        for (size_t k = 0; k < count; k++)
            if (!entries_put(e, term, n, &postings[k], err))
                return false;
    }
    return entries_end(e, err);
}
