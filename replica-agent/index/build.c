/* SPDX-License-Identifier: Apache-2.0
 * BuildWorker threads take ranges until none is left. A worker that fails, or a signal to stop, ends the
 * others at their next row. Asked to sleep, workers gather between ranges, where no result is open, and the
 * last to come stops the process.
 */
#include "replica-agent/index/build.h"

#include <pthread.h>
#include <time.h>

#include "common/file/fs.h"
#include "common/wire/progress.h"
#include "common/wire/splitwork.h"
#include "replica-agent/index/indexfiles.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/index/layout.h"
#include "replica-agent/index/range_batches.h"
#include "replica-agent/index/source.h"
#include "replica-agent/index/tokenize.h"
#include "replica-agent/index/word_position.h"

enum {
    MAX_THREADS = 64,
    MIN_MEMORY = 1 << 20,
    OWN_MEMORY = 24 << 20 /* what the program takes without any batch: libraries, connections, dictionaries */
};
static const char STREAM[] = "ranges";

typedef struct Build {
    const BuildOptions *o;
    FieldSource source;
    SourceBounds bounds;
    char *runs_folder;

    pthread_mutex_t lock;
    pthread_cond_t moved;
    RangeBatches batches;
    int64_t *row_bounds; /* the last records of batches, but for the last one's; NULL: rows may cross them */
    SplitWork *split;    /* the list that batches are taken from; NULL: from `next` to `end` */
    size_t next, end;
    int64_t ranges_done, ranges; /* expected of this shard */
    int working, asleep;
    int64_t text_bytes;
    Runs runs;
    size_t spilled;
    _Atomic bool failed;
    Err err;
} Build;

typedef struct BuildWorker {
    Build *build;
    pthread_t thread;
    Db *db;
    Tokenizer *tokenizer;
    Terms *terms;
    int64_t text_bytes;
    WordPosition position;
} BuildWorker;

/* ---- shared state -------------------------------------------------------------------------------- */

static void fail(Build *b, const Err *err)
{
    pthread_mutex_lock(&b->lock);
    if (!b->failed) {
        b->failed = true;
        b->err = *err;
    }
    pthread_mutex_unlock(&b->lock);
}

static void wait_a_little(Build *b)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&b->moved, &b->lock, &until);
}

static void sleep_together(Build *b)
{
    b->asleep++;
    while (jobctl_sleep_asked() && !jobctl_stop_asked() && !b->failed) {
        if (b->asleep == b->working) {
            jobctl_sleep();
            pthread_cond_broadcast(&b->moved);
        } else {
            wait_a_little(b);
        }
    }
    b->asleep--;
}

/* A batch. *ret_wait: others are at work on what is left. */
static bool take_shared(Build *b, size_t *ret, bool *ret_some, bool *ret_wait, Err *err)
{
    AUTOJSON json_t *piece = NULL;
    if (!splitwork_take(b->split, &piece, err))
        return false;
    *ret_wait = json_bool(piece, "wait");
    *ret_some = !*ret_wait && !json_bool(piece, "end");
    *ret = (size_t)json_int(piece, "number");
    return *ret < b->batches.n ||
           err_set(err, ERR_PROTOCOL, 0, "the list gives out piece %zu of %zu", *ret, b->batches.n);
}

/* At a safe point. False: no work is wanted any more. */
static bool stand_by(Build *b, bool wait)
{
    pthread_mutex_lock(&b->lock);
    sleep_together(b);
    if (wait)
        wait_a_little(b);
    bool on = !b->failed && !jobctl_stop_asked();
    pthread_mutex_unlock(&b->lock);
    return on;
}

static bool take_own(Build *b, size_t *ret)
{
    pthread_mutex_lock(&b->lock);
    bool some = b->next < b->end;
    *ret = some ? b->next++ : 0;
    pthread_mutex_unlock(&b->lock);
    return some;
}

/* Who asks the list again says with it that what it has done counts: a server that has died meanwhile must be
 * found out before the others are told of the end. */
static bool is_alive(BuildWorker *w, Err *err)
{
    return db_ping(w->db, err) || err_prefix(err, "the server is lost while other replicas finish");
}

static bool take_batch(BuildWorker *w, size_t *ret, bool *ret_some, Err *err)
{
    Build *b = w->build;
    bool wait = false;
    do {
        *ret_some = false;
        if (!stand_by(b, wait))
            return true;
        if (wait && !is_alive(w, err))
            return false;
        if (!b->split)
            *ret_some = take_own(b, ret);
        else if (!take_shared(b, ret, ret_some, &wait, err))
            return false;
    } while (wait);
    return true;
}

static void range_done(Build *b, BuildWorker *w)
{
    pthread_mutex_lock(&b->lock);
    b->ranges_done++;
    b->text_bytes += w->text_bytes;
    w->text_bytes = 0;
    int64_t total = b->bounds.rows / b->o->shards;
    int64_t done = b->ranges ? total * b->ranges_done / b->ranges : 0;
    total = done > total ? done : total;
    progress_set(done / 2, total, "reading"); /* writing is the other half */
    pthread_mutex_unlock(&b->lock);
}

/* ---- a worker ------------------------------------------------------------------------------------ */

static void add_term(void *arg, const char *term, size_t n, uint32_t word)
{
    BuildWorker *w = arg;
    terms_add(w->terms, term, n, w->position.record, w->position.field, word_position_of(&w->position, word));
}

static bool spill(BuildWorker *w, Err *err)
{
    Build *b = w->build;
    if (terms_are_empty(w->terms))
        return true;
    pthread_mutex_lock(&b->lock);
    AUTOFREE char *path = xasprintf("%s/run-%06zu", b->runs_folder, b->spilled++);
    pthread_mutex_unlock(&b->lock);
    RunFile file;
    if (!run_write(path, w->terms, &file, err))
        return false;
    terms_clear(w->terms);
    pthread_mutex_lock(&b->lock);
    runs_add(&b->runs, file);
    pthread_mutex_unlock(&b->lock);
    return true;
}

static bool add_text(void *arg, int64_t record, unsigned field, const char *text, size_t n, Err *err)
{
    BuildWorker *w = arg;
    if (jobctl_stop_asked() || w->build->failed)
        return err_set(err, ERR_CANCELLED, 0, "asked to stop");
    w->text_bytes += (int64_t)n;
    word_position_begin(&w->position, record, field);
    word_position_end(&w->position, tokenizer_run(w->tokenizer, text, n, add_term, w));
    return !terms_are_full(w->terms) || spill(w, err);
}

static bool worker_open(BuildWorker *w, Err *err)
{
    const BuildOptions *o = w->build->o;
    const IndexDefinition *d = o->definition;
    int64_t own = o->memory_bytes / 2 < OWN_MEMORY ? o->memory_bytes / 2 : OWN_MEMORY;
    size_t memory = (size_t)((o->memory_bytes - own) / o->threads);
    w->terms = terms_new(definition_kind(d), memory > MIN_MEMORY ? memory : MIN_MEMORY);
    return tokenizer_new(d->language, d->min_length, &d->stop_words, &w->tokenizer, err) &&
           db_connect(&o->target, 0, &w->db, err);
}

/* Asked to stop, it ends without an error before a range; read_all tells. */
static bool read_batch(BuildWorker *w, size_t batch, Err *err)
{
    Build *b = w->build;
    size_t range = batch ? b->batches.ends[batch - 1] : 0;
    for (; range < b->batches.ends[batch]; range++) {
        if (!stand_by(b, false))
            return true;
        if (!source_read_range(w->db, &b->source, &b->bounds, range, add_text, w, err))
            return false;
        range_done(b, w);
    }
    return !b->split || splitwork_done(b->split, STREAM, (int64_t)batch, err);
}

static bool work(BuildWorker *w, Err *err)
{
    for (;;) {
        size_t batch;
        bool some;
        if (!take_batch(w, &batch, &some, err))
            return false;
        if (!some)
            return spill(w, err);
        if (!read_batch(w, batch, err))
            return false;
    }
}

static void *worker_main(void *arg)
{
    BuildWorker *w = arg;
    Err err;
    db_thread_begin();
    if (!worker_open(w, &err) || !work(w, &err))
        fail(w->build, &err);
    tokenizer_free(w->tokenizer);
    terms_free(w->terms);
    db_close(w->db);
    db_thread_end();
    pthread_mutex_lock(&w->build->lock);
    w->build->working--;
    pthread_cond_broadcast(&w->build->moved);
    pthread_mutex_unlock(&w->build->lock);
    return NULL;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static bool read_all(Build *b, Err *err)
{
    BuildWorker workers[MAX_THREADS] = {0};
    int threads = (int)(b->o->threads < MAX_THREADS ? b->o->threads : MAX_THREADS);
    b->working = threads;
    jobctl_block();
    int started = 0;
    for (; started < threads; started++) {
        workers[started].build = b;
        if (pthread_create(&workers[started].thread, NULL, worker_main, &workers[started])) {
            err_set(err, ERR_IO, 0, "cannot start a thread");
            fail(b, err);
            break;
        }
    }
    jobctl_unblock();
    pthread_mutex_lock(&b->lock);
    b->working -= threads - started;
    pthread_mutex_unlock(&b->lock);
    for (int i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    if (jobctl_stop_asked())
        return err_set(err, ERR_CANCELLED, 0, "asked to stop");
    if (b->failed)
        *err = b->err;
    return !b->failed;
}

static bool write_all(Build *b, BuildResult *ret, Err *err)
{
    const BuildOptions *o = b->o;
    IndexFilesPlan plan = {.definition = o->definition,
                           .folder = o->folder,
                           .scratch = b->runs_folder,
                           .codec = o->codec,
                           .rows_per_file = o->rows_per_file,
                           .threads = o->threads,
                           .memory_bytes = o->memory_bytes,
                           .records = b->bounds.rows / o->shards,
                           .row_bounds = b->row_bounds,
                           .n_row_bounds = b->row_bounds ? b->batches.n - 1 : 0};
    return indexfiles_write(&plan, &b->runs, &ret->files, &ret->sum, err);
}

static bool join_others(Build *b, Err *err)
{
    AUTOFREE char *fingerprint = definition_fingerprint(b->o->definition);
    json_t *identity = json_object(), *streams = json_array(), *stream = json_object();
    json_set_str(identity, "definition", fingerprint);
    json_set_str(identity, "tokenizer", tokenizer_version());
    json_set_int(identity, "records", b->bounds.rows);
    json_set_int(identity, "range", b->o->range_rows);
    json_set_str(stream, "name", STREAM);
    json_set_int(stream, "count", (int64_t)b->batches.n);
    json_array_append_new(streams, stream);
    return splitwork_join(b->split, identity, streams, err);
}

static void bound_rows(Build *b)
{
    b->row_bounds = xcalloc(b->batches.n, sizeof *b->row_bounds);
    for (size_t i = 0; i + 1 < b->batches.n; i++)
        b->row_bounds[i] = b->bounds.v[b->batches.ends[i] - 1];
}

static bool divide(Build *b, Err *err)
{
    const BuildOptions *o = b->o;
    int64_t ranges = (int64_t)b->bounds.n + 1;
    b->ranges = (ranges + o->shards - 1) / o->shards;
    b->split = splitwork_open();
    bool long_rows = b->split && definition_is_hitlist(o->definition);
    b->batches = long_rows ? range_batches_of((size_t)ranges, (size_t)(o->threads * o->shards))
                           : range_batches_single((size_t)ranges);
    b->next = (size_t)(ranges * o->shard / o->shards);
    b->end = (size_t)(ranges * (o->shard + 1) / o->shards);
    if (long_rows)
        bound_rows(b);
    return !b->split || join_others(b, err);
}

static bool prepare(Build *b, Err *err)
{
    const BuildOptions *o = b->o;
    Db *db = NULL;
    bool ok = fs_remove_tree(b->runs_folder, err) && fs_mkdirs(b->runs_folder, 0700, err) &&
              db_connect(&o->target, 0, &db, err) && source_open(db, o->definition, &b->source, err) &&
              source_bounds(db, &b->source, o->range_rows, &b->bounds, err);
    db_close(db);
    return ok && divide(b, err);
}

bool build_index(const BuildOptions *o, BuildResult *ret, Err *err)
{
    Build b = {.o = o, .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    b.runs_folder = xasprintf("%s/.runs", o->folder);
    BuildResult result = {0};
    bool ok = prepare(&b, err) && read_all(&b, err) && write_all(&b, &result, err);
    Err ignored;
    if (!fs_remove_tree(b.runs_folder, ok ? err : &ignored) && ok) {
        json_decref(result.files);
        ok = false;
    }
    if (ok) {
        result.records = b.bounds.rows;
        result.text_bytes = b.text_bytes;
        *ret = result;
    }
    splitwork_close(b.split);
    source_close(&b.source);
    source_bounds_done(&b.bounds);
    runs_done(&b.runs);
    range_batches_done(&b.batches);
    free(b.row_bounds);
    free(b.runs_folder);
    return ok;
}
