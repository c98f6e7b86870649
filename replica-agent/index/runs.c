/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/runs.h"

#include <string.h>

#include "common/file/fs.h"

void runs_add(Runs *r, RunFile file)
{
    r->v = xrealloc(r->v, (r->n + 1) * sizeof *r->v);
    r->v[r->n++] = file;
}

void runs_done(Runs *r)
{
    for (size_t i = 0; i < r->n; i++)
        runfile_done(&r->v[i]);
    free(r->v);
    *r = (Runs){0};
}

/* ---- writing ------------------------------------------------------------------------------------- */

static bool write_terms(RunWriter *w, const Terms *t, Err *err)
{
    for (size_t i = 0; i < terms_count(t); i++) {
        const char *term;
        const Posting *postings;
        size_t n, count;
        terms_at(t, i, &term, &n, &postings, &count);
        if (!runwriter_term(w, term, n, err))
            return false;
        for (size_t k = 0; k < count; k++)
            if (!runwriter_posting(w, &postings[k], err))
                return false;
    }
    return true;
}

bool run_write(const char *path, Terms *t, RunFile *ret, Err *err)
{
    RunWriter *w;
    if (!runwriter_open(path, &w, err))
        return false;
    terms_sort(t);
    if (write_terms(w, t, err))
        return runwriter_close(w, ret, err);
    runwriter_abandon(w);
    return false;
}

/* ---- merging ------------------------------------------------------------------------------------- */

/* What becomes of the merged postings. */
typedef struct RunMerge {
    PostingKind kind;
    const RunMark *to;
    RunSink sink;
    void *arg;
} RunMerge;

/* The readers that stand at the least term, if it is before the end. */
static size_t choose_term(RunReader *readers, size_t n, const RunMark *to, RunReader **chosen)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (readers[i].ended)
            continue;
        int c = count ? term_compare(readers[i].term, readers[i].n, chosen[0]->term, chosen[0]->n) : -1;
        if (c < 0)
            count = 0;
        if (c <= 0)
            chosen[count++] = &readers[i];
    }
    return count && to && term_compare(chosen[0]->term, chosen[0]->n, to->term, to->n) >= 0 ? 0 : count;
}

static bool is_before(const Posting *a, const Posting *b)
{
    if (a->record != b->record)
        return a->record < b->record;
    return a->field != b->field ? a->field < b->field : a->number < b->number;
}

/* *ret_next: the least but one; NULL: there is no other. */
static RunReader *least_posting(RunReader **chosen, size_t n, RunReader **ret_next)
{
    RunReader *least = NULL, *next = NULL;
    for (size_t i = 0; i < n; i++) {
        RunReader *r = chosen[i];
        if (!r->has_posting)
            continue;
        if (!least || is_before(&r->posting, &least->posting)) {
            next = least;
            least = r;
        } else if (!next || is_before(&r->posting, &next->posting)) {
            next = r;
        }
    }
    *ret_next = next;
    return least;
}

/* `sum` has field 0, which no posting has, before the first. */
static bool take_posting(const RunMerge *m, const RunReader *r, Posting *sum, Err *err)
{
    const Posting *p = &r->posting;
    bool same = m->kind == POSTING_COUNTS && p->record == sum->record && p->field == sum->field;
    if (same) {
        sum->number = posting_add_numbers(sum->number, p->number) & POSTING_MAX_NUMBER;
        return true;
    }
    bool ok = !sum->field || m->sink(m->arg, r->term, r->n, sum, err);
    *sum = *p;
    return ok;
}

/* Readers mostly hold stretches of records: one is read on until another comes before it. */
static bool merge_term(RunReader **chosen, size_t n, const RunMerge *m, Err *err)
{
    Posting sum = {.field = 0};
    for (RunReader *r, *next; (r = least_posting(chosen, n, &next));)
        do {
            if (!take_posting(m, r, &sum, err) || !runreader_posting(r, err))
                return false;
        } while (r->has_posting && (!next || !is_before(&next->posting, &r->posting)));
    return m->sink(m->arg, chosen[0]->term, chosen[0]->n, &sum, err);
}

static bool merge_readers(RunReader *readers, size_t n, const RunMerge *m, Err *err)
{
    RunReader *chosen[RUNS_MAX_OPEN];
    for (size_t count; (count = choose_term(readers, n, m->to, chosen));) {
        if (!merge_term(chosen, count, m, err))
            return false;
        for (size_t i = 0; i < count; i++)
            if (!runreader_term(chosen[i], err))
                return false;
    }
    return true;
}

static bool merge_some(const RunFile *files, size_t n, const RunMerge *m, const RunMark *from, size_t buffer,
                       Err *err)
{
    RunReader *readers = xcalloc(n + 1, sizeof *readers);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok =
            runreader_open(&readers[i], &files[i], from ? from->term : NULL, from ? from->n : 0, buffer, err);
    ok = ok && merge_readers(readers, n, m, err);
    for (size_t i = 0; i < n; i++)
        runreader_close(&readers[i]);
    free(readers);
    return ok;
}

bool runs_merge(const Runs *r, PostingKind kind, RunsPart part, size_t buffer, RunSink sink, void *arg,
                Err *err)
{
    RunMerge m = {kind, part.to, sink, arg};
    return merge_some(r->v, r->n, &m, part.from, buffer, err);
}

/* ---- intermediate files -------------------------------------------------------------------------- */

typedef struct Spill {
    RunWriter *w;
    char term[TERM_MAX_BYTES];
    size_t n;
    bool begun;
} Spill;

static bool spill_posting(void *arg, const char *term, size_t n, const Posting *p, Err *err)
{
    Spill *s = arg;
    if (!s->begun || s->n != n || memcmp(s->term, term, n)) {
        if (!runwriter_term(s->w, term, n, err))
            return false;
        memcpy(s->term, term, n);
        s->n = n;
        s->begun = true;
    }
    return runwriter_posting(s->w, p, err);
}

static bool merge_into_run(const RunFile *files, size_t n, PostingKind kind, const char *path, RunFile *ret,
                           Err *err)
{
    Spill s = {.n = 0};
    RunMerge m = {kind, NULL, spill_posting, &s};
    if (!runwriter_open(path, &s.w, err))
        return false;
    if (merge_some(files, n, &m, NULL, RUNFILE_MAX_BUFFER, err))
        return runwriter_close(s.w, ret, err);
    runwriter_abandon(s.w);
    return false;
}

static bool forget_first(Runs *r, size_t n, Err *err)
{
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        ok = ok && fs_remove(r->v[i].path, err);
        runfile_done(&r->v[i]);
    }
    r->n -= n;
    memmove(r->v, r->v + n, r->n * sizeof *r->v);
    return ok;
}

bool runs_reduce(Runs *r, PostingKind kind, const char *folder, Err *err)
{
    for (int level = 0; r->n > RUNS_MAX_OPEN; level++) {
        AUTOFREE char *path = xasprintf("%s/merged-%05d", folder, level);
        RunFile merged;
        if (!merge_into_run(r->v, RUNS_MAX_OPEN, kind, path, &merged, err))
            return false;
        runs_add(r, merged);
        if (!forget_first(r, RUNS_MAX_OPEN, err))
            return false;
    }
    return true;
}

/* ---- parts --------------------------------------------------------------------------------------- */

typedef struct Weight {
    const RunMark *mark;
    int64_t postings; /* from it to the next one of its file */
} Weight;

static int compare_marks(const RunMark *x, const RunMark *y)
{
    return term_compare(x->term, x->n, y->term, y->n);
}

static int compare_weights(const void *a, const void *b)
{
    return compare_marks(((const Weight *)a)->mark, ((const Weight *)b)->mark);
}

static size_t weigh(const Runs *r, Weight **ret, int64_t *ret_total)
{
    size_t n = 0;
    Weight *v = NULL;
    *ret_total = 0;
    for (size_t i = 0; i < r->n; i++) {
        const RunFile *f = &r->v[i];
        v = xrealloc(v, (n + f->n_marks + 1) * sizeof *v);
        for (size_t k = 0; k < f->n_marks; k++) {
            int64_t end = k + 1 < f->n_marks ? f->marks[k + 1].postings : f->postings;
            v[n++] = (Weight){&f->marks[k], end - f->marks[k].postings};
        }
        *ret_total += f->postings;
    }
    if (n)
        qsort(v, n, sizeof *v, compare_weights);
    *ret = v;
    return n;
}

size_t runs_cut(const Runs *r, size_t most, RunsPart *ret)
{
    AUTOFREE Weight *v = NULL;
    int64_t total, before = 0;
    size_t n = weigh(r, &v, &total), parts = 1;
    ret[0] = (RunsPart){NULL, NULL};
    for (size_t i = 0; i < n && parts < most; i++) {
        const RunMark *from = ret[parts - 1].from ? ret[parts - 1].from : v[0].mark;
        if (before >= total / (int64_t)most * (int64_t)parts && compare_marks(v[i].mark, from) > 0) {
            ret[parts - 1].to = v[i].mark;
            ret[parts++] = (RunsPart){v[i].mark, NULL};
        }
        before += v[i].postings;
    }
    return parts;
}
