/* SPDX-License-Identifier: Apache-2.0
 * The session is killed while its leader is still a zombie: until that is waited for, its number belongs to
 * nobody else.
 */
#include "subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "proc.h"

enum { PROGRESS_FD = 3, LOOK_MS = 100, KILL_TRIES = 100, KILL_WAIT_MS = 10 };

extern char **environ;

/* What it writes, as it comes. */
typedef struct Output {
    int fd, log; /* our end of the pipe; the file; -1: none */
    size_t logged, n_tail;
    char tail[SUBPROCESS_WORDS];
} Output;

/* ---- starting it ------------------------------------------------------------------------------------ */

static void set_files(const Subprocess *p, int out, posix_spawn_file_actions_t *files)
{
    posix_spawn_file_actions_init(files);
    if (p->kept && p->in)
        posix_spawn_file_actions_adddup2(files, p->in, 0);
    if (p->kept && p->out)
        posix_spawn_file_actions_adddup2(files, p->out, 1);
    if (!p->kept) {
        posix_spawn_file_actions_addopen(files, 0, p->input ? p->input : "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(files, out, 1);
        posix_spawn_file_actions_adddup2(files, out, 2);
    }
    if (p->progress)
        posix_spawn_file_actions_adddup2(files, PROGRESS_FD, PROGRESS_FD); /* it stays open there */
    posix_spawn_file_actions_addclosefrom_np(files, p->progress ? PROGRESS_FD + 1 : PROGRESS_FD);
}

static void set_attributes(const Subprocess *p, posix_spawnattr_t *attr)
{
    sigset_t none, defaults;
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_init(attr);
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &defaults);
    posix_spawnattr_setflags(
        attr, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (p->kept ? 0 : POSIX_SPAWN_SETSID)));
}

static bool start(const Subprocess *p, int out, pid_t *ret, Err *err)
{
    size_t n = p->args ? p->args->n : 0;
    AUTOFREE char **argv = xcalloc(n + 2, sizeof *argv);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    argv[0] = (char *)p->program;
    for (size_t i = 0; i < n; i++)
        argv[i + 1] = p->args->v[i];
    set_files(p, out, &files);
    set_attributes(p, &attr);
    int rc = posix_spawn(ret, p->program, &files, &attr, argv, p->env ? (char *const *)p->env : environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return rc == 0 || err_errno(err, rc, "start %s", p->program);
}

/* ---- its output ------------------------------------------------------------------------------------- */

static bool open_output(const Subprocess *p, Output *o, int *ret_out, Err *err)
{
    int ends[2];
    if (p->log)
        o->log = open(p->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (p->log && o->log < 0)
        return err_errno(err, errno, "write %s", p->log);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "open a pipe");
    o->fd = ends[0];
    *ret_out = ends[1];
    fcntl(o->fd, F_SETFL, O_NONBLOCK);
    return true;
}

static void write_log(Output *o, const char *p, size_t n)
{
    static const char rest[] = "\n(what follows is left out)\n";
    size_t room = SUBPROCESS_LOG_MAX - o->logged, some = n < room ? n : room;
    if (o->log < 0 || !room)
        return;
    /* A log that cannot be written, as on a full disk, is no reason to stop the program. */
    if (write(o->log, p, some) < 0 || (some == room && write(o->log, rest, sizeof rest - 1) < 0))
        some = room;
    o->logged += some;
}

static void keep_tail(Output *o, const char *p, size_t n)
{
    size_t cap = sizeof o->tail, some = n < cap ? n : cap, old = o->n_tail;
    if (old + some > cap) {
        memmove(o->tail, o->tail + (old + some - cap), cap - some);
        old = cap - some;
    }
    memcpy(o->tail + old, p + (n - some), some);
    o->n_tail = old + some;
}

/* What is there; no more than one log's size at a time, so that a flood does not hide the deadline. */
static void take_output(Output *o)
{
    char buffer[16384];
    for (size_t taken = 0; o->fd >= 0 && taken < SUBPROCESS_LOG_MAX;) {
        ssize_t n = read(o->fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0) {
            close(o->fd);
            o->fd = -1;
        }
        if (n <= 0)
            return;
        taken += (size_t)n;
        write_log(o, buffer, (size_t)n);
        keep_tail(o, buffer, (size_t)n);
    }
}

static void close_output(Output *o)
{
    if (o->fd >= 0)
        close(o->fd);
    if (o->log >= 0)
        close(o->log);
}

static void write_words(const Output *o, char *words)
{
    size_t n = o->n_tail;
    while (n && strchr(" \n\r\t", o->tail[n - 1]))
        n--;
    memcpy(words, o->tail, n);
    words[n] = '\0';
    for (char *p = words; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
}

/* ---- its end ---------------------------------------------------------------------------------------- */

static bool is_over(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

static SubprocessHow await(const Subprocess *p, pid_t pid, int pidfd, Output *o)
{
    int64_t end_ms = p->timeout_ms ? clock_mono_ms() + p->timeout_ms : INT64_MAX;
    while (!is_over(pid)) {
        int64_t left = end_ms - clock_mono_ms();
        if (left <= 0)
            return SUBPROCESS_TIMED_OUT;
        if (p->cancel && atomic_load(p->cancel))
            return SUBPROCESS_CANCELLED;
        struct pollfd fds[] = {{pidfd, POLLIN, 0}, {o->fd, POLLIN, 0}};
        poll(fds, 2, left < LOOK_MS ? (int)left : LOOK_MS);
        take_output(o);
    }
    return SUBPROCESS_EXITED;
}

static void kill_rest(const Subprocess *p, pid_t pid, SubprocessHow how)
{
    siginfo_t info;
    if (how != SUBPROCESS_EXITED)
        kill(p->kept ? pid : -pid, SIGKILL);
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    for (int i = 0; !p->kept && i < KILL_TRIES && proc_kill_session(pid, 0); i++)
        clock_sleep_ms(KILL_WAIT_MS);
}

static void reap(pid_t pid, SubprocessEnd *ret)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (ret->how == SUBPROCESS_EXITED && WIFSIGNALED(status))
        ret->how = SUBPROCESS_SIGNALLED;
    ret->status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

bool subprocess_run(const Subprocess *p, SubprocessEnd *ret, Err *err)
{
    Output o = {.fd = -1, .log = -1};
    int out = -1;
    pid_t pid;
    *ret = (SubprocessEnd){0};
    bool ok = (p->kept || open_output(p, &o, &out, err)) && start(p, out, &pid, err);
    if (out >= 0)
        close(out);
    if (ok) {
        int pidfd = proc_open(pid);
        ret->how = await(p, pid, pidfd, &o);
        kill_rest(p, pid, ret->how);
        take_output(&o);
        write_words(&o, ret->words);
        reap(pid, ret);
        if (pidfd >= 0)
            close(pidfd);
    }
    close_output(&o);
    return ok;
}

bool subprocess_succeeded(const Subprocess *p, const SubprocessEnd *end, Err *err)
{
    const char *colon = *end->words ? ": " : "";
    switch (end->how) {
    case SUBPROCESS_TIMED_OUT:
        return err_set(err, ERR_TIMEOUT, 0, "%s did not end within %lld s%s%s", p->program,
                       (long long)p->timeout_ms / 1000, colon, end->words);
    case SUBPROCESS_CANCELLED:
        return err_set(err, ERR_CANCELLED, 0, "%s was stopped with us", p->program);
    case SUBPROCESS_SIGNALLED:
        return err_set(err, ERR_REFUSED, 0, "%s was killed by signal %d%s%s", p->program, end->status, colon,
                       end->words);
    case SUBPROCESS_EXITED:
        break;
    }
    return end->status == 0 || err_set(err, ERR_REFUSED, 0, "%s ended with status %d%s%s", p->program,
                                       end->status, colon, end->words);
}

bool subprocess_do(const Subprocess *p, Err *err)
{
    SubprocessEnd end;
    return subprocess_run(p, &end, err) && subprocess_succeeded(p, &end, err);
}
