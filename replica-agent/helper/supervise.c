/* SPDX-License-Identifier: Apache-2.0
 * One program, its group, its logs. The program is started only after supervisor.json is on disk, so that
 * no agent can find a folder whose program runs unrecorded; it dies with its supervisor (PDEATHSIG).
 */
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/file/fs.h"
#include "common/wire/progress.h"
#include "replica-agent/jail/cgroup.h"
#include "supervise_child.h"
#include "supervise_jail.h"

enum {
    PROGRESS_EVERY_MS = 200,
    DRAIN_MS = 1000,
    REAP_MS = 5000,
    HELPER_MS = 4000,
    EXIT_TRIES = 5,
    RESERVE_BYTES = 16384
};

typedef struct LogFile {
    const char *name;
    int in, fd;
    int64_t start, size;
} LogFile;

typedef struct Supervisor {
    const char *dir;
    ProgramSpec spec;
    LogFile out, err;
    Capture capture;
    int progress_in, signals;
    char line[2048];
    size_t line_n;
    pid_t job, helper;
    int keeper;   /* of a job that is kept apart; -1: the program is our child */
    char *cgroup; /* of one that is our child; NULL: none */
    bool ended, asleep, dirty, late;
    int status;
    struct rusage usage;
    const char *ended_by;
    int64_t started_ms, kill_at, freeze_at, limit_at, written_at;
    int64_t started_wall_ms;
    Progress progress;
    char start_error[300];
} Supervisor;

static char *path_in(const Supervisor *s, const char *name)
{
    return xasprintf("%s/%s", s->dir, name);
}

/* ---- logs ----------------------------------------------------------------------------------------- */

static void log_open(Supervisor *s, LogFile *l)
{
    AUTOFREE char *path = path_in(s, l->name);
    l->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    l->size = l->fd >= 0 ? lseek(l->fd, 0, SEEK_END) : 0;
}

static void log_rotate(Supervisor *s, LogFile *l)
{
    AUTOFREE char *path = path_in(s, l->name), *old = xasprintf("%s.1", path),
                  *start = xasprintf("%s.start", path);
    close(l->fd);
    l->start += l->size;
    if (rename(path, old) < 0)
        log_warn("cannot rotate %s: %s", path, strerror(errno));
    char text[32];
    int n = snprintf(text, sizeof text, "%lld\n", (long long)l->start);
    Err ignored;
    if (!fs_replace(start, text, (size_t)n, 0600, &ignored))
        log_warn("%s", ignored.text);
    log_open(s, l);
}

/* False at the end of the stream. What cannot be written (full disk) is dropped: a job never waits for its
 * log. */
static bool log_copy(Supervisor *s, LogFile *l)
{
    char buffer[16384];
    ssize_t n = read(l->in, buffer, sizeof buffer);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    ssize_t written = l->fd >= 0 ? write(l->fd, buffer, (size_t)n) : -1;
    l->size += written > 0 ? written : 0;
    if (l->size >= (s->spec.log_limit_bytes ? s->spec.log_limit_bytes : SUPERVISE_LOG_BYTES))
        log_rotate(s, l);
    return true;
}

/* ---- progress ------------------------------------------------------------------------------------- */

static void write_progress(Supervisor *s)
{
    ProgramProgress p = {.done = s->progress.done,
                         .total = s->progress.total,
                         .unit = s->progress.unit,
                         .note = s->progress.note,
                         .asleep = s->asleep};
    AUTOJSON json_t *j = wire_write(program_progress_fields, &p);
    AUTOFREE char *text = json_text(j), *path = path_in(s, "progress.json"),
                  *tmp = path_in(s, "progress.tmp");
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    /* Not synced: it says how far the job is, nothing is decided by it. */
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    if (ok && rename(tmp, path) < 0)
        log_warn("cannot rename %s: %s", tmp, strerror(errno));
    s->dirty = false;
    s->written_at = clock_mono_ms();
}

static void take_line(Supervisor *s)
{
    s->line[s->line_n] = 0;
    if (progress_parse(s->line, &s->progress))
        s->dirty = true;
    s->line_n = 0;
}

static bool progress_copy(Supervisor *s)
{
    char buffer[4096];
    ssize_t n = read(s->progress_in, buffer, sizeof buffer);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    for (ssize_t i = 0; i < n; i++) {
        if (buffer[i] == '\n')
            take_line(s);
        else if (s->line_n + 1 < sizeof s->line)
            s->line[s->line_n++] = buffer[i];
    }
    return n > 0;
}

/* ---- the program ---------------------------------------------------------------------------------- */

static bool write_record(Supervisor *s, Err *err)
{
    ProgramSupervisor p = {.pid = getpid(),
                           .pid_start = proc_start_time(getpid()),
                           .job_pid = s->job,
                           .job_start = proc_start_time(s->job),
                           .cgroup = s->cgroup};
    AUTOJSON json_t *j = wire_write(program_supervisor_fields, &p);
    AUTOFREE char *path = path_in(s, "supervisor.json");
    return json_replace_file(path, j, 0600, err);
}

static bool is_kept_apart(const Supervisor *s)
{
    return s->spec.separation != NULL;
}

/* What it forks does not leave its group, whatever session it makes. */
static void make_group(Supervisor *s)
{
    AUTOFREE char *name = xasprintf("siding-job-%d", (int)s->job);
    s->cgroup = cgroup_make(name, s->spec.memory_limit_bytes, s->spec.tasks_limit);
    if (s->cgroup && !cgroup_enter(s->cgroup, s->job)) {
        (void)cgroup_end(s->cgroup, 0);
        free(STEAL(s->cgroup));
    }
}

static bool fork_program(Supervisor *s, ChildPipes *pipes, Err *err)
{
    if (is_kept_apart(s))
        return jailed_fork(&s->spec, pipes, &s->keeper, &s->job, err);
    if (!child_fork(&s->spec, pipes, &s->job, err))
        return false;
    make_group(s);
    return true;
}

/* Its task may have been given to another host since. The last look before the program begins: what stands
 * still behind it, in the child, looks once more. */
static bool is_in_time(Supervisor *s, Err *err)
{
    const ProgramSpec *p = &s->spec;
    s->late = child_is_late(p);
    return !s->late || err_set(err, ERR_TIMEOUT, 0, "its order came too late: it is not begun");
}

static void end_unbegun(Supervisor *s)
{
    if (is_kept_apart(s))
        jailed_signal(s->keeper, SIGKILL);
    else
        kill(s->job, SIGKILL);
}

static bool start(Supervisor *s, Err *err)
{
    ChildPipes pipes;
    if (!fork_program(s, &pipes, err))
        return false;
    s->out.in = pipes.out;
    s->err.in = pipes.err;
    s->progress_in = pipes.progress;
    s->helper = pipes.helper;
    if (!write_record(s, err) || !is_in_time(s, err)) {
        end_unbegun(s);
        return false;
    }
    s->started_wall_ms = clock_wall_ms();
    s->started_ms = clock_mono_ms();
    s->limit_at = s->spec.time_limit_ms ? s->started_ms + s->spec.time_limit_ms : 0;
    return is_kept_apart(s) ? jailed_release(s->keeper, s->spec.program, err)
                            : child_release(&pipes, s->spec.program, err);
}

static void signal_group(Supervisor *s, int signo)
{
    if (is_kept_apart(s))
        jailed_signal(s->keeper, signo);
    else
        kill(-s->job, signo);
}

/* What has left its group, too; a keeper sees to that itself. */
static void signal_strays(Supervisor *s, int signo)
{
    if (!is_kept_apart(s))
        proc_signal_children(s->job, signo);
}

static void kill_all(Supervisor *s)
{
    if (is_kept_apart(s))
        jailed_signal(s->keeper, SIGKILL);
    else
        proc_kill_session(s->job, getpid());
}

static void ask_to_end(Supervisor *s, const char *why)
{
    if (!s->ended_by)
        s->ended_by = why;
    signal_group(s, SIGTERM);
    /* A stopped program takes SIGTERM only once it goes on. */
    signal_group(s, SIGCONT);
    s->freeze_at = 0;
    if (!s->kill_at)
        s->kill_at = clock_mono_ms() + s->spec.stop_grace_ms;
}

static void take_signal(Supervisor *s, int signo)
{
    switch (signo) {
    case SIGTERM:
        ask_to_end(s, "stop");
        break;
    case SIGUSR1:
        s->ended_by = s->ended_by ? s->ended_by : "kill";
        kill_all(s);
        break;
    case SIGTSTP:
        signal_group(s, SIGTSTP);
        s->freeze_at = clock_mono_ms() + s->spec.sleep_grace_ms;
        break;
    case SIGCONT:
        s->freeze_at = 0;
        signal_group(s, SIGCONT);
        signal_strays(s, SIGCONT);
        break;
    default:
        break;
    }
}

static void read_signals(Supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == sizeof info)
        take_signal(s, (int)info.ssi_signo);
}

static void set_asleep(Supervisor *s, bool asleep)
{
    s->asleep = asleep;
    s->freeze_at = asleep ? 0 : s->freeze_at;
    s->dirty = true;
}

static void take_end(Supervisor *s, int status, const JailEnd *e)
{
    s->ended = true;
    s->status = status;
    s->usage.ru_maxrss = (long)(e->max_rss_bytes / 1024);
    s->usage.ru_utime = (struct timeval){e->cpu_ms / 1000, e->cpu_ms % 1000 * 1000};
}

/* A keeper that is gone has taken the job with it. */
static void take_news(Supervisor *s)
{
    Err err;
    JailMessage m;
    if (!jail_receive(s->keeper, 0, &m, &err)) {
        s->ended_by = s->ended_by ? s->ended_by : "its keeper was killed";
        take_end(s, SIGKILL, &(JailEnd){0});
        return;
    }
    if (m.type == JAIL_STOPPED || m.type == JAIL_CONTINUED)
        set_asleep(s, m.type == JAIL_STOPPED);
    else if (m.type == JAIL_ENDED || m.type == JAIL_FAILED)
        take_end(s, m.type == JAIL_ENDED ? m.end.status : SIGKILL, &m.end);
    jail_message_done(&m);
}

static void reap(Supervisor *s)
{
    int status;
    struct rusage usage;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG | WUNTRACED | WCONTINUED, &usage)) > 0;) {
        if (pid == s->helper && (WIFEXITED(status) || WIFSIGNALED(status)))
            s->helper = 0;
        if (pid != s->job || is_kept_apart(s))
            continue;
        if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
            set_asleep(s, WIFSTOPPED(status));
            continue;
        }
        s->ended = true;
        s->status = status;
        s->usage = usage;
    }
}

static void check_deadlines(Supervisor *s)
{
    int64_t now = clock_mono_ms();
    if (s->limit_at && now >= s->limit_at) {
        s->limit_at = 0;
        ask_to_end(s, "time limit");
    }
    if (s->kill_at && now >= s->kill_at) {
        s->kill_at = now + 1000;
        kill_all(s);
    }
    if (s->freeze_at && now >= s->freeze_at) {
        s->freeze_at = 0;
        signal_group(s, SIGSTOP);
        signal_strays(s, SIGSTOP);
    }
    if (s->dirty && now - s->written_at >= PROGRESS_EVERY_MS)
        write_progress(s);
}

/* ---- loop ----------------------------------------------------------------------------------------- */

static int next_wait_ms(const Supervisor *s)
{
    int64_t at[] = {s->kill_at, s->freeze_at, s->limit_at, s->dirty ? s->written_at + PROGRESS_EVERY_MS : 0};
    int64_t now = clock_mono_ms(), least = 60000;
    for (size_t i = 0; i < COUNT(at); i++)
        if (at[i] && at[i] - now < least)
            least = at[i] - now > 0 ? at[i] - now : 0;
    return (int)least;
}

static void close_in(int *fd)
{
    close(*fd);
    *fd = -1;
}

static void turn(Supervisor *s, int wait_ms)
{
    struct pollfd fds[] = {{s->signals, POLLIN, 0},
                           {s->out.in, POLLIN, 0},
                           {s->err.in, POLLIN, 0},
                           {s->progress_in, POLLIN, 0},
                           {s->ended ? -1 : s->keeper, POLLIN, 0}};
    if (poll(fds, COUNT(fds), wait_ms) < 0 && errno != EINTR)
        clock_sleep_ms(10);
    if (fds[0].revents)
        read_signals(s);
    if (fds[1].revents &&
        !(capture_is_on(&s->capture) ? capture_copy(&s->capture, s->out.in) : log_copy(s, &s->out)))
        close_in(&s->out.in);
    if (*s->capture.trouble && !s->kill_at)
        ask_to_end(s, s->capture.trouble);
    if (fds[2].revents && !log_copy(s, &s->err))
        close_in(&s->err.in);
    if (fds[3].revents && !progress_copy(s))
        close_in(&s->progress_in);
    if (fds[4].revents)
        take_news(s);
    reap(s);
    check_deadlines(s);
}

/* As the reaper of all that has lost its parent below us we have no child exactly when nothing is left. */
static bool has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/* What the program left behind (its group, processes that left it) must not go on reading. A keeper has ended
 * it already. */
static void end_leftovers(Supervisor *s)
{
    int64_t until = clock_mono_ms() + REAP_MS;
    while (!is_kept_apart(s) && has_children()) {
        proc_kill_session(s->job, getpid());
        if (s->cgroup)
            (void)cgroup_end(s->cgroup, 0);
        turn(s, 20);
        if (clock_mono_ms() >= until) {
            s->ended_by = s->ended_by ? s->ended_by : "processes that it left behind cannot be killed";
            break;
        }
    }
    if (s->cgroup)
        (void)cgroup_end(s->cgroup, DRAIN_MS);
    until = clock_mono_ms() + DRAIN_MS;
    while ((s->out.in >= 0 || s->err.in >= 0 || s->progress_in >= 0) && clock_mono_ms() < until)
        turn(s, 20);
}

/* It tells the others at once that this program is gone. */
static void await_helper(Supervisor *s)
{
    int64_t until = clock_mono_ms() + HELPER_MS;
    while (s->helper && clock_mono_ms() < until)
        turn(s, 20);
    if (s->helper)
        kill(s->helper, SIGKILL);
}

static bool write_exit(Supervisor *s)
{
    bool signalled = s->ended && WIFSIGNALED(s->status);
    ProgramExit e = {.started = !*s->start_error,
                     .late = s->late,
                     .exit_code = s->ended && !signalled ? WEXITSTATUS(s->status) : 0,
                     .signal = signalled ? WTERMSIG(s->status) : 0,
                     .ended_by = (char *)s->ended_by,
                     .error = *s->start_error ? s->start_error : NULL,
                     .started_at = s->started_wall_ms,
                     .ended_at = clock_wall_ms(),
                     .max_rss_bytes = s->usage.ru_maxrss * 1024,
                     .cpu_ms = (int64_t)(s->usage.ru_utime.tv_sec + s->usage.ru_stime.tv_sec) * 1000 +
                               (s->usage.ru_utime.tv_usec + s->usage.ru_stime.tv_usec) / 1000};
    AUTOJSON json_t *j = wire_write(program_exit_fields, &e);
    AUTOFREE char *path = path_in(s, "exit.json"), *reserve = path_in(s, "reserve");
    Err err;
    unlink(reserve);
    for (int i = 0; i < EXIT_TRIES; i++) {
        if (json_replace_file(path, j, 0600, &err))
            return true;
        log_error("%s", err.text);
        clock_sleep_ms(1000);
    }
    return false;
}

static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    static const int taken[] = {SIGTERM, SIGUSR1, SIGTSTP, SIGCONT, SIGCHLD, SIGHUP, SIGINT};
    for (size_t i = 0; i < COUNT(taken); i++)
        sigaddset(&set, taken[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* The lock keeps a second supervisor away when an agent was killed just after starting the first. */
static bool take_folder(Supervisor *s, Err *err)
{
    AUTOFREE char *lock = path_in(s, "lock"), *spec = path_in(s, "spec.json"),
                  *over = path_in(s, "exit.json");
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "open %s", lock);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, ERR_CONFLICT, 0, "%s has a supervisor already", s->dir);
    if (fs_exists(over))
        return err_set(err, ERR_CONFLICT, 0, "the program of %s has run already", s->dir);
    AUTOJSON json_t *j = NULL;
    return json_read_file(spec, &j, err) && wire_read(program_spec_fields, j, &s->spec, err);
}

/* Space for exit.json: a replica does not stay paused because its job filled the disk. */
static void keep_reserve(const Supervisor *s)
{
    AUTOFREE char *path = path_in(s, "reserve");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || posix_fallocate(fd, 0, RESERVE_BYTES) != 0)
        log_warn("no space is kept in reserve at %s", path);
    if (fd >= 0)
        close(fd);
}

static void run(Supervisor *s)
{
    Err err;
    keep_reserve(s);
    log_open(s, &s->out);
    log_open(s, &s->err);
    if (!capture_open(&s->capture, s->spec.capture, &err) || !start(s, &err)) {
        snprintf(s->start_error, sizeof s->start_error, "%.290s", err.text);
        s->late = s->late || child_is_late(&s->spec);
        while (s->job > 0 && !is_kept_apart(s) && waitpid(s->job, NULL, 0) < 0 && errno == EINTR)
            ;
        if (s->cgroup)
            (void)cgroup_end(s->cgroup, DRAIN_MS);
        return;
    }
    while (!s->ended)
        turn(s, next_wait_ms(s));
    await_helper(s);
    end_leftovers(s);
    capture_finish(&s->capture);
    if (*s->capture.trouble && !s->ended_by)
        s->ended_by = s->capture.trouble;
    write_progress(s);
}

int supervise_main(const char *dir)
{
    Supervisor s = {.dir = dir,
                    .out = {.name = "log", .in = -1, .fd = -1},
                    .err = {.name = "err", .in = -1, .fd = -1},
                    .progress_in = -1,
                    .keeper = -1};
    Err err;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    umask(077);
    s.signals = block_signals();
    if (!take_folder(&s, &err)) {
        log_error("supervise: %s", err.text);
        return 1;
    }
    run(&s);
    bool told = write_exit(&s);
    free(s.cgroup);
    wire_free(program_spec_fields, &s.spec);
    return told ? 0 : 1;
}
