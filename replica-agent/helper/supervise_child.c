/* SPDX-License-Identifier: Apache-2.0 */
#include "supervise_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/proc.h"
#include "common/file/fs.h"

static _Noreturn void give_up(const ChildEnds *e, const char *what)
{
    char text[300];
    int n = snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
    ssize_t ignored = write(e->trouble, text, (size_t)n);
    (void)ignored;
    _exit(127);
}

/* The least that every host gives: what it starts gains nothing by setuid files or file capabilities. Root's
 * capabilities go with the bounding set, at the exec. */
static void confine(const ChildEnds *e)
{
    for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        (void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
    proc_goes_first();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        give_up(e, "cannot give up new privileges");
}

static void set_limits(const ChildEnds *e, const ProgramSpec *spec)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (spec->nice)
        setpriority(PRIO_PROCESS, 0, (int)spec->nice);
    const struct rlimit tasks = {(rlim_t)spec->tasks_limit, (rlim_t)spec->tasks_limit};
    if (spec->tasks_limit && setrlimit(RLIMIT_NPROC, &tasks) < 0)
        give_up(e, "cannot limit its tasks");
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

bool child_is_late(const ProgramSpec *p)
{
    return start_by_has_passed(&p->start_by, clock_boot_id(), clock_mono_ms());
}

static _Noreturn void child(const ProgramSpec *spec, ChildEnds *e, pid_t parent)
{
    char byte;
    setsid();
    if (read(e->gate, &byte, 1) != 1)
        _exit(127);
    set_limits(e, spec);
    if (spec->is_job)
        confine(e);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    place_descriptors(e);
    if (spec->cwd && chdir(spec->cwd) < 0)
        give_up(e, "cannot enter its folder");
    if (child_is_late(spec)) {
        errno = ETIME;
        give_up(e, "its order came too late: it is not begun");
    }
    proc_reset_signals();
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
    proc_reset_signals();
    StrList argv = STRLIST_INIT;
    strlist_add(&argv, "siding-agent");
    strlist_add_all(&argv, &spec->split);
    AUTOFREE char *bin = fs_program_dir(), *program = xasprintf("%s/siding-agent", bin);
    execv(program, argv.v);
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

bool child_pipes(const ProgramSpec *spec, ChildPipes *ret, ChildEnds *ret_ends, Err *err)
{
    ChildPipes p;
    ChildEnds e;
    if (!make_pipe(&p.out, &e.out, err) || !make_pipe(&p.err, &e.err, err) ||
        !make_pipe(&p.progress, &e.progress, err) || !make_pipe(&p.trouble, &e.trouble, err) ||
        !make_pipe(&e.gate, &p.gate, err) || !start_helper(spec, &e.split, &p.helper, err))
        return false;
    *ret = p;
    *ret_ends = e;
    return true;
}

void child_pipes_given(const ChildPipes *pipes, const ChildEnds *ends)
{
    const int theirs[] = {ends->out, ends->err, ends->progress, ends->gate, ends->trouble};
    for (size_t i = 0; i < COUNT(theirs); i++)
        close(theirs[i]);
    if (ends->split >= 0)
        close(ends->split);
    const int ours[] = {pipes->out, pipes->err, pipes->progress};
    for (size_t i = 0; i < COUNT(ours); i++)
        fcntl(ours[i], F_SETFL, O_NONBLOCK);
}

bool child_fork(const ProgramSpec *spec, ChildPipes *ret, pid_t *ret_pid, Err *err)
{
    ChildPipes p;
    ChildEnds e;
    if (!child_pipes(spec, &p, &e, err))
        return false;
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return err_errno(err, errno, "start a process");
    if (pid == 0) {
        close(p.gate);
        child(spec, &e, parent);
    }
    child_pipes_given(&p, &e);
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
