/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/indexfiles.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "common/file/resultname.h"
#include "common/wire/progress.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/index/layout.h"
#include "replica-agent/index/rows.h"

enum {
    PARTS_OF_A_THREAD = 4, /* so that threads end at about the same time */
    LEAST_PART = 500000,   /* postings: less is not worth files of its own */
    MOST_OPEN = 512,       /* files, of all threads */
    MOST_THREADS = 64,
    LOOK_EVERY = 4096 /* postings */
};

typedef struct Part {
    RunsPart terms;
    char *folder;
    json_t *files;
    RowSum sum;
} Part;

typedef struct IndexFiles {
    const IndexFilesPlan *p;
    const Runs *runs;
    PostingKind kind;
    size_t buffer;
    int64_t postings; /* of all runs */

    pthread_mutex_t lock;
    Part *parts;
    size_t n, next;
    int64_t written; /* postings */
    bool failed;
    Err err;
} IndexFiles;

/* ---- a part --------------------------------------------------------------------------------------- */

typedef struct PartWriter {
    IndexFiles *o;
    Entries *entries;
    int64_t count;
} PartWriter;

/* Whether others have failed is their error, told by fail(). */
static bool look(IndexFiles *o, int64_t more, Err *err)
{
    pthread_mutex_lock(&o->lock);
    o->written += more;
    bool ok = jobctl_check(err) && (!o->failed || err_set(err, ERR_CANCELLED, 0, "another part failed"));
    int64_t share =
        o->postings ? (int64_t)((double)o->p->records * (double)o->written / (double)o->postings) : 0;
    progress_set((o->p->records + share) / 2, o->p->records, "writing rows");
    pthread_mutex_unlock(&o->lock);
    return ok;
}

static bool put_posting(void *arg, const char *term, size_t n, const Posting *p, Err *err)
{
    PartWriter *w = arg;
    if (++w->count % LOOK_EVERY == 0 && !look(w->o, LOOK_EVERY, err))
        return false;
    return entries_put(w->entries, term, n, p, err);
}

static bool write_part(IndexFiles *o, Part *part, Err *err)
{
    const IndexDefinition *d = o->p->definition;
    if (!fs_mkdirs(part->folder, 0700, err))
        return false;
    RowsOut *rows = rows_new(part->folder, d->target, o->p->codec, o->p->rows_per_file);
    Layout *layout = layout_new(d, rows_put, rows);
    layout_bound(layout, o->p->row_bounds, o->p->n_row_bounds);
    PartWriter w = {.o = o, .entries = entries_new(o->kind, layout_put, layout)};
    bool ok = runs_merge(o->runs, o->kind, part->terms, o->buffer, put_posting, &w, err) &&
              entries_end(w.entries, err) && layout_end(layout, err) &&
              rows_finish(rows, &part->files, &part->sum, err) && look(o, w.count % LOOK_EVERY, err);
    entries_free(w.entries);
    layout_free(layout);
    rows_free(rows);
    return ok;
}

/* ---- threads -------------------------------------------------------------------------------------- */

static Part *next_part(IndexFiles *o)
{
    pthread_mutex_lock(&o->lock);
    Part *part = !o->failed && o->next < o->n ? &o->parts[o->next++] : NULL;
    pthread_mutex_unlock(&o->lock);
    return part;
}

static void fail(IndexFiles *o, const Err *err)
{
    pthread_mutex_lock(&o->lock);
    if (!o->failed)
        o->err = *err;
    o->failed = true;
    pthread_mutex_unlock(&o->lock);
}

static void *thread_main(void *arg)
{
    IndexFiles *o = arg;
    Err err;
    for (Part *part; (part = next_part(o));)
        if (!write_part(o, part, &err))
            fail(o, &err);
    return NULL;
}

/* This thread works too; one that cannot be started is done without. */
static bool write_parts(IndexFiles *o, size_t threads, Err *err)
{
    pthread_t others[MOST_THREADS];
    size_t started = 0;
    jobctl_block();
    while (started + 1 < threads && !pthread_create(&others[started], NULL, thread_main, o))
        started++;
    jobctl_unblock();
    thread_main(o);
    for (size_t i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    if (o->failed)
        *err = o->err;
    return !o->failed;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static size_t at_most(size_t value, size_t limit)
{
    return value < limit ? value : limit;
}

static void divide(IndexFiles *o, size_t most)
{
    AUTOFREE RunsPart *terms = xcalloc(most, sizeof *terms);
    o->n = runs_cut(o->runs, most, terms);
    o->parts = xcalloc(o->n, sizeof *o->parts);
    for (size_t i = 0; i < o->n; i++)
        o->parts[i] = (Part){.terms = terms[i], .folder = xasprintf("%s/part-%05zu", o->p->scratch, i)};
}

/* Into the result's folder, with names that count on from part to part. */
static bool take_in(const IndexFiles *o, const Part *part, json_t *files, Err *err)
{
    AUTOFREE char *stem = resultname_stem(o->p->definition->target);
    size_t i;
    json_t *file;
    json_array_foreach(part->files, i, file)
    {
        AUTOFREE char *name = rows_file_name(stem, json_array_size(files), o->p->codec);
        AUTOFREE char *from = xasprintf("%s/%s", part->folder, json_str(file, "name"));
        AUTOFREE char *to = xasprintf("%s/%s", o->p->folder, name);
        if (rename(from, to))
            return err_errno(err, errno, "rename %s to %s", from, to);
        json_set_str(file, "name", name);
        json_array_append(files, file);
    }
    return true;
}

static bool join(const IndexFiles *o, json_t **ret_files, RowSum *ret_sum, Err *err)
{
    json_t *files = json_array(), *file;
    RowSum sum = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < o->n; i++) {
        ok = take_in(o, &o->parts[i], files, err);
        rowsum_join(&sum, &o->parts[i].sum);
    }
    if (ok) {
        *ret_files = files;
        *ret_sum = sum;
        return true;
    }
    size_t i;
    json_array_foreach(files, i, file)
    {
        AUTOFREE char *path = xasprintf("%s/%s", o->p->folder, json_str(file, "name"));
        unlink(path);
    }
    json_decref(files);
    return false;
}

bool indexfiles_write(const IndexFilesPlan *p, Runs *runs, json_t **ret_files, RowSum *ret_sum, Err *err)
{
    IndexFiles o = {
        .p = p, .runs = runs, .kind = definition_kind(p->definition), .lock = PTHREAD_MUTEX_INITIALIZER};
    if (!runs_reduce(runs, o.kind, p->scratch, err))
        return false;
    for (size_t i = 0; i < runs->n; i++)
        o.postings += runs->v[i].postings;
    size_t open = runs->n ? runs->n : 1,
           threads = at_most(at_most((size_t)p->threads, MOST_THREADS), MOST_OPEN / open);
    divide(&o, at_most(threads * PARTS_OF_A_THREAD, 1 + (size_t)(o.postings / LEAST_PART)));
    threads = at_most(threads, o.n);
    o.buffer = at_most((size_t)p->memory_bytes / (threads * open), RUNFILE_MAX_BUFFER);
    o.buffer = o.buffer > RUNFILE_MIN_BUFFER ? o.buffer : RUNFILE_MIN_BUFFER;
    bool ok = write_parts(&o, threads, err) && join(&o, ret_files, ret_sum, err);
    if (ok) /* merging may have made fewer postings of them */
        progress_set(p->records, p->records, "writing rows");
    for (size_t i = 0; i < o.n; i++) {
        json_decref(o.parts[i].files);
        free(o.parts[i].folder);
    }
    free(o.parts);
    return ok;
}
