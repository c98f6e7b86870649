/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/jobctl.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t stop_asked, sleep_asked;

static void on_signal(int sig)
{
    if (sig == SIGTSTP)
        sleep_asked = 1;
    else
        stop_asked = 1;
}

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTSTP);
}

void jobctl_start(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGTSTP};
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &sa, NULL);
}

void jobctl_block(void)
{
    sigset_t set;
    signal_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void jobctl_unblock(void)
{
    sigset_t set;
    signal_set(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

bool jobctl_stop_asked(void)
{
    return stop_asked;
}

bool jobctl_sleep_asked(void)
{
    return sleep_asked;
}

void jobctl_sleep(void)
{
    sleep_asked = 0;
    kill(getpid(), SIGSTOP);
}

bool jobctl_check(Err *err)
{
    if (sleep_asked && !stop_asked)
        jobctl_sleep();
    return stop_asked ? err_set(err, ERR_CANCELLED, 0, "asked to stop") : true;
}
