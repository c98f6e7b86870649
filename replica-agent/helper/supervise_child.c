/* SPDX-License-Identifier: Apache-2.0 */
#include "supervise_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"

typedef struct ChildEnds {
    int out, err, progress, gate, trouble;
    int split; /* -1: none */
} ChildEnds;

static _Noreturn void give_up(const ChildEnds *e, const char *what)
{
    char text[300];
    int n = snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
    ssize_t ignored = write(e->trouble, text, (size_t)n);
    (void)ignored;
    _exit(127);
}

static void become(const ChildEnds *e, const char *user)
{
    const struct passwd *p = getpwnam(user);
    if (!p) {
        errno = ENOENT;
        give_up(e, "cannot find the user");
    }
    if (initgroups(user, p->pw_gid) < 0 || setgid(p->pw_gid) < 0 || setuid(p->pw_uid) < 0)
        give_up(e, "cannot become the user");
}

static void set_limits(const ChildEnds *e, const ProgramSpec *spec)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (spec->nice)
        setpriority(PRIO_PROCESS, 0, (int)spec->nice);
    struct rlimit memory = {(rlim_t)spec->memory_limit_bytes, (rlim_t)spec->memory_limit_bytes};
    if (spec->memory_limit_bytes && setrlimit(RLIMIT_AS, &memory) < 0)
        give_up(e, "cannot limit its memory");
}

/* Moves the ends out of the way first, so that none is overwritten by another's dup2. */
static void place_descriptors(ChildEnds *e)
{
    int *all[] = {&e->out, &e->err, &e->progress, &e->trouble, &e->split};
    for (size_t i = 0; i < COUNT(all); i++)
        if (*all[i] >= 0)
            *all[i] = fcntl(*all[i], F_DUPFD_CLOEXEC, 10);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(e->out, 1);
    dup2(e->err, 2);
    dup2(e->progress, SUPERVISE_PROGRESS_FD);
    if (e->split >= 0)
        dup2(e->split, SUPERVISE_SPLIT_FD);
    else
        close(SUPERVISE_SPLIT_FD);
    enum { TROUBLE_FD = SUPERVISE_SPLIT_FD + 1 };
    int trouble = fcntl(e->trouble, F_DUPFD_CLOEXEC, 100);
    dup3(trouble, TROUBLE_FD, O_CLOEXEC);
    e->trouble = TROUBLE_FD;
    close_range(TROUBLE_FD + 1, ~0U, 0);
}

static void reset_signals(void)
{
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child(const ProgramSpec *spec, ChildEnds *e, pid_t parent)
{
    char byte;
    setsid();
    if (read(e->gate, &byte, 1) != 1)
        _exit(127);
    set_limits(e, spec);
    if (spec->user)
        become(e, spec->user);
    /* After a change of user, which clears it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    place_descriptors(e);
    if (spec->cwd && chdir(spec->cwd) < 0)
        give_up(e, "cannot enter its folder");
    reset_signals();
    StrList argv = STRLIST_INIT;
    strlist_add(&argv, spec->program);
    for (size_t i = 0; i < spec->args.n; i++)
        strlist_add(&argv, spec->args.v[i]);
    execve(spec->program, argv.v, spec->env.n ? spec->env.v : (char *const[]){NULL});
    give_up(e, "cannot be started");
}

/* Not of the program's session: it outlives the program for as long as it takes to say so. */
static _Noreturn void helper(const ProgramSpec *spec, int socket, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(socket, 0);
    close_range(3, ~0U, 0);
    reset_signals();
    StrList argv = STRLIST_INIT;
    strlist_add(&argv, "siding-agent");
    strlist_add_all(&argv, &spec->split);
    execv("/proc/self/exe", argv.v);
    _exit(127);
}

static bool start_helper(const ProgramSpec *spec, int *ret_socket, pid_t *ret, Err *err)
{
    int ends[2];
    *ret_socket = -1;
    *ret = 0;
    if (!spec->split.n)
        return true;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(err, errno, "make a socket");
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return err_errno(err, errno, "start a process");
    if (pid == 0)
        helper(spec, ends[1], parent);
    close(ends[1]);
    *ret_socket = ends[0];
    *ret = pid;
    return true;
}

static bool make_pipe(int *ret_read, int *ret_write, Err *err)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    *ret_read = fd[0];
    *ret_write = fd[1];
    return true;
}

bool child_fork(const ProgramSpec *spec, ChildPipes *ret, pid_t *ret_pid, Err *err)
{
    ChildPipes p;
    ChildEnds e;
    /* A supervisor holds one program and exits on failure: the pipes go with it. */
    if (!make_pipe(&p.out, &e.out, err) || !make_pipe(&p.err, &e.err, err) ||
        !make_pipe(&p.progress, &e.progress, err) || !make_pipe(&p.trouble, &e.trouble, err) ||
        !make_pipe(&e.gate, &p.gate, err) || !start_helper(spec, &e.split, &p.helper, err))
        return false;
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return err_errno(err, errno, "start a process");
    if (pid == 0) {
        close(p.gate);
        child(spec, &e, parent);
    }
    const int theirs[] = {e.out, e.err, e.progress, e.gate, e.trouble};
    for (size_t i = 0; i < COUNT(theirs); i++)
        close(theirs[i]);
    if (e.split >= 0)
        close(e.split);
    const int ours[] = {p.out, p.err, p.progress};
    for (size_t i = 0; i < COUNT(ours); i++)
        fcntl(ours[i], F_SETFL, O_NONBLOCK);
    *ret = p;
    *ret_pid = pid;
    return true;
}

bool child_release(ChildPipes *pipes, const char *program, Err *err)
{
    char text[300];
    bool told = write(pipes->gate, "g", 1) == 1;
    close(pipes->gate);
    ssize_t n = told ? read(pipes->trouble, text, sizeof text - 1) : -1;
    close(pipes->trouble);
    if (n == 0)
        return true;
    text[n > 0 ? n : 0] = 0;
    return err_set(err, ERR_IO, 0, "%s: %s", program, n > 0 ? text : "the process ended before it began");
}
