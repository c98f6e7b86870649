/* SPDX-License-Identifier: Apache-2.0
 * A run file: per term its length + 1, its bytes, and its postings (field, record as the difference to the
 * one before, number) up to a zero in place of a field; a zero in place of a term ends the file. Numbers
 * are varints, so that a file cut off by a full disk is seen.
 */
#include "replica-agent/index/runs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/fs.h"
#include "replica-agent/index/tokenize.h"

enum { RUN_BUFFER = 256 * 1024 };

static const uint64_t sign_bit = 1ull << 63; /* makes records ordered as unsigned numbers */

/* ---- writing ------------------------------------------------------------------------------------- */

typedef struct RunWriter {
    FILE *f;
    char *path;
    uint64_t record;
    bool in_term;
} RunWriter;

static bool writer_open(RunWriter *w, const char *path, Err *err)
{
    memset(w, 0, sizeof *w);
    w->f = fopen(path, "wbe");
    if (!w->f)
        return err_errno(err, errno, "write %s", path);
    setvbuf(w->f, NULL, _IOFBF, RUN_BUFFER);
    w->path = xstrdup(path);
    return true;
}

static void put_number(FILE *f, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        putc_unlocked((int)(v & 127) | 128, f);
    putc_unlocked((int)v, f);
}

static void writer_term(RunWriter *w, const char *term, size_t n)
{
    if (w->in_term)
        put_number(w->f, 0);
    put_number(w->f, n + 1);
    fwrite_unlocked(term, 1, n, w->f);
    w->record = 0;
    w->in_term = true;
}

static void writer_posting(RunWriter *w, const Posting *p)
{
    uint64_t record = (uint64_t)p->record ^ sign_bit;
    put_number(w->f, p->field);
    put_number(w->f, record - w->record);
    put_number(w->f, p->number);
    w->record = record;
}

static bool writer_close(RunWriter *w, Err *err)
{
    if (w->in_term)
        put_number(w->f, 0);
    put_number(w->f, 0);
    bool failed = ferror(w->f) != 0;
    errno = failed && !errno ? EIO : errno;
    int errnum = errno;
    if (fclose(w->f) && !failed) {
        failed = true;
        errnum = errno;
    }
    if (failed)
        err_errno(err, errnum, "write %s", w->path);
    free(w->path);
    return !failed;
}

bool run_write(const char *path, Terms *t, Err *err)
{
    RunWriter w;
    if (!writer_open(&w, path, err))
        return false;
    terms_sort(t);
    for (size_t i = 0; i < terms_count(t); i++) {
        const char *term;
        const Posting *postings;
        size_t n, count;
        terms_at(t, i, &term, &n, &postings, &count);
        writer_term(&w, term, n);
        for (size_t k = 0; k < count; k++)
            writer_posting(&w, &postings[k]);
        if (ferror(w.f))
            break;
    }
    return writer_close(&w, err);
}

/* ---- reading ------------------------------------------------------------------------------------- */

typedef struct RunReader {
    FILE *f;
    const char *path;
    char term[TERM_MAX_BYTES];
    size_t n;
    Posting posting;
    uint64_t record;
    bool has_posting; /* `posting` is the next one of `term` */
    bool ended;
} RunReader;

static bool get_number(RunReader *r, uint64_t *ret, Err *err)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        int c = getc_unlocked(r->f);
        if (c == EOF)
            break;
        v |= (uint64_t)(c & 127) << shift;
        if (!(c & 128)) {
            *ret = v;
            return true;
        }
    }
    if (ferror(r->f))
        return err_errno(err, errno, "read %s", r->path);
    return err_set(err, ERR_CORRUPT, 0, "%s: the sorted run is damaged", r->path);
}

static bool reader_posting(RunReader *r, Err *err)
{
    uint64_t field, delta, number;
    if (!get_number(r, &field, err))
        return false;
    r->has_posting = field != 0;
    if (!field)
        return true;
    if (!get_number(r, &delta, err) || !get_number(r, &number, err))
        return false;
    r->record += delta;
    r->posting.record = (int64_t)(r->record ^ sign_bit);
    r->posting.field = field & 255;
    r->posting.number = number & POSTING_MAX_NUMBER;
    return true;
}

static bool reader_term(RunReader *r, Err *err)
{
    uint64_t n;
    if (!get_number(r, &n, err))
        return false;
    r->ended = n == 0;
    if (r->ended)
        return true;
    r->n = (size_t)n - 1;
    r->record = 0;
    if (r->n > sizeof r->term || fread_unlocked(r->term, 1, r->n, r->f) != r->n)
        return err_set(err, ERR_CORRUPT, 0, "%s: the sorted run is damaged", r->path);
    return reader_posting(r, err);
}

static bool reader_open(RunReader *r, const char *path, Err *err)
{
    r->path = path;
    r->f = fopen(path, "rbe");
    if (!r->f)
        return err_errno(err, errno, "read %s", path);
    setvbuf(r->f, NULL, _IOFBF, RUN_BUFFER);
    return reader_term(r, err);
}

/* ---- merging ------------------------------------------------------------------------------------- */

/* The readers that stand at the least term. */
static size_t choose_term(RunReader *readers, size_t n, RunReader **chosen)
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
    return count;
}

static bool is_before(const Posting *a, const Posting *b)
{
    if (a->record != b->record)
        return a->record < b->record;
    return a->field != b->field ? a->field < b->field : a->number < b->number;
}

static RunReader *least_posting(RunReader **chosen, size_t n)
{
    RunReader *least = NULL;
    for (size_t i = 0; i < n; i++)
        if (chosen[i]->has_posting && (!least || is_before(&chosen[i]->posting, &least->posting)))
            least = chosen[i];
    return least;
}

/* What becomes of the merged postings. */
typedef struct Merge {
    PostingKind kind;
    RunSink sink;
    void *arg;
} Merge;

static bool merge_term(RunReader **chosen, size_t n, const Merge *m, Err *err)
{
    RunReader *r = least_posting(chosen, n);
    Posting sum = r->posting;
    if (!reader_posting(r, err))
        return false;
    while ((r = least_posting(chosen, n))) {
        if (m->kind == POSTING_COUNTS && r->posting.record == sum.record && r->posting.field == sum.field) {
            sum.number = posting_add_numbers(sum.number, r->posting.number) & POSTING_MAX_NUMBER;
        } else {
            if (!m->sink(m->arg, chosen[0]->term, chosen[0]->n, &sum, err))
                return false;
            sum = r->posting;
        }
        if (!reader_posting(r, err))
            return false;
    }
    return m->sink(m->arg, chosen[0]->term, chosen[0]->n, &sum, err);
}

static bool merge_readers(RunReader *readers, size_t n, const Merge *m, Err *err)
{
    RunReader *chosen[RUNS_MAX_OPEN];
    for (size_t count; (count = choose_term(readers, n, chosen));) {
        if (!merge_term(chosen, count, m, err))
            return false;
        for (size_t i = 0; i < count; i++)
            if (!reader_term(chosen[i], err))
                return false;
    }
    return true;
}

static bool merge_some(char *const *paths, size_t n, const Merge *m, Err *err)
{
    RunReader *readers = xcalloc(n, sizeof *readers);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = reader_open(&readers[i], paths[i], err);
    ok = ok && merge_readers(readers, n, m, err);
    for (size_t i = 0; i < n; i++)
        if (readers[i].f)
            fclose(readers[i].f);
    free(readers);
    for (size_t i = 0; ok && i < n; i++)
        ok = fs_remove(paths[i], err);
    return ok;
}

typedef struct Spill {
    RunWriter w;
    char term[TERM_MAX_BYTES];
    size_t n;
} Spill;

static bool spill_posting(void *arg, const char *term, size_t n, const Posting *p, Err *err)
{
    Spill *s = arg;
    if (!s->w.in_term || s->n != n || memcmp(s->term, term, n)) {
        writer_term(&s->w, term, n);
        memcpy(s->term, term, n);
        s->n = n;
    }
    writer_posting(&s->w, p);
    return ferror(s->w.f) ? err_errno(err, errno, "write %s", s->w.path) : true;
}

static bool merge_into_run(PostingKind kind, const char *path, char *const *paths, size_t n, Err *err)
{
    Spill s = {.n = 0};
    Merge m = {kind, spill_posting, &s};
    if (!writer_open(&s.w, path, err))
        return false;
    Err closing;
    bool ok = merge_some(paths, n, &m, err);
    return writer_close(&s.w, ok ? err : &closing) && ok;
}

bool runs_merge(PostingKind kind, const char *folder, StrList *paths, RunSink sink, void *arg, Err *err)
{
    Merge m = {kind, sink, arg};
    size_t done = 0;
    for (int level = 0; paths->n - done > RUNS_MAX_OPEN; level++) {
        AUTOFREE char *path = xasprintf("%s/merged-%05d", folder, level);
        if (!merge_into_run(kind, path, paths->v + done, RUNS_MAX_OPEN, err))
            return false;
        done += RUNS_MAX_OPEN;
        strlist_add(paths, path);
    }
    return merge_some(paths->v + done, paths->n - done, &m, err);
}
