/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { PARK_CHECK_MS = 100 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int workers, parked;
    atomic_bool stop, sleep;
    int signals, ended;
} state = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .signals = -1, .ended = -1};

bool control_begin(Err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTSTP);
    sigaddset(&set, SIGCONT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error like a full disk */
    state.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    state.ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return state.signals >= 0 && state.ended >= 0 ? true : err_errno(err, errno, "watch signals");
}

bool control_stopping(void)
{
    return atomic_load(&state.stop);
}

static bool go_on(Err *err)
{
    return control_stopping() ? err_set(err, ERR_CANCELLED, 0, "stopped by a signal") : true;
}

bool control_point(Err *err)
{
    if (!atomic_load(&state.sleep))
        return go_on(err);
    pthread_mutex_lock(&state.lock);
    state.parked++;
    pthread_cond_broadcast(&state.changed);
    while (atomic_load(&state.sleep) && !control_stopping())
        pthread_cond_wait(&state.changed, &state.lock);
    state.parked--;
    pthread_mutex_unlock(&state.lock);
    return go_on(err);
}

void control_worker_begin(void)
{
    pthread_mutex_lock(&state.lock);
    state.workers++;
    pthread_mutex_unlock(&state.lock);
}

void control_worker_end(void)
{
    pthread_mutex_lock(&state.lock);
    state.workers--;
    pthread_cond_broadcast(&state.changed);
    pthread_mutex_unlock(&state.lock);
    if (write(state.ended, &(uint64_t){1}, sizeof(uint64_t)) < 0)
        return; /* the counter is full: it is readable anyway */
}

int control_workers(void)
{
    pthread_mutex_lock(&state.lock);
    int n = state.workers;
    pthread_mutex_unlock(&state.lock);
    return n;
}

static void set_sleep(bool on)
{
    pthread_mutex_lock(&state.lock);
    atomic_store(&state.sleep, on);
    pthread_cond_broadcast(&state.changed);
    pthread_mutex_unlock(&state.lock);
}

static void take_signals(void)
{
    struct signalfd_siginfo s;
    while (read(state.signals, &s, sizeof s) == sizeof s) {
        if (s.ssi_signo == SIGTSTP)
            set_sleep(true);
        else if (s.ssi_signo == SIGCONT)
            set_sleep(false);
        else
            atomic_store(&state.stop, true);
    }
    if (control_stopping())
        set_sleep(false);
}

/* All workers at a safe point, or nothing to wait for any more. */
static void wait_parked(void)
{
    for (;;) {
        take_signals();
        pthread_mutex_lock(&state.lock);
        bool wait = atomic_load(&state.sleep) && state.parked < state.workers;
        if (wait) {
            struct timespec until;
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_nsec += PARK_CHECK_MS * 1000000L;
            until.tv_sec += until.tv_nsec / 1000000000L;
            until.tv_nsec %= 1000000000L;
            pthread_cond_timedwait(&state.changed, &state.lock, &until);
        }
        pthread_mutex_unlock(&state.lock);
        if (!wait)
            return;
    }
}

void control_wait(int64_t timeout_ms)
{
    struct pollfd p[] = {{.fd = state.signals, .events = POLLIN}, {.fd = state.ended, .events = POLLIN}};
    if (poll(p, 2, (int)timeout_ms) > 0 && (p[1].revents & POLLIN)) {
        uint64_t count;
        if (read(state.ended, &count, sizeof count) < 0)
            return;
    }
    take_signals();
    if (!atomic_load(&state.sleep))
        return;
    wait_parked();
    if (atomic_load(&state.sleep))
        raise(SIGSTOP);
    set_sleep(false);
}
