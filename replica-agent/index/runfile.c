/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/runfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const uint64_t sign_bit = 1ull << 63; /* makes records ordered as unsigned numbers */

enum { LONGEST_NUMBER = 10, FIRST_STEP = 64 * 1024 };

void runfile_done(RunFile *f)
{
    for (size_t i = 0; i < f->n_marks; i++)
        free(f->marks[i].term);
    free(f->marks);
    free(f->path);
    *f = (RunFile){0};
}

/* ---- writing ------------------------------------------------------------------------------------- */

struct RunWriter {
    RunFile file;
    int fd;
    size_t used;
    int64_t written; /* of earlier buffers */
    int64_t step;    /* bytes from one mark to the next, at least */
    uint64_t record;
    bool in_term;
    unsigned char buffer[RUNFILE_MAX_BUFFER];
};

bool runwriter_open(const char *path, RunWriter **ret, Err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "write %s", path);
    RunWriter *w = NEW(RunWriter);
    w->fd = fd;
    w->step = FIRST_STEP;
    w->file.path = xstrdup(path);
    *ret = w;
    return true;
}

static bool flush(RunWriter *w, Err *err)
{
    for (size_t done = 0; done < w->used;) {
        ssize_t n = write(w->fd, w->buffer + done, w->used - done);
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "write %s", w->file.path);
        done += n > 0 ? (size_t)n : 0;
    }
    w->written += (int64_t)w->used;
    w->used = 0;
    return true;
}

static bool make_room(RunWriter *w, size_t n, Err *err)
{
    return w->used + n <= sizeof w->buffer || flush(w, err);
}

static void put_number(RunWriter *w, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        w->buffer[w->used++] = (unsigned char)((v & 127) | 128);
    w->buffer[w->used++] = (unsigned char)v;
}

/* Every other one goes when there are too many. */
static void thin_marks(RunWriter *w)
{
    RunFile *f = &w->file;
    size_t kept = 0;
    for (size_t i = 0; i < f->n_marks; i++)
        if (i % 2 == 0)
            f->marks[kept++] = f->marks[i];
        else
            free(f->marks[i].term);
    f->n_marks = kept;
    w->step *= 2;
}

static void mark(RunWriter *w, const char *term, size_t n)
{
    RunFile *f = &w->file;
    int64_t offset = w->written + (int64_t)w->used;
    if (f->n_marks && offset < f->marks[f->n_marks - 1].offset + w->step)
        return;
    if (f->n_marks == RUNFILE_MAX_MARKS)
        thin_marks(w);
    f->marks = xrealloc(f->marks, (f->n_marks + 1) * sizeof *f->marks);
    f->marks[f->n_marks++] = (RunMark){xstrndup(term, n), n, offset, f->postings};
}

bool runwriter_term(RunWriter *w, const char *term, size_t n, Err *err)
{
    if (!make_room(w, LONGEST_NUMBER + 1 + n, err))
        return false;
    if (w->in_term)
        put_number(w, 0);
    mark(w, term, n);
    put_number(w, n + 1);
    memcpy(w->buffer + w->used, term, n);
    w->used += n;
    w->record = 0;
    w->in_term = true;
    return true;
}

bool runwriter_posting(RunWriter *w, const Posting *p, Err *err)
{
    uint64_t record = (uint64_t)p->record ^ sign_bit;
    if (!make_room(w, 3 * LONGEST_NUMBER, err))
        return false;
    put_number(w, p->field);
    put_number(w, record - w->record);
    put_number(w, p->number);
    w->record = record;
    w->file.postings++;
    return true;
}

void runwriter_abandon(RunWriter *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    runfile_done(&w->file);
    free(w);
}

bool runwriter_close(RunWriter *w, RunFile *ret, Err *err)
{
    bool ok = make_room(w, 2, err);
    if (ok && w->in_term)
        put_number(w, 0);
    if (ok)
        put_number(w, 0);
    ok = ok && flush(w, err);
    if (close(w->fd) && ok)
        ok = err_errno(err, errno, "write %s", w->file.path);
    w->fd = -1;
    if (ok) {
        *ret = w->file;
        w->file = (RunFile){0};
    }
    runwriter_abandon(w);
    return ok;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static bool damaged(const RunReader *r, Err *err)
{
    return err_set(err, ERR_CORRUPT, 0, "%s: the sorted run is damaged", r->path);
}

/* At least so many bytes, unless the file ends. */
static bool fill(RunReader *r, size_t want, Err *err)
{
    memmove(r->buffer, r->buffer + r->at, r->end - r->at);
    r->end -= r->at;
    r->at = 0;
    while (r->end < want) {
        ssize_t n = read(r->fd, r->buffer + r->end, r->size - r->end);
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "read %s", r->path);
        if (n == 0)
            break;
        r->end += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool get_any_number(RunReader *r, uint64_t *ret, Err *err)
{
    uint64_t v = 0;
    if (r->end - r->at < LONGEST_NUMBER && !fill(r, LONGEST_NUMBER, err))
        return false;
    for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        unsigned char c = r->buffer[r->at++];
        v |= (uint64_t)(c & 127) << shift;
        if (!(c & 128)) {
            *ret = v;
            return true;
        }
    }
    return damaged(r, err);
}

/* Most are of one byte. */
static inline bool get_number(RunReader *r, uint64_t *ret, Err *err)
{
    if (r->at == r->end || r->buffer[r->at] >= 128)
        return get_any_number(r, ret, err);
    *ret = r->buffer[r->at++];
    return true;
}

bool runreader_posting(RunReader *r, Err *err)
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
    r->posting = (Posting){.record = (int64_t)(r->record ^ sign_bit),
                           .field = field & 255,
                           .number = number & POSTING_MAX_NUMBER};
    return true;
}

bool runreader_term(RunReader *r, Err *err)
{
    uint64_t n;
    if (!get_number(r, &n, err))
        return false;
    r->ended = n == 0;
    if (r->ended)
        return true;
    if (n - 1 > sizeof r->term)
        return damaged(r, err);
    r->n = (size_t)n - 1;
    if (r->end - r->at < r->n && !fill(r, r->n, err))
        return false;
    if (r->end - r->at < r->n)
        return damaged(r, err);
    memcpy(r->term, r->buffer + r->at, r->n);
    r->at += r->n;
    r->record = 0;
    return runreader_posting(r, err);
}

static int64_t offset_of(const RunFile *f, const char *from, size_t n)
{
    int64_t offset = 0;
    for (size_t i = 0; from && i < f->n_marks; i++)
        if (term_compare(f->marks[i].term, f->marks[i].n, from, n) <= 0)
            offset = f->marks[i].offset;
    return offset;
}

bool runreader_open(RunReader *r, const RunFile *f, const char *from, size_t n, size_t buffer, Err *err)
{
    *r = (RunReader){.path = f->path, .size = buffer};
    r->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0)
        return err_errno(err, errno, "read %s", f->path);
    r->buffer = xcalloc(1, buffer);
    if (lseek(r->fd, offset_of(f, from, n), SEEK_SET) < 0)
        return err_errno(err, errno, "read %s", f->path);
    if (!runreader_term(r, err))
        return false;
    while (from && !r->ended && term_compare(r->term, r->n, from, n) < 0) {
        while (r->has_posting)
            if (!runreader_posting(r, err))
                return false;
        if (!runreader_term(r, err))
            return false;
    }
    return true;
}

void runreader_close(RunReader *r)
{
    if (r->buffer && r->fd >= 0)
        close(r->fd);
    free(r->buffer);
    r->buffer = NULL;
}
