/* SPDX-License-Identifier: Apache-2.0
 * Live load for quickstart and the integration scenarios: short transactions on the catalogue, at a fixed
 * schedule. A transaction's latency counts from its scheduled start, so a stall of the server is seen by
 * every transaction that should have run meanwhile. Each is one line of the output file: scheduled start
 * (ms since 1970), latency (µs), kind, ok or error. SIGTERM ends it; the counts go to stdout as JSON.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/opts.h"
#include "common/db/db.h"
#include "common/file/fs.h"
#include "live_writers.h"

enum { STATEMENT_TIMEOUT_MS = 30000, FLUSH_EVERY_MS = 250, RETRIES = 20, DEADLOCK = 1213 };

typedef struct Options {
    char *socket, *database, *out;
    int64_t rate, threads, seconds;
} Options;

static const Opt options[] = {
    {"socket", 'S', OPT_STR, offsetof(Options, socket), "FILE", NULL, 0, 0, "The primary's unix socket.",
     NULL},
    {"database", 'D', OPT_STR, offsetof(Options, database), "NAME", "catalogue", 0, 0,
     "The database of catalogue.sql.", NULL},
    {"out", 'o', OPT_STR, offsetof(Options, out), "FILE", NULL, 0, 0, "Latencies are appended here.", NULL},
    {"rate", 'r', OPT_INT, offsetof(Options, rate), "N", "300", 1, 5000, "Transactions a second.", NULL},
    {"threads", 't', OPT_INT, offsetof(Options, threads), "N", "8", 1, 64, "Connections.", NULL},
    {"seconds", 's', OPT_INT, offsetof(Options, seconds), "N", "600", 1, 86400, "Ends by itself after this.",
     NULL},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0, NULL, NULL}};

typedef struct Load {
    DbTarget target;
    Options o;
    int fd;
    int64_t start_us;
    atomic_bool stop;
    pthread_mutex_t lock; /* over counts and last_error */
    Counts counts;
    char last_error[300];
} Load;

typedef struct Worker {
    Load *load;
    int number;
    pthread_t thread;
    Db *db;
    Work work;
    Str lines;
    int64_t flushed_ms;
} Worker;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sleep_until_us(int64_t us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
}

static void flush_lines(Worker *w)
{
    if (w->lines.len && write(w->load->fd, w->lines.p, w->lines.len) != (ssize_t)w->lines.len) {
        fprintf(stderr, "live_writers: cannot write %s\n", w->load->o.out);
        atomic_store(&w->load->stop, true);
    }
    str_clear(&w->lines);
    w->flushed_ms = clock_mono_ms();
}

/* ---- one transaction ------------------------------------------------------------------------------- */

static void tell_error(Load *load, const Err *err)
{
    pthread_mutex_lock(&load->lock);
    snprintf(load->last_error, sizeof load->last_error, "%.299s", err->text);
    pthread_mutex_unlock(&load->lock);
}

static bool connected(Worker *w, Err *err)
{
    return w->db || db_connect(&w->load->target, STATEMENT_TIMEOUT_MS, &w->db, err);
}

/* A transaction whose connection died may or may not be in: it counts as an error and is not repeated. */
static bool transact(Worker *w, TrxKind kind, Counts *counts, Err *err)
{
    for (int tries = 0; tries < RETRIES; tries++) {
        Counts done = *counts;
        if (!connected(w, err))
            return false;
        if (db_exec(w->db, err, "BEGIN", "") && trx_run(w->db, &w->work, kind, &done, err) &&
            db_exec(w->db, err, "COMMIT", "")) {
            *counts = done;
            return true;
        }
        if (err->kind != ERR_DB || err->code != DEADLOCK) {
            db_close(w->db); /* the server rolls back */
            w->db = NULL;
            return false;
        }
        counts->deadlocks++;
    }
    return false;
}

static void one(Worker *w, int64_t scheduled_us)
{
    Err err = {0};
    TrxKind kind = trx_pick(&w->work);
    Counts counts = {0};
    bool ok = transact(w, kind, &counts, &err);
    int64_t latency_us = now_us() - scheduled_us;
    if (!ok)
        tell_error(w->load, &err);
    pthread_mutex_lock(&w->load->lock);
    counts.transactions += ok;
    counts.errors += !ok;
    counts_add(&w->load->counts, &counts);
    pthread_mutex_unlock(&w->load->lock);
    str_addf(&w->lines, "%" PRId64 "\t%" PRId64 "\t%s\t%s\n", scheduled_us / 1000, latency_us, trx_name(kind),
             ok ? "ok" : "error");
    if (!ok)
        clock_sleep_ms(100); /* an unreachable server is not hammered; the schedule goes on */
}

/* ---- threads --------------------------------------------------------------------------------------- */

/* Thread k of n runs the starts k, k+n, k+2n … of one common schedule, each moved by up to one interval. */
static void *worker_main(void *arg)
{
    Worker *w = arg;
    Load *load = w->load;
    db_thread_begin();
    int64_t interval_us = 1000000 / load->o.rate, end_us = load->start_us + load->o.seconds * 1000000;
    for (int64_t i = w->number; !atomic_load(&load->stop); i += load->o.threads) {
        int64_t at = load->start_us + i * 1000000 / load->o.rate +
                     (int64_t)(work_random(&w->work) % (uint64_t)interval_us);
        if (at > end_us)
            break;
        sleep_until_us(at);
        if (!atomic_load(&load->stop))
            one(w, at);
        if (clock_mono_ms() - w->flushed_ms > FLUSH_EVERY_MS)
            flush_lines(w);
    }
    flush_lines(w);
    db_close(w->db);
    str_done(&w->lines);
    db_thread_end();
    return NULL;
}

/* Waits for a signal or the end of the time. */
static void wait_for_end(Load *load, const sigset_t *signals)
{
    int64_t end_ms = clock_mono_ms() + load->o.seconds * 1000;
    while (!atomic_load(&load->stop) && clock_mono_ms() < end_ms) {
        struct timespec t = {.tv_sec = 0, .tv_nsec = 200 * 1000000};
        if (sigtimedwait(signals, NULL, &t) > 0)
            atomic_store(&load->stop, true);
    }
}

static void print_counts(Load *load)
{
    const Counts *c = &load->counts;
    for (char *p = load->last_error; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
            *p = ' ';
    printf("{\"transactions\":%" PRId64 ",\"errors\":%" PRId64 ",\"deadlocks\":%" PRId64
           ",\"inserted\":%" PRId64 ",\"updated\":%" PRId64 ",\"deleted\":%" PRId64 ",\"queued\":%" PRId64
           ",\"taken\":%" PRId64 ",\"last_error\":\"%s\"}\n",
           c->transactions, c->errors, c->deadlocks, c->inserted, c->updated, c->deleted, c->queued, c->taken,
           load->last_error);
}

static bool run(Load *load, Err *err)
{
    Bounds bounds = {0};
    Db *db = NULL;
    if (!db_connect(&load->target, STATEMENT_TIMEOUT_MS, &db, err))
        return false;
    bool ok = bounds_read(db, &bounds, err);
    db_close(db);
    if (!ok)
        return false;
    load->fd = open(load->o.out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (load->fd < 0)
        return err_errno(err, errno, "open %s", load->o.out);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    load->start_us = now_us() + 100000;
    Worker *workers = xcalloc((size_t)load->o.threads, sizeof *workers);
    for (int i = 0; i < load->o.threads; i++) {
        workers[i] = (Worker){.load = load, .number = i};
        work_init(&workers[i].work, &bounds, (uint64_t)i + 1);
        pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]);
    }
    wait_for_end(load, &signals);
    for (int i = 0; i < load->o.threads; i++)
        pthread_join(workers[i].thread, NULL);
    free(workers);
    close(load->fd);
    print_counts(load);
    return true;
}

int main(int argc, char **argv)
{
    Load load = {.lock = PTHREAD_MUTEX_INITIALIZER};
    StrList words = STRLIST_INIT;
    OptSpecial special = OPT_RUN;
    Err err = {0};
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    db_library_begin();
    bool ok = opts_parse(options, argc, argv, false, &load.o, &words, NULL, &special, &err);
    if (ok && special != OPT_RUN) {
        AUTO(str_done) Str help = STR_INIT;
        opts_write_help(options, "live_writers --socket FILE --out FILE", "Live load on the catalogue.",
                        &help);
        fputs(str_z(&help), stdout);
        return 0;
    }
    if (ok && (words.n || !load.o.socket || !load.o.out))
        ok = err_set(&err, ERR_USAGE, 0, "--socket and --out are needed, and nothing else");
    if (ok) {
        load.target.socket = xstrdup(load.o.socket);
        load.target.database = xstrdup(load.o.database);
        ok = run(&load, &err);
    }
    if (!ok)
        fprintf(stderr, "live_writers: %s\n", err.text);
    db_target_done(&load.target);
    strlist_done(&words);
    opts_free(options, &load.o);
    return ok ? 0 : err_exit_status(&err);
}
