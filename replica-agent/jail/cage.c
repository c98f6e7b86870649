/* SPDX-License-Identifier: Apache-2.0 */
#include "cage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cage_init.h"
#include "common/base/proc.h"
#include "common/file/fs.h"

enum { CHANNEL_FD = 3, CNF_FD = 4, FIRST_FD = 5 };
enum { MOST_GROUPS = 65536 }; /* NGROUPS_MAX */

/* ---- inside ---------------------------------------------------------------------------------------- */

static bool write_map(const char *path, const char *text, Err *err)
{
    AUTOFD int fd = open(path, O_WRONLY | O_CLOEXEC);
    return (fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text)) ||
           err_errno(err, errno, "write %s", path);
}

/* One user, one group: those we had. */
static bool map_user(JobUser u, Err *err)
{
    char uids[64], gids[64];
    snprintf(uids, sizeof uids, "%u %u 1\n", u.uid, u.uid);
    snprintf(gids, sizeof gids, "%u %u 1\n", u.gid, u.gid);
    return write_map("/proc/self/setgroups", "deny", err) && write_map("/proc/self/gid_map", gids, err) &&
           write_map("/proc/self/uid_map", uids, err);
}

/* No user namespaces within: a program does not become root of one of its own. What is written counts for
 * this namespace alone. */
static bool enter_namespace(JobUser u, Err *err)
{
    /* Of a process that is not, these files are root's. */
    prctl(PR_SET_DUMPABLE, 1);
    return map_user(u, err) && write_map("/proc/sys/user/max_user_namespaces", "0", err);
}

/* By the system calls themselves: this process was cloned past the C library, whose functions would wait for
 * an answer of threads that only the parent has. */
static bool change_user(const char *name, JobUser u)
{
    static gid_t groups[MOST_GROUPS];
    int n = MOST_GROUPS;
    if (!name)
        n = 0;
    else if (getgrouplist(name, u.gid, groups, &n) < 0)
        return false;
    return syscall(SYS_setgroups, (size_t)n, groups) == 0 &&
           syscall(SYS_setresgid, u.gid, u.gid, u.gid) == 0 &&
           syscall(SYS_setresuid, u.uid, u.uid, u.uid) == 0;
}

static bool become(const CageOrder *o, Err *err)
{
    return o->kind == CAGE_USERNS || change_user(o->user_name, o->user) ||
           err_errno(err, errno, "become the user %s", o->user_name ? o->user_name : "of the job");
}

static bool drop_capabilities(Err *err)
{
    for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        (void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || err_errno(err, errno, "give up new privileges");
}

/* After the change of user, which needs them. */
static bool clear_capabilities(Err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    return syscall(SYS_capset, &head, none) == 0 || err_errno(err, errno, "give up capabilities");
}

static bool set_limits(const JailOrder *o, Err *err)
{
    const struct rlimit core = {0, 0}, memory = {(rlim_t)o->memory_bytes, (rlim_t)o->memory_bytes},
                        tasks = {(rlim_t)o->tasks, (rlim_t)o->tasks};
    if (setrlimit(RLIMIT_CORE, &core) < 0 || (o->memory_bytes && setrlimit(RLIMIT_AS, &memory) < 0) ||
        (o->tasks && setrlimit(RLIMIT_NPROC, &tasks) < 0))
        return err_errno(err, errno, "limit the job");
    proc_goes_first();
    if (o->nice && setpriority(PRIO_PROCESS, 0, (int)o->nice) < 0)
        errno = 0; /* a lower value than ours is not given */
    return true;
}

static bool enter(const CageOrder *o, Err *err)
{
    if (o->kind == CAGE_USERNS && !enter_namespace(o->user, err))
        return false;
    if (!jobview_build(o->job, o->user, CNF_FD, err) || !set_limits(o->job, err))
        return false;
    bool changes = o->user.uid != geteuid();
    bool ok = drop_capabilities(err) && become(o, err) && clear_capabilities(err);
    /* What another user makes may be looked at by the group of its folder, which is the agent's. */
    if (changes)
        umask(027);
    /* After the change of user, which clears them: nobody in the cage reads the init's memory. */
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return ok;
}

/* Ours move to numbers of their own, and all others are closed: 3 is the channel, 4 the option file. */
static void place(const CageOrder *o, int channel, int *ret_fds)
{
    int all[JAIL_FDS + 1];
    for (size_t i = 0; i < JAIL_FDS; i++)
        all[i] = o->fds[i] >= 0 ? fcntl(o->fds[i], F_DUPFD_CLOEXEC, 100) : -1;
    all[JAIL_FDS] = fcntl(channel, F_DUPFD_CLOEXEC, 100);
    dup3(all[JAIL_FDS], CHANNEL_FD, O_CLOEXEC);
    if (all[JAIL_FD_CNF] >= 0)
        dup3(all[JAIL_FD_CNF], CNF_FD, O_CLOEXEC);
    else
        close(CNF_FD);
    static const int theirs[] = {JAIL_FD_OUT, JAIL_FD_ERR, JAIL_FD_PROGRESS, JAIL_FD_SPLIT};
    for (size_t i = 0; i < COUNT(theirs); i++) {
        int to = FIRST_FD + (int)i;
        ret_fds[i] = all[theirs[i]] >= 0 ? dup3(all[theirs[i]], to, O_CLOEXEC) : -1;
        if (all[theirs[i]] < 0)
            close(to);
    }
    close_range(FIRST_FD + (unsigned)COUNT(theirs), ~0U, 0);
}

static _Noreturn void inside(const CageOrder *o, int channel)
{
    Err err;
    JailMessage begin;
    int fds[4];
    place(o, channel, fds);
    setsid();
    /* The keeper has put us into a group by then; without it we do not begin. */
    if (!jail_receive(CHANNEL_FD, -1, &begin, &err) || begin.type != JAIL_GO)
        _exit(1);
    if (!enter(o, &err)) {
        Err ignored;
        (void)!jail_send_plain(CHANNEL_FD, JAIL_FAILED, 0, err.text, &ignored);
        _exit(1);
    }
    close(CNF_FD);
    cage_init(o->job, CHANNEL_FD, fds);
}

/* ---- outside --------------------------------------------------------------------------------------- */

bool cage_open(const CageOrder *o, Cage *ret, Err *err)
{
    int ends[2], yes = 1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(err, errno, "make a socket");
    /* The program's own process says that it is there: its number in ours comes from the kernel. */
    setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
    unsigned long flags =
        CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | SIGCHLD | (o->kind == CAGE_USERNS ? CLONE_NEWUSER : 0);
    pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        close(ends[0]);
        inside(o, ends[1]);
    }
    int code = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_errno(err, code, "make namespaces for the job");
    }
    *ret = (Cage){pid, ends[0]};
    return true;
}

bool cage_begin(const Cage *c, Err *err)
{
    return jail_send_plain(c->channel, JAIL_GO, 0, NULL, err);
}

int cage_close(Cage *c)
{
    int status = 0;
    kill(c->init, SIGKILL);
    while (waitpid(c->init, &status, 0) < 0 && errno == EINTR)
        ;
    close(c->channel);
    *c = (Cage){.channel = -1};
    return status;
}

bool cage_probe(CageKind kind, Err *err)
{
    char nothing[] = "", nowhere[] = "/nonexistent/siding";
    JailOrder job = {.run = nothing, .user = nothing, .program = nothing, .result = nowhere, .cnf = nothing};
    CageOrder o = {.kind = kind, .job = &job, .user = {geteuid(), getegid()}, .fds = {-1, -1, -1, -1, -1}};
    Cage c;
    JailMessage m;
    if (!cage_open(&o, &c, err))
        return false;
    bool ok = cage_begin(&c, err) && jail_receive(c.channel, 5000, &m, err);
    if (ok && m.type != JAIL_READY)
        ok = err_set(err, ERR_REFUSED, 0, "%s", m.text);
    (void)cage_close(&c);
    return ok;
}
