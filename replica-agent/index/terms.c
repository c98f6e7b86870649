/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/terms.h"

#include <endian.h>
#include <string.h>

#include "common/base/bytes.h"

typedef struct Term {
    uint32_t offset; /* into text */
    uint32_t length;
    uint32_t hash;
    uint32_t last;  /* its latest posting, where the next occurrence most likely belongs */
    uint32_t text;  /* the text that this is of: postings lie far apart in memory */
    uint32_t count; /* postings; after sorting: of its merged list */
    uint32_t first; /* after sorting: into sorted */
} Term;

typedef struct SortedTerm {
    uint64_t prefix;
    uint32_t term;
} SortedTerm;

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
    SortedTerm *order; /* terms in sorted order */
    int64_t record;    /* of the text being added, and its field and number */
    unsigned field;
    uint32_t text_number;
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
    t->term_count = t->posting_count = t->text_number = 0;
    memset(t->slots, 0, t->slot_count * sizeof *t->slots);
}

bool terms_are_empty(const Terms *t)
{
    return t->posting_count == 0;
}

bool terms_are_full(const Terms *t)
{
    /* Sorting doubles the postings, growing doubles any of the arrays. */
    size_t bytes = t->text.len + t->slot_count * sizeof *t->slots +
                   t->term_count * (sizeof *t->terms + sizeof *t->order) +
                   (size_t)t->posting_count * 2 * sizeof *t->postings;
    return bytes >= t->max_bytes || t->posting_count >= UINT32_MAX / 2 || t->text.len >= UINT32_MAX / 2;
}

static const uint64_t mixing = 0x9e3779b97f4a7c15u;

/* A product's high bits hang on all bits: the shift brings them down. */
static inline uint64_t hash_step(uint64_t h, uint64_t bytes)
{
    h = (h ^ bytes) * mixing;
    return h ^ h >> 32;
}

static uint32_t hash_of(const char *p, size_t n)
{
    uint64_t h = n;
    for (; n > 8; n -= 8, p += 8)
        h = hash_step(h, bytes_u64(p));
    return (uint32_t)(hash_step(h, n ? bytes_some(p, n) : 0) * mixing >> 32);
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
    if (record != t->record || field != t->field || !t->text_number) {
        t->record = record;
        t->field = field;
        t->text_number++; /* never 0 again: each text has a posting, of which there are fewer */
    }
    if (counts && term->text == t->text_number) {
        Posting *last = &t->postings[term->last];
        last->number = posting_add_numbers(last->number, 1) & POSTING_MAX_NUMBER;
        return;
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
    term->text = t->text_number;
    term->count++;
    t->postings[t->posting_count++] = posting;
}

/* ---- sorting ------------------------------------------------------------------------------------- */

/* The first eight bytes as a number that compares as they do. */
static uint64_t prefix_of(const char *p, size_t n)
{
    uint64_t prefix = 0;
    memcpy(&prefix, p, n < sizeof prefix ? n : sizeof prefix);
    return be64toh(prefix);
}

static int compare_terms(const void *a, const void *b, void *arg)
{
    const Terms *t = arg;
    const SortedTerm *p = a, *q = b;
    if (p->prefix != q->prefix)
        return p->prefix < q->prefix ? -1 : 1;
    const Term *x = &t->terms[p->term], *y = &t->terms[q->term];
    return term_compare(t->text.p + x->offset, x->length, t->text.p + y->offset, y->length);
}

static void sort_terms(Terms *t)
{
    t->order = xrealloc(t->order, t->term_count * sizeof *t->order);
    for (uint32_t i = 0; i < t->term_count; i++)
        t->order[i] = (SortedTerm){prefix_of(t->text.p + t->terms[i].offset, t->terms[i].length), i};
    qsort_r(t->order, t->term_count, sizeof *t->order, compare_terms, t);
}

static int compare_postings(const void *a, const void *b)
{
    const Posting *x = a, *y = b;
    if (x->record != y->record)
        return x->record < y->record ? -1 : 1;
    if (x->field != y->field)
        return x->field < y->field ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static uint32_t run_end(const Posting *p, uint32_t from, uint32_t n)
{
    uint32_t i = from + 1;
    while (i < n && compare_postings(&p[i - 1], &p[i]) <= 0)
        i++;
    return i;
}

/* Where p[middle] belongs in the sorted p[0] to p[middle - 1]: near their end, so it is looked for from
 * there. */
static uint32_t place_of(const Posting *p, uint32_t middle)
{
    uint32_t step = 1, to = middle;
    while (step < middle && compare_postings(&p[middle - step], &p[middle]) > 0) {
        to = middle - step;
        step *= 2;
    }
    uint32_t from = step < middle ? middle - step : 0;
    while (from < to) {
        uint32_t half = from + (to - from) / 2;
        if (compare_postings(&p[half], &p[middle]) > 0)
            to = half;
        else
            from = half + 1;
    }
    return to;
}

static void merge_runs(Posting *p, uint32_t middle, uint32_t end, Posting *scratch)
{
    uint32_t a = 0, b = middle, n = 0;
    while (a < middle && b < end)
        scratch[n++] = compare_postings(&p[b], &p[a]) < 0 ? p[b++] : p[a++];
    memcpy(scratch + n, p + a, (middle - a) * sizeof *p);
    memcpy(p, scratch, (n + middle - a) * sizeof *p);
}

/* The fields of a range of records are read one after the other, each in the order of the records: runs that
 * reach back over one range at most. In any other order merging soon costs more than sorting. */
static void sort_postings(Posting *p, uint32_t n, Posting *scratch)
{
    enum { TIMES = 8 };
    uint32_t sorted = run_end(p, 0, n);
    for (uint64_t moved = 0; sorted < n && moved < (uint64_t)n * TIMES;) {
        uint32_t from = place_of(p, sorted), end = run_end(p, sorted, n);
        merge_runs(p + from, sorted - from, end - from, scratch);
        moved += end - from;
        sorted = end;
    }
    if (sorted < n)
        qsort(p, n, sizeof *p, compare_postings);
}

/* Returns the count after those of one record and field are added up. */
static uint32_t add_up(Posting *p, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 1; i < n; i++) {
        if (p[kept].record != p[i].record || p[kept].field != p[i].field)
            p[++kept] = p[i];
        else
            p[kept].number = posting_add_numbers(p[kept].number, p[i].number) & POSTING_MAX_NUMBER;
    }
    return kept + 1;
}

void terms_sort(Terms *t)
{
    sort_terms(t);
    t->sorted = xrealloc(t->sorted, t->posting_count * sizeof *t->sorted);
    uint32_t first = 0;
    for (uint32_t i = 0; i < t->term_count; i++) {
        Term *term = &t->terms[t->order[i].term];
        term->first = term->last = first;
        first += term->count;
    }
    for (uint32_t i = 0; i < t->posting_count; i++)
        t->sorted[t->terms[t->postings[i].term].last++] = t->postings[i];
    /* Those in the order of reading are done with: room for merging. */
    for (uint32_t i = 0; i < t->term_count; i++) {
        Term *term = &t->terms[i];
        sort_postings(t->sorted + term->first, term->count, t->postings);
        if (t->kind == POSTING_COUNTS)
            term->count = add_up(t->sorted + term->first, term->count);
    }
}

size_t terms_count(const Terms *t)
{
    return t->term_count;
}

void terms_at(const Terms *t, size_t i, const char **ret_term, size_t *ret_n, const Posting **ret_postings,
              size_t *ret_count)
{
    const Term *term = &t->terms[t->order[i].term];
    *ret_term = t->text.p + term->offset;
    *ret_n = term->length;
    *ret_postings = t->sorted + term->first;
    *ret_count = term->count;
}
