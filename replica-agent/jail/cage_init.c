/* SPDX-License-Identifier: Apache-2.0 */
#include "cage_init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/proc.h"

typedef struct Init {
    const JailOrder *order;
    int channel, signals;
    int gate;    /* closed after a byte: the program goes on */
    int trouble; /* why exec failed */
    pid_t job;
} Init;

/* ---- the program ---------------------------------------------------------------------------------- */

static _Noreturn void give_up(int trouble, const char *what)
{
    char text[JAIL_TEXT];
    int n = snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
    ssize_t ignored = write(trouble, text, (size_t)n);
    (void)ignored;
    _exit(127);
}

/* 0 to 4 as the contract says, 5 for our last words. */
static int place(const int fds[4], int trouble)
{
    enum { TROUBLE_FD = 5 };
    int moved[5];
    for (int i = 0; i < 4; i++)
        moved[i] = fds[i] >= 0 ? fcntl(fds[i], F_DUPFD_CLOEXEC, 50) : -1;
    moved[4] = fcntl(trouble, F_DUPFD_CLOEXEC, 50);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 0);
    for (int i = 0; i < 4; i++) {
        if (moved[i] >= 0)
            dup2(moved[i], i + 1);
        else
            close(i + 1);
    }
    dup3(moved[4], TROUBLE_FD, O_CLOEXEC);
    close_range(TROUBLE_FD + 1, ~0U, 0);
    return TROUBLE_FD;
}

static _Noreturn void program(const Init *in, const int fds[4], int gate, int trouble)
{
    Err ignored;
    char byte;
    setsid();
    if (!jail_send_plain(in->channel, JAIL_READY, 0, NULL, &ignored) || read(gate, &byte, 1) != 1)
        _exit(127);
    trouble = place(fds, trouble);
    if (chdir(in->order->result) < 0)
        give_up(trouble, "cannot enter its folder");
    proc_reset_signals();
    StrList argv = STRLIST_INIT, env = STRLIST_INIT;
    strlist_add(&argv, in->order->program);
    strlist_add_all(&argv, &in->order->args);
    strlist_add_all(&env, &in->order->env);
    execve(in->order->program, argv.v, env.n ? env.v : (char *const[]){NULL});
    give_up(trouble, "cannot be started");
}

static bool start(Init *in, const int fds[4])
{
    int gate[2], trouble[2];
    if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(trouble, O_CLOEXEC) < 0)
        return false;
    in->job = fork();
    if (in->job == 0) {
        close(gate[1]);
        program(in, fds, gate[0], trouble[1]);
    }
    close(gate[0]);
    close(trouble[1]);
    in->gate = gate[1];
    in->trouble = trouble[0];
    for (int i = 0; i < 4; i++) /* its ends are its own: their end is seen */
        if (fds[i] >= 0)
            close(fds[i]);
    return in->job > 0;
}

/* ---- messages ------------------------------------------------------------------------------------- */

static void tell(const Init *in, JailType type, int64_t number, const char *text)
{
    Err ignored;
    if (!jail_send_plain(in->channel, type, number, text, &ignored))
        _exit(1);
}

static void release(Init *in)
{
    char text[JAIL_TEXT];
    if (in->gate < 0)
        return;
    bool let = write(in->gate, "g", 1) == 1;
    close(in->gate);
    in->gate = -1;
    ssize_t n = let ? read(in->trouble, text, sizeof text - 1) : -1;
    close(in->trouble);
    text[n > 0 ? n : 0] = 0;
    if (n == 0) {
        tell(in, JAIL_STARTED, 0, NULL);
        return;
    }
    tell(in, JAIL_FAILED, 0, n > 0 ? text : "the process ended before it began");
    _exit(1);
}

/* STOP and CONT reach what has left the program's group, too: everything in here but us. */
static void hand_on(const Init *in, int signo)
{
    if (signo == SIGTERM || signo == SIGTSTP)
        kill(-in->job, signo);
    if (signo == SIGSTOP || signo == SIGCONT)
        kill(-1, signo);
}

static void take_message(Init *in)
{
    Err err;
    JailMessage m;
    if (!jail_receive(in->channel, 0, &m, &err)) {
        if (err.kind != ERR_TIMEOUT)
            _exit(1);
        return;
    }
    if (m.type == JAIL_GO)
        release(in);
    else if (m.type == JAIL_SIGNAL)
        hand_on(in, (int)m.number);
    jail_message_done(&m);
}

static void tell_end(const Init *in, int status, const struct rusage *u)
{
    Err ignored;
    JailMessage m = {.type = JAIL_ENDED,
                     .end = {status, u->ru_maxrss * 1024,
                             (int64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000 +
                                 (u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1000}};
    (void)!jail_send(in->channel, &m, &ignored);
    _exit(0);
}

static void reap(const Init *in)
{
    int status;
    struct rusage usage;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG | WUNTRACED | WCONTINUED, &usage)) > 0;) {
        if (pid != in->job)
            continue;
        if (WIFSTOPPED(status))
            tell(in, JAIL_STOPPED, 0, NULL);
        else if (WIFCONTINUED(status))
            tell(in, JAIL_CONTINUED, 0, NULL);
        else if (in->gate < 0)
            tell_end(in, status, &usage);
        else
            _exit(1);
    }
}

_Noreturn void cage_init(const JailOrder *o, int channel, const int fds[4])
{
    Init in = {.order = o, .channel = channel, .gate = -1};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    in.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (in.signals < 0 || !start(&in, fds))
        _exit(1);
    for (;;) {
        struct pollfd p[] = {{channel, POLLIN, 0}, {in.signals, POLLIN, 0}};
        struct signalfd_siginfo info;
        if (poll(p, COUNT(p), -1) < 0 && errno != EINTR)
            _exit(1);
        if (p[0].revents)
            take_message(&in);
        while (read(in.signals, &info, sizeof info) == sizeof info)
            ;
        reap(&in);
    }
}
