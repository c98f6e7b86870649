/* SPDX-License-Identifier: Apache-2.0
 * Jobs wait in `queued`, run, and stand in `finished` until the loop has called them back.
 * An eventfd wakes it.
 */
#include "work.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/base/str.h"
#include "db.h"

/* Not linked into programs without a database. */
#pragma weak db_thread_begin
#pragma weak db_thread_end

typedef struct Item {
    STAILQ_ENTRY(Item) next;
    WorkJob job;
} Item;
typedef STAILQ_HEAD(Items, Item) Items;

struct WorkPool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    Items queued, finished;
    int n_queued, max_queued;
    int n_patient; /* workers busy with what may wait */
    bool closing;
    char name[32];
    int fd;
    struct event *event;
    pthread_t *threads;
    int n_threads;
};

/* One that may not wait goes before those that may, and has a worker of its own. */
static Item *choose(WorkPool *p)
{
    Item *i, *patient = NULL;
    STAILQ_FOREACH(i, &p->queued, next)
    {
        if (!i->job.waits)
            return i;
        patient = patient ? patient : i;
    }
    return p->n_threads == 1 || p->n_patient < p->n_threads - 1 ? patient : NULL;
}

static Item *next_item(WorkPool *p)
{
    Item *i;
    pthread_mutex_lock(&p->lock);
    while (!(i = choose(p)) && !(p->closing && STAILQ_EMPTY(&p->queued)))
        pthread_cond_wait(&p->wake, &p->lock);
    if (i) {
        STAILQ_REMOVE(&p->queued, i, Item, next);
        p->n_queued--;
        p->n_patient += i->job.waits;
    }
    pthread_mutex_unlock(&p->lock);
    return i;
}

static void hand_back(WorkPool *p, Item *i)
{
    uint64_t one = 1;
    pthread_mutex_lock(&p->lock);
    p->n_patient -= i->job.waits;
    pthread_cond_broadcast(&p->wake);
    STAILQ_INSERT_TAIL(&p->finished, i, next);
    pthread_mutex_unlock(&p->lock);
    while (write(p->fd, &one, sizeof one) < 0)
        ;
}

static void *run_worker(void *arg)
{
    WorkPool *p = arg;
    if (db_thread_begin)
        db_thread_begin();
    for (Item *i; (i = next_item(p));) {
        i->job.work(i->job.arg);
        hand_back(p, i);
    }
    if (db_thread_end)
        db_thread_end();
    return NULL;
}

static void run_finished(WorkPool *p)
{
    Items all = STAILQ_HEAD_INITIALIZER(all);
    pthread_mutex_lock(&p->lock);
    STAILQ_CONCAT(&all, &p->finished);
    pthread_mutex_unlock(&p->lock);
    for (Item *i; (i = STAILQ_FIRST(&all));) {
        STAILQ_REMOVE_HEAD(&all, next);
        i->job.done(i->job.arg);
        free(i);
    }
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    uint64_t n;
    (void)what;
    if (read(fd, &n, sizeof n) > 0)
        run_finished(arg);
}

static void start_threads(WorkPool *p, int threads)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
    p->threads = xcalloc((size_t)threads, sizeof *p->threads);
    pthread_mutex_lock(&p->lock); /* the first ones look at n_threads already */
    for (; p->n_threads < threads; p->n_threads++) {
        pthread_t *t = &p->threads[p->n_threads];
        if (pthread_create(t, NULL, run_worker, p) != 0) {
            fputs("cannot start a thread\n", stderr);
            abort();
        }
        pthread_setname_np(*t, p->name);
    }
    pthread_mutex_unlock(&p->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

WorkPool *work_new(struct event_base *base, const char *name, int threads, int max_queued)
{
    WorkPool *p = NEW(WorkPool);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    STAILQ_INIT(&p->queued);
    STAILQ_INIT(&p->finished);
    p->max_queued = max_queued;
    snprintf(p->name, 16, "%s", name); /* the kernel's limit of a thread's name */
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->event = p->fd >= 0 ? event_new(base, p->fd, EV_READ | EV_PERSIST, on_wake, p) : NULL;
    if (!p->event || event_add(p->event, NULL) < 0) {
        fputs("cannot create an eventfd\n", stderr);
        abort();
    }
    start_threads(p, threads);
    return p;
}

bool work_submit(WorkPool *p, WorkJob job, Err *err)
{
    Item *i = NEW(Item);
    i->job = job;
    pthread_mutex_lock(&p->lock);
    int most = job.waits && p->max_queued > 1 ? p->max_queued / 2 : p->max_queued;
    bool room = p->n_queued < most && !p->closing;
    if (room) {
        STAILQ_INSERT_TAIL(&p->queued, i, next);
        p->n_queued++;
        pthread_cond_broadcast(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    if (room)
        return true;
    free(i);
    return err_set(err, ERR_CONFLICT, 0, "the pool \"%s\" is busy: %d jobs are waiting already", p->name,
                   most);
}

void work_free(WorkPool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    run_finished(p);
    event_free(p->event);
    close(p->fd);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p);
}
