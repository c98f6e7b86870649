/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/file/fs.h"
#include "own_program.h"
#include "replica-agent/jail/cgroup.h"

enum { LOOK_AGAIN_MS = 300, LOOKS = 10 };

struct Program {
    struct event_base *base;
    char *dir;
    ProgramEnded ended;
    void *arg;
    pid_t pid;
    int pidfd, looks;
    struct event *watch, *timer;
    struct timespec progress_mtime;
};

static void look(Program *p);

static char *path_in(const char *dir, const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static bool read_object(const char *dir, const char *name, const WireField *fields, void *ret)
{
    Err err;
    AUTOJSON json_t *j = NULL;
    AUTOFREE char *path = path_in(dir, name);
    if (json_read_file(path, &j, &err) && wire_read(fields, j, ret, &err))
        return true;
    if (err.kind != ERR_NOT_FOUND)
        log_warn("%s", err.text);
    return false;
}

/* ---- watching ------------------------------------------------------------------------------------- */

static void unwatch(Program *p)
{
    if (p->watch)
        event_free(STEAL(p->watch));
    if (p->pidfd >= 0)
        close(p->pidfd);
    p->pidfd = -1;
    p->pid = 0;
}

static void on_exit_of_supervisor(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Program *p = arg;
    pid_t pid = p->pid;
    unwatch(p);
    while (waitpid(pid, NULL, WNOHANG) < 0 &&
           errno == EINTR) /* ours, or adopted: then there is nothing to reap */
        ;
    look(p);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    look(arg);
}

static void look_later(Program *p, int ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    event_add(p->timer, &tv);
}

static bool watch(Program *p, pid_t pid)
{
    int fd = proc_open(pid);
    if (fd < 0)
        return false;
    p->pid = pid;
    p->pidfd = fd;
    p->watch = event_new(p->base, fd, EV_READ, on_exit_of_supervisor, p);
    event_add(p->watch, NULL);
    return true;
}

/* A job whose supervisor was killed gets SIGKILL from the kernel; its children may live on. */
static void kill_orphans(const ProgramSupervisor *s)
{
    if (s->job_pid > 1 && (proc_is((pid_t)s->job_pid, s->job_start) || !proc_start_time((pid_t)s->job_pid)))
        proc_kill_session((pid_t)s->job_pid, 0);
    if (s->cgroup)
        (void)cgroup_end(s->cgroup, 0);
}

/* What the folder says now: an end, a living supervisor, or nothing yet. */
static void look(Program *p)
{
    ProgramExit e = {0};
    if (read_object(p->dir, "exit.json", program_exit_fields, &e)) {
        p->ended(p->arg, &e);
        wire_free(program_exit_fields, &e);
        return;
    }
    ProgramSupervisor s = {0};
    bool recorded = read_object(p->dir, "supervisor.json", program_supervisor_fields, &s);
    bool lives = recorded && proc_is((pid_t)s.pid, s.pid_start) && watch(p, (pid_t)s.pid);
    bool again = !lives && ++p->looks < (recorded ? 2 : LOOKS);
    if (again) /* it may be writing its end, or not have begun */
        look_later(p, LOOK_AGAIN_MS);
    bool lost = !lives && !again;
    if (lost && recorded)
        kill_orphans(&s);
    wire_free(program_supervisor_fields, &s);
    if (lost)
        p->ended(p->arg, NULL);
}

/* ---- starting ------------------------------------------------------------------------------------- */

static bool spawn(const char *dir, pid_t *ret, Err *err)
{
    AUTOFREE char *log = path_in(dir, "supervisor.log");
    AUTOFREE char *bin = fs_program_dir(), *program = xasprintf("%s/siding-run", bin);
    char *argv[] = {(char *)"siding-run", (char *)"supervise", (char *)dir, NULL};
    AUTOFREE char *what = xasprintf("the supervisor of %s", dir);
    /* A request that comes before the supervisor listens waits for it. */
    sigset_t all;
    sigfillset(&all);
    return own_program_start(program, argv, log, O_APPEND, &all, what, ret, err);
}

static bool write_spec(const char *dir, const ProgramSpec *spec, Err *err)
{
    AUTOFREE char *path = path_in(dir, "spec.json");
    AUTOJSON json_t *j = wire_write(program_spec_fields, spec);
    return fs_mkdirs(dir, 0700, err) && json_replace_file(path, j, 0600, err);
}

/* A folder whose agent was killed before the supervisor had begun: what it says is run, once. */
static bool has_spec(const char *dir)
{
    AUTOFREE char *path = path_in(dir, "spec.json");
    return fs_exists(path);
}

static bool is_recorded(const char *dir)
{
    AUTOFREE char *record = path_in(dir, "supervisor.json"), *over = path_in(dir, "exit.json");
    return fs_exists(record) || fs_exists(over);
}

bool program_start(struct event_base *base, const char *dir, const ProgramSpec *spec, ProgramEnded ended,
                   void *arg, Program **ret, Err *err)
{
    pid_t pid = 0;
    bool ready = is_recorded(dir) || has_spec(dir) || write_spec(dir, spec, err);
    if (!ready || (!is_recorded(dir) && !spawn(dir, &pid, err)))
        return false;
    Program *p = NEW(Program);
    *p = (Program){.base = base, .dir = xstrdup(dir), .ended = ended, .arg = arg, .pidfd = -1};
    p->timer = evtimer_new(base, on_timer, p);
    if (!pid || !watch(p, pid))
        look_later(p, 0); /* never before this returns */
    *ret = p;
    return true;
}

bool program_has_run(const char *dir)
{
    AUTOFREE char *over = path_in(dir, "exit.json");
    ProgramSupervisor s = {0};
    bool run = fs_exists(over) || (read_object(dir, "supervisor.json", program_supervisor_fields, &s) &&
                                   !proc_is((pid_t)s.pid, s.pid_start));
    wire_free(program_supervisor_fields, &s);
    return run;
}

bool program_reset(const char *dir, Err *err)
{
    if (is_recorded(dir) && !program_has_run(dir))
        return err_set(err, ERR_CONFLICT, 0, "the program of %s is still running", dir);
    static const char *const names[] = {"exit.json", "progress.json", "supervisor.json"};
    for (size_t i = 0; i < COUNT(names); i++) {
        AUTOFREE char *path = path_in(dir, names[i]);
        if (!fs_remove(path, err))
            return false;
    }
    return true;
}

void program_free(Program *p)
{
    if (!p)
        return;
    unwatch(p);
    event_free(p->timer);
    free(p->dir);
    free(p);
}

void program_signal(Program *p, int signo)
{
    ProgramSupervisor s = {0};
    if (p->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, p->pidfd, signo, NULL, 0);
    else if (read_object(p->dir, "supervisor.json", program_supervisor_fields, &s) &&
             proc_is((pid_t)s.pid, s.pid_start))
        kill((pid_t)s.pid, signo);
    wire_free(program_supervisor_fields, &s);
}

bool program_read_progress(Program *p, ProgramProgress *ret)
{
    AUTOFREE char *path = path_in(p->dir, "progress.json");
    struct stat st;
    if (stat(path, &st) < 0 ||
        (st.st_mtim.tv_sec == p->progress_mtime.tv_sec && st.st_mtim.tv_nsec == p->progress_mtime.tv_nsec))
        return false;
    p->progress_mtime = st.st_mtim;
    return read_object(p->dir, "progress.json", program_progress_fields, ret);
}

const char *program_dir(const Program *p)
{
    return p->dir;
}

char *program_log_tail(const char *dir, const char *name, size_t max)
{
    AUTOFREE char *path = path_in(dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    AUTOFREE char *text = xcalloc(max + 1, 1);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    off_t from = size > (off_t)max ? size - (off_t)max : 0;
    ssize_t n = fd >= 0 ? pread(fd, text, max, from) : 0;
    if (fd >= 0)
        close(fd);
    AUTO(str_done) Str out = STR_INIT;
    const char *p = text;
    if (from > 0 && strchr(p, '\n'))
        p = strchr(p, '\n') + 1;
    for (; n > 0 && *p; p++)
        str_addc(&out, *p == '\n' ? ' ' : *p);
    while (out.len && out.p[out.len - 1] == ' ')
        out.p[--out.len] = 0;
    return str_take(&out) ?: xstrdup("");
}
