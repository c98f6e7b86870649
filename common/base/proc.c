/* SPDX-License-Identifier: Apache-2.0 */
#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct ProcStat {
    char state;
    pid_t ppid, session;
    int threads;
    int64_t start;
} ProcStat;

static bool read_stat(pid_t pid, ProcStat *ret)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = 0;
    /* The second field is the program's name in parentheses and may hold anything. */
    const char *rest = strrchr(text, ')');
    int ppid, session;
    long long start;
    if (!rest ||
        sscanf(rest + 1, " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %lld",
               &ret->state, &ppid, &session, &ret->threads, &start) != 5)
        return false;
    ret->ppid = ppid;
    ret->session = session;
    ret->start = start;
    return true;
}

int64_t proc_start_time(pid_t pid)
{
    ProcStat s;
    if (pid <= 0 || !read_stat(pid, &s) || s.state == 'X' || (s.state == 'Z' && s.threads < 2))
        return 0;
    return s.start;
}

bool proc_is(pid_t pid, int64_t start_time)
{
    return start_time && proc_start_time(pid) == start_time;
}

typedef bool (*ProcMatch)(pid_t pid, const ProcStat *s, pid_t arg);

static int signal_matching(ProcMatch match, pid_t arg, int signo)
{
    DIR *d = opendir("/proc");
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        ProcStat s;
        pid_t pid = isdigit((unsigned char)e->d_name[0]) ? (pid_t)atoi(e->d_name) : 0;
        if (pid > 1 && read_stat(pid, &s) && s.state != 'Z' && match(pid, &s, arg) && kill(pid, signo) == 0)
            n++;
    }
    if (d)
        closedir(d);
    return n;
}

static bool in_session(pid_t pid, const ProcStat *s, pid_t sid)
{
    (void)pid;
    return s->session == sid;
}

static bool below(pid_t pid, const ProcStat *s, pid_t root)
{
    ProcStat up = *s;
    for (int depth = 0; depth < 64 && pid > 1; depth++) {
        if (up.ppid == root)
            return true;
        pid = up.ppid;
        if (!read_stat(pid, &up))
            return false;
    }
    return false;
}

/* Stopped first: what cannot run cannot fork while we look. */
int proc_kill_session(pid_t sid, pid_t root)
{
    if (root > 1)
        (void)signal_matching(below, root, SIGSTOP);
    int n = root > 1 ? signal_matching(below, root, SIGKILL) : 0;
    return n + (sid > 1 ? signal_matching(in_session, sid, SIGKILL) : 0);
}

/* What left the program and came to us; what is of our own session we have started ourselves. */
static bool adopted(pid_t pid, const ProcStat *s, pid_t except)
{
    return s->ppid == getpid() && pid != except && s->session != getsid(0);
}

int proc_signal_children(pid_t except, int signo)
{
    return signal_matching(adopted, except, signo);
}

void proc_reset_signals(void)
{
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void proc_goes_first(void)
{
    static const char score[] = "500";
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ssize_t ignored = fd >= 0 ? write(fd, score, strlen(score)) : 0;
    (void)ignored;
    if (fd >= 0)
        close(fd);
}

int proc_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

void proc_no_core(void)
{
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
}
