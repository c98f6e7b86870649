/* SPDX-License-Identifier: Apache-2.0 */
#include "supervise_jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "replica-agent/jail/keeper.h"

enum { ANSWER_MS = 15000, JOBD_MS = 15000, AGAIN_MS = 200 };

/* ---- the keeper ----------------------------------------------------------------------------------- */

/* In a session of its own: it outlives this process for as long as it takes to end the job. */
static bool own_keeper(int *ret, pid_t *ret_pid, Err *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(err, errno, "make a socket");
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        dup2(ends[1], 3);
        close_range(4, ~0U, 0);
        _exit(keeper_main(3, NULL));
    }
    int code = errno;
    close(ends[1]);
    *ret = ends[0];
    *ret_pid = pid;
    return pid > 0 || err_errno(err, code, "start the keeper of a job");
}

static bool connect_once(const char *path, int flags, int *ret, Err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        return err_set(err, ERR_CONFIG, 0, "%s is too long for a socket", path);
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0) {
        *ret = fd;
        return true;
    }
    err_set(err, ERR_UNREACHABLE, errno, "siding-jobd does not answer at %s: %s; start it", path,
            strerror(errno));
    if (fd >= 0)
        close(fd);
    return false;
}

/* It may just be started again. */
static bool jobd_keeper(const char *path, int *ret, Err *err)
{
    int64_t until = clock_mono_ms() + JOBD_MS;
    while (!connect_once(path, 0, ret, err)) {
        if (err->kind != ERR_UNREACHABLE || clock_mono_ms() >= until)
            return false;
        clock_sleep_ms(AGAIN_MS);
    }
    return true;
}

/* ---- the order ------------------------------------------------------------------------------------ */

static void make_order(const ProgramSpec *s, JailOrder *o)
{
    *o = (JailOrder){.run = xstrdup(s->run),
                     .user = xstrdup(s->user),
                     .program = xstrdup(s->program),
                     .result = xstrdup(s->cwd),
                     .cnf = xstrdup(s->cnf),
                     .nice = s->nice,
                     .memory_bytes = s->memory_limit_bytes,
                     .tasks = s->tasks_limit};
    strlist_add_all(&o->args, &s->args);
    strlist_add_all(&o->env, &s->env);
    if (s->jobd_socket) /* it has lists of its own */
        return;
    strlist_add_all(&o->hide, &s->hide);
    strlist_add_all(&o->show, &s->show);
}

static bool send_order(int socket, const ProgramSpec *s, const ChildEnds *e, Err *err)
{
    int cnf = open(s->cnf, O_RDONLY | O_CLOEXEC);
    if (cnf < 0)
        return err_errno(err, errno, "read %s", s->cnf);
    JailMessage m = {.type = JAIL_SPAWN, .fds = {e->out, e->err, e->progress, cnf, e->split}};
    make_order(s, &m.order);
    bool ok = jail_send(socket, &m, err);
    jail_order_done(&m.order);
    close(cnf);
    return ok;
}

static bool answer(int socket, JailType wanted, int64_t *ret, Err *err)
{
    JailMessage m;
    if (!jail_receive(socket, ANSWER_MS, &m, err))
        return err_prefix(err, "the keeper of the job");
    bool ok = m.type == wanted;
    *ret = m.number;
    if (!ok)
        err_set(err, ERR_REFUSED, 0, "%s", *m.text ? m.text : "its keeper ended it before it began");
    jail_message_done(&m);
    return ok;
}

bool jailed_fork(const ProgramSpec *spec, ChildPipes *ret, int *ret_socket, pid_t *ret_pid, Err *err)
{
    ChildPipes p;
    ChildEnds e;
    int64_t pid;
    pid_t keeper;
    bool ok = (spec->jobd_socket ? jobd_keeper(spec->jobd_socket, ret_socket, err)
                                 : own_keeper(ret_socket, &keeper, err)) &&
              child_pipes(spec, &p, &e, err) && send_order(*ret_socket, spec, &e, err);
    if (!ok)
        return false;
    close(p.gate);
    close(p.trouble);
    child_pipes_given(&p, &e);
    if (!answer(*ret_socket, JAIL_READY, &pid, err))
        return false;
    *ret = p;
    *ret_pid = (pid_t)pid;
    return true;
}

bool jailed_release(int socket, const char *program, Err *err)
{
    int64_t ignored;
    return jail_send_plain(socket, JAIL_GO, 0, NULL, err) &&
           (answer(socket, JAIL_STARTED, &ignored, err) || err_prefix(err, "%s", program));
}

void jailed_signal(int socket, int signo)
{
    Err ignored;
    (void)!jail_send_plain(socket, JAIL_SIGNAL, signo, NULL, &ignored);
}

bool jailed_answers(const char *jobd_socket, Err *err)
{
    int fd;
    if (!connect_once(jobd_socket, SOCK_NONBLOCK, &fd, err))
        return false;
    close(fd);
    return true;
}

/* One of our own ends when it is told that we are gone; it is our child, and reaped. */
static bool ask_level(int socket, char ret[JAIL_TEXT], Err *err)
{
    JailMessage m;
    if (!jail_send_plain(socket, JAIL_PROBE, 0, NULL, err) || !jail_receive(socket, ANSWER_MS, &m, err))
        return false;
    memcpy(ret, m.text, JAIL_TEXT);
    jail_message_done(&m);
    return true;
}

bool jailed_probe(const char *jobd_socket, char ret[JAIL_TEXT], Err *err)
{
    int fd;
    pid_t pid = 0;
    if (!(jobd_socket ? connect_once(jobd_socket, 0, &fd, err) : own_keeper(&fd, &pid, err)))
        return false;
    bool ok = ask_level(fd, ret, err);
    close(fd);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return ok;
}
