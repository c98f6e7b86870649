/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/terms.h"

#include <string.h>

typedef struct Term {
    uint32_t offset; /* into text */
    uint32_t length;
    uint32_t hash;
    uint32_t last;  /* its latest posting, where the next occurrence most likely belongs */
    uint32_t count; /* postings; after sorting: of its merged list */
    uint32_t first; /* after sorting: into sorted */
} Term;

struct Terms {
    PostingKind kind;
    size_t max_bytes;
    Str text;
    Term *terms;
    uint32_t term_count, term_cap;
    uint32_t *slots; /* term + 1; 0: free */
    uint32_t slot_count;
    Posting *postings, *sorted;
    uint32_t posting_count, posting_cap;
    uint32_t *order; /* terms in sorted order */
};

uint32_t posting_add_numbers(uint32_t a, uint32_t b)
{
    return a + b < POSTING_MAX_NUMBER ? a + b : POSTING_MAX_NUMBER;
}

int term_compare(const char *a, size_t a_n, const char *b, size_t b_n)
{
    int c = memcmp(a, b, a_n < b_n ? a_n : b_n);
    return c ? c : (a_n > b_n) - (a_n < b_n);
}

Terms *terms_new(PostingKind kind, size_t max_bytes)
{
    Terms *t = NEW(Terms);
    t->kind = kind;
    t->max_bytes = max_bytes;
    t->slot_count = 1 << 12;
    t->slots = xcalloc(t->slot_count, sizeof *t->slots);
    return t;
}

void terms_free(Terms *t)
{
    if (!t)
        return;
    str_done(&t->text);
    free(t->terms);
    free(t->slots);
    free(t->postings);
    free(t->sorted);
    free(t->order);
    free(t);
}

void terms_clear(Terms *t)
{
    str_clear(&t->text);
    t->term_count = t->posting_count = 0;
    memset(t->slots, 0, t->slot_count * sizeof *t->slots);
}

bool terms_are_empty(const Terms *t)
{
    return t->posting_count == 0;
}

bool terms_are_full(const Terms *t)
{
    /* Sorting doubles the postings, growing doubles any of the arrays. */
    size_t bytes = t->text.len + t->slot_count * sizeof *t->slots + t->term_count * (sizeof *t->terms + 4) +
                   (size_t)t->posting_count * 2 * sizeof *t->postings;
    return bytes >= t->max_bytes || t->posting_count >= UINT32_MAX / 2 || t->text.len >= UINT32_MAX / 2;
}

static uint32_t hash_of(const char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    return (uint32_t)(h ^ (h >> 32));
}

static void grow_slots(Terms *t)
{
    t->slot_count *= 2;
    free(t->slots);
    t->slots = xcalloc(t->slot_count, sizeof *t->slots);
    for (uint32_t i = 0; i < t->term_count; i++) {
        uint32_t slot = t->terms[i].hash & (t->slot_count - 1);
        while (t->slots[slot])
            slot = (slot + 1) & (t->slot_count - 1);
        t->slots[slot] = i + 1;
    }
}

static uint32_t new_term(Terms *t, const char *p, size_t n, uint32_t hash)
{
    if (t->term_count == t->term_cap) {
        t->term_cap = t->term_cap ? t->term_cap * 2 : 1024;
        t->terms = xrealloc(t->terms, t->term_cap * sizeof *t->terms);
    }
    Term term = {.offset = (uint32_t)t->text.len, .length = (uint32_t)n, .hash = hash};
    str_add(&t->text, p, n);
    t->terms[t->term_count] = term;
    return t->term_count++;
}

static Term *find_or_add(Terms *t, const char *p, size_t n)
{
    uint32_t hash = hash_of(p, n), slot = hash & (t->slot_count - 1);
    for (; t->slots[slot]; slot = (slot + 1) & (t->slot_count - 1)) {
        Term *term = &t->terms[t->slots[slot] - 1];
        if (term->hash == hash && term->length == n && !memcmp(t->text.p + term->offset, p, n))
            return term;
    }
    uint32_t id = new_term(t, p, n, hash);
    t->slots[slot] = id + 1;
    if (t->term_count * 2 > t->slot_count)
        grow_slots(t);
    return &t->terms[id];
}

void terms_add(Terms *t, const char *text, size_t n, int64_t record, unsigned field, uint32_t position)
{
    Term *term = find_or_add(t, text, n);
    bool counts = t->kind == POSTING_COUNTS;
    if (counts && term->count) {
        Posting *last = &t->postings[term->last];
        if (last->record == record && last->field == field) {
            last->number = posting_add_numbers(last->number, 1) & POSTING_MAX_NUMBER;
            return;
        }
    }
    if (t->posting_count == t->posting_cap) {
        t->posting_cap = t->posting_cap ? t->posting_cap * 2 : 4096;
        t->postings = xrealloc(t->postings, t->posting_cap * sizeof *t->postings);
    }
    Posting posting = {.record = record,
                       .term = (uint32_t)(term - t->terms),
                       .number = posting_add_numbers(counts ? 1 : position, 0) & POSTING_MAX_NUMBER,
                       .field = field & 255};
    term->last = t->posting_count;
    term->count++;
    t->postings[t->posting_count++] = posting;
}

/* ---- sorting ------------------------------------------------------------------------------------- */

static int compare_terms(const void *a, const void *b, void *arg)
{
    const Terms *t = arg;
    const Term *x = &t->terms[*(const uint32_t *)a], *y = &t->terms[*(const uint32_t *)b];
    return term_compare(t->text.p + x->offset, x->length, t->text.p + y->offset, y->length);
}

static int compare_postings(const void *a, const void *b)
{
    const Posting *x = a, *y = b;
    if (x->record != y->record)
        return x->record < y->record ? -1 : 1;
    return (x->field > y->field) - (x->field < y->field);
}

static int compare_positions(const void *a, const void *b)
{
    const Posting *x = a, *y = b;
    int c = compare_postings(a, b);
    return c ? c : (x->number > y->number) - (x->number < y->number);
}

static void sort_positions(Posting *p, uint32_t n)
{
    bool sorted = true;
    for (uint32_t i = 1; i < n && sorted; i++)
        sorted = compare_positions(&p[i - 1], &p[i]) <= 0;
    if (!sorted)
        qsort(p, n, sizeof *p, compare_positions);
}

/* Records mostly come in order already: then this is one pass. Returns the count after equal ones are added
 * up. */
static uint32_t sort_counts(Posting *p, uint32_t n)
{
    bool sorted = true, unique = true;
    for (uint32_t i = 1; i < n && sorted; i++) {
        int c = compare_postings(&p[i - 1], &p[i]);
        sorted = c <= 0;
        unique = unique && c < 0;
    }
    if (sorted && unique)
        return n;
    if (!sorted)
        qsort(p, n, sizeof *p, compare_postings);
    uint32_t kept = 0;
    for (uint32_t i = 1; i < n; i++) {
        if (compare_postings(&p[kept], &p[i])) {
            p[++kept] = p[i];
            continue;
        }
        p[kept].number = posting_add_numbers(p[kept].number, p[i].number) & POSTING_MAX_NUMBER;
    }
    return kept + 1;
}

void terms_sort(Terms *t)
{
    t->order = xrealloc(t->order, t->term_count * sizeof *t->order);
    for (uint32_t i = 0; i < t->term_count; i++)
        t->order[i] = i;
    qsort_r(t->order, t->term_count, sizeof *t->order, compare_terms, t);

    t->sorted = xrealloc(t->sorted, t->posting_count * sizeof *t->sorted);
    uint32_t first = 0;
    for (uint32_t i = 0; i < t->term_count; i++) {
        Term *term = &t->terms[t->order[i]];
        term->first = term->last = first;
        first += term->count;
    }
    for (uint32_t i = 0; i < t->posting_count; i++)
        t->sorted[t->terms[t->postings[i].term].last++] = t->postings[i];
    for (uint32_t i = 0; i < t->term_count; i++) {
        Term *term = &t->terms[i];
        if (t->kind == POSTING_COUNTS)
            term->count = sort_counts(t->sorted + term->first, term->count);
        else
            sort_positions(t->sorted + term->first, term->count);
    }
}

size_t terms_count(const Terms *t)
{
    return t->term_count;
}

void terms_at(const Terms *t, size_t i, const char **ret_term, size_t *ret_n, const Posting **ret_postings,
              size_t *ret_count)
{
    const Term *term = &t->terms[t->order[i]];
    *ret_term = t->text.p + term->offset;
    *ret_n = term->length;
    *ret_postings = t->sorted + term->first;
    *ret_count = term->count;
}
