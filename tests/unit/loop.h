/* SPDX-License-Identifier: Apache-2.0
 * One loop in the test's thread, and blocking clients in a thread beside it. cmocka's asserts belong to the
 * test's thread: a client records, the test judges.
 */
#pragma once

#include <event2/event.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "test.h"

enum { TEST_DEADLINE_S = 10 };

typedef struct Aside {
    void (*f)(void *arg);
    void *arg;
    int pipe[2];
} Aside;

static void *aside_run(void *arg)
{
    Aside *a = arg;
    a->f(a->arg);
    close(a->pipe[1]);
    return NULL;
}

static void aside_ended(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    *(short *)arg = what;
}

/* Runs f in a thread and the loop meanwhile. */
static inline void with_loop(struct event_base *base, void (*f)(void *arg), void *arg)
{
    Aside a = {f, arg, {-1, -1}};
    pthread_t t;
    short ended = 0;
    struct timeval deadline = {TEST_DEADLINE_S, 0};
    assert_int_equal(pipe(a.pipe), 0);
    assert_int_equal(pthread_create(&t, NULL, aside_run, &a), 0);
    assert_int_equal(event_base_once(base, a.pipe[0], EV_READ, aside_ended, &ended, &deadline), 0);
    while (!ended)
        event_base_loop(base, EVLOOP_ONCE);
    if (ended != EV_READ) {
        fputs("a client did not end in time\n", stderr);
        abort(); /* it still uses the test's variables */
    }
    pthread_join(t, NULL);
    close(a.pipe[0]);
}

/* Runs the loop until *flag or the deadline. */
static inline void loop_until(struct event_base *base, const bool *flag)
{
    struct timeval step = {0, 20000};
    for (int i = 0; i < TEST_DEADLINE_S * 50 && !*flag; i++) {
        event_base_loopexit(base, &step);
        event_base_loop(base, EVLOOP_ONCE);
    }
    assert_true(*flag);
}
