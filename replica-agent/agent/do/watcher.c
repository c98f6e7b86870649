/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "own_program.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/helper/lease_watch.h"

enum { LOOK_MS = 5000, BEGIN_MS = 2000 };

static bool spawn(Agent *a, pid_t *ret, Err *err)
{
    AUTOFREE char *log = store_path(a, "watcher.log");
    AUTOFREE char *config = xasprintf("--config=%s", a->config_path);
    char *argv[] = {(char *)"siding-agent", (char *)"watch", config, NULL};
    sigset_t none;
    sigemptyset(&none);
    return own_program_start("/proc/self/exe", argv, log, O_TRUNC, &none, "the watcher of the pause", ret,
                             err);
}

static void reap(Agent *a)
{
    if (a->watcher.pid && waitpid(a->watcher.pid, NULL, WNOHANG) == a->watcher.pid)
        a->watcher.pid = 0;
}

void watcher_begin(Agent *a)
{
    Err err;
    pid_t pid = 0;
    int64_t now = clock_mono_ms();
    if (a->release.wanted || now < a->watcher.next_ms)
        return;
    reap(a);
    a->watcher.next_ms = now + LOOK_MS;
    if (lease_watch_lives(a->conf.state_dir))
        return;
    a->watcher.next_ms = now + BEGIN_MS;
    if (spawn(a, &pid, &err))
        a->watcher.pid = pid;
    else
        log_warn("%s: nothing ends the pause if this agent dies and is not started again", err.text);
}

void watcher_tick(Agent *a)
{
    if (a->s.durable.pause != PAUSE_NONE)
        watcher_begin(a);
    else
        reap(a);
}
