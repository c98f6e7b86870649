/* SPDX-License-Identifier: Apache-2.0 */
#include "disk_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/core/disk_fault.h"

enum { AGAIN_LEAST_MS = 1000, AGAIN_MOST_MS = 60000, LINES_BYTES = 256 };

/* ---- a process that looks -------------------------------------------------------------------------------
 */

static bool spawn(DiskLook *l, int in, int out, Err *err)
{
    char *argv[] = {(char *)"siding-agent", (char *)"disk-look", l->folder, NULL};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    pid_t pid = 0;
    int rc = posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    l->pid = rc == 0 ? pid : 0;
    return rc == 0 || err_errno(err, rc, "start a look at the disk of %s", l->folder);
}

static bool begin(DiskLook *l, int64_t now, Err *err)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0)
        return err_errno(err, errno, "open a pipe");
    if (pipe2(out, O_CLOEXEC) < 0) {
        err_errno(err, errno, "open a pipe");
        close(in[0]);
        close(in[1]);
        return false;
    }
    bool ok = spawn(l, in[0], out[1], err);
    close(in[0]);
    close(out[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    l->in = in[1];
    l->out = out[0];
    l->round_ms = now;
    l->error = 0;
    return ok;
}

/* It ends by itself, as soon as its disk lets it. */
static void leave(DiskLook *l)
{
    if (l->in >= 0)
        close(l->in);
    if (l->out >= 0)
        close(l->out);
    l->in = l->out = -1;
    l->fault = DISK_NONE;
}

/* The last whole line counts; more than one has come where this process stood still. */
static void read_rounds(DiskLook *l, int64_t now)
{
    char lines[LINES_BYTES + 1];
    ssize_t n;
    while ((n = read(l->out, lines, LINES_BYTES)) > 0) {
        lines[n] = 0;
        char *end = strrchr(lines, '\n');
        if (!end)
            continue;
        *end = 0;
        const char *before = strrchr(lines, '\n');
        int error = atoi(before ? before + 1 : lines);
        if (error != l->error && disk_fault(error, 0) == DISK_NONE)
            log_warn("whether the disk of %s takes writes is not known: %s", l->folder, strerror(error));
        l->error = error;
        l->round_ms = now;
        retry_reset(&l->retry);
    }
    if (n == 0)
        leave(l);
}

static void reap(DiskLook *l)
{
    if (!l->pid || waitpid(l->pid, NULL, WNOHANG) != l->pid)
        return;
    l->pid = 0;
    leave(l);
}

static void look(DiskLook *l, int64_t now)
{
    Err err;
    reap(l);
    if (l->pid || !l->folder || !retry_is_due(&l->retry, now))
        return;
    retry_later(&l->retry, now, AGAIN_LEAST_MS, AGAIN_MOST_MS);
    if (begin(l, now, &err))
        return;
    log_warn("%s", err.text);
    leave(l);
}

/* ---- which folders --------------------------------------------------------------------------------------
 */

static void want(DiskLook *l, const char *folder)
{
    if (str_eq(l->folder, folder))
        return;
    leave(l);
    retry_reset(&l->retry);
    str_set(&l->folder, folder);
}

/* As people write it: servers say "/var/lib/mysql/". NULL: not known. */
static char *without_slash(const char *folder)
{
    size_t n = folder ? strlen(folder) : 0;
    while (n > 1 && folder[n - 1] == '/')
        n--;
    return n ? xstrndup(folder, n) : NULL;
}

static bool is_apart(const char *folder, const char *from)
{
    struct stat a, b;
    return stat(folder, &a) == 0 && stat(from, &b) == 0 && a.st_dev != b.st_dev;
}

/* Known from the first look at replication on, and kept while the server is down. A disk that hangs is not
 * asked again where it is. */
static void want_all(Agent *a)
{
    const VaultPlace *p = &a->vault.place;
    DiskWatch *w = &a->disks;
    AUTOFREE char *data = without_slash(p->data_folder);
    if (str_eq(data, w->looks[0].folder) && str_eq(p->binlog_index, w->binlog_index))
        return;
    str_set(&w->binlog_index, p->binlog_index);
    AUTOFREE char *log = data && p->binlog_index && *p->binlog_index ? fs_dirname(p->binlog_index) : NULL;
    want(&w->looks[0], data);
    want(&w->looks[1], log && is_apart(log, data) ? log : NULL);
}

/* ---- what they say ----------------------------------------------------------------------------------------
 */

/* A write that does not come back has hung since the last that did. */
static void judge(Agent *a, int64_t now)
{
    DiskWatch *w = &a->disks;
    DiskFault before = w->fault;
    int64_t since_ms = now;
    w->fault = DISK_NONE;
    w->folder = NULL;
    for (size_t i = 0; i < DISK_LOOKS; i++) {
        DiskLook *l = &w->looks[i];
        if (l->out >= 0)
            l->fault = disk_fault(l->error, now - l->round_ms);
        if (l->fault <= w->fault)
            continue;
        w->fault = l->fault;
        w->folder = l->fault > DISK_WELL ? l->folder : NULL;
        since_ms = l->fault == DISK_STALLED ? l->round_ms : now;
    }
    if (w->fault == before)
        return;
    w->since_ms = since_ms;
    if (w->folder)
        log_warn("the disk of %s is %s", w->folder, wire_enum_name(&disk_fault_names, (int)w->fault));
    agent_changed(a);
}

void disk_watch_open(Agent *a)
{
    for (size_t i = 0; i < DISK_LOOKS; i++)
        a->disks.looks[i].in = a->disks.looks[i].out = -1;
}

void disk_watch_tick(Agent *a)
{
    int64_t now = clock_mono_ms();
    want_all(a);
    for (size_t i = 0; i < DISK_LOOKS; i++) {
        look(&a->disks.looks[i], now);
        if (a->disks.looks[i].out >= 0)
            read_rounds(&a->disks.looks[i], now);
    }
    judge(a, now);
}

void disk_watch_close(Agent *a)
{
    for (size_t i = 0; i < DISK_LOOKS; i++) {
        leave(&a->disks.looks[i]);
        free(a->disks.looks[i].folder);
    }
    free(a->disks.binlog_index);
}
