/* SPDX-License-Identifier: Apache-2.0
 * A process is known by the lock that it holds on its state folder: what a file says alone may be long gone.
 */
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/proc.h"
#include "common/base/subprocess.h"
#include "common/file/fs.h"

enum { START_MS = 30000, END_MS = 60000, LOOK_MS = 50, SHOW_MS = 10000, SHOWN_MAX = 65536, TAIL = 4096 };

extern char **environ;

/* ---- systemd ---------------------------------------------------------------------------------------- */

bool service_unit_is_of(const char *shown, const char *config)
{
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    AUTOFREE char *two = xasprintf(" --config %s ;", config);
    AUTOFREE char *one = xasprintf(" --config=%s ;", config);
    bool loaded = false, ours = false;
    strlist_split(&lines, shown, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        const char *line = lines.v[i];
        loaded = loaded || str_eq(line, "LoadState=loaded");
        ours = ours || (str_starts(line, "ExecStart=") && (strstr(line, two) || strstr(line, one)));
    }
    return loaded && ours;
}

/* In the folders of PATH. Owned; NULL: not there. */
static char *find_program(const char *name)
{
    AUTO(strlist_done) StrList folders = STRLIST_INIT;
    const char *path = getenv("PATH");
    strlist_split(&folders, path ? path : "/usr/bin:/bin", ':');
    for (size_t i = 0; i < folders.n; i++) {
        AUTOFREE char *file = xasprintf("%s/%s", folders.v[i], name);
        if (file[0] == '/' && access(file, X_OK) == 0)
            return STEAL(file);
    }
    return NULL;
}

static bool show_unit(const char *systemctl, const char *file, Str *ret)
{
    Err ignored;
    SubprocessEnd end;
    AUTO(strlist_done) StrList args = STRLIST_INIT;
    strlist_add(&args, "show");
    strlist_add(&args, "--property=LoadState,ExecStart");
    strlist_add(&args, SERVICE_UNIT);
    const Subprocess p = {.program = systemctl, .args = &args, .timeout_ms = SHOW_MS, .log = file};
    return subprocess_run(&p, &end, &ignored) && subprocess_succeeded(&p, &end, &ignored) &&
           fs_read(file, SHOWN_MAX, ret, &ignored);
}

/* Where systemd is not there, systemctl says so with its exit status. */
static bool unit_runs(const char *systemctl, const char *config)
{
    char file[] = "/tmp/siding-unit-XXXXXX";
    AUTO(str_done) Str shown = STR_INIT;
    int fd = mkstemp(file);
    if (fd < 0)
        return false;
    close(fd);
    bool ok = show_unit(systemctl, file, &shown) && service_unit_is_of(str_z(&shown), config);
    unlink(file);
    return ok;
}

/* In our session, as it may ask for a password. */
static bool ask_systemd(const Service *s, const char *verb, const char *done, char **ret, Err *err)
{
    SubprocessEnd end;
    AUTO(strlist_done) StrList args = STRLIST_INIT;
    strlist_add(&args, verb);
    strlist_add(&args, SERVICE_UNIT);
    const Subprocess p = {.program = s->systemctl, .args = &args, .kept = true};
    if (!subprocess_run(&p, &end, err))
        return false;
    if (!subprocess_succeeded(&p, &end, err))
        return err_set(err, err->kind, err->code, "systemctl %s %s failed; journalctl -u sidingd says why",
                       verb, SERVICE_UNIT);
    *ret = xasprintf("%s %s", SERVICE_UNIT, done);
    return true;
}

/* ---- who holds the lock ----------------------------------------------------------------------------- */

static bool lock_trouble(const char *path, Err *err)
{
    int code = errno;
    err_errno(err, code, "open %s", path);
    return code == EACCES && err_set(err, err->kind, code, "%s; run this as the user of sidingd", err->text);
}

/* *ret 0: no coordinator runs on this state folder. */
static bool find_holder(const Cli *cli, pid_t *ret, Err *err)
{
    char text[32] = "";
    AUTOFREE char *path = xasprintf("%s/sidingd.lock", cli->config.state_dir);
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    *ret = 0;
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0)
        return lock_trouble(path, err);
    if (flock(fd, LOCK_SH | LOCK_NB) == 0)
        return true;
    if (pread(fd, text, sizeof text - 1, 0) < 0)
        return err_errno(err, errno, "read %s", path);
    *ret = (pid_t)atoi(text);
    return *ret > 0 || err_set(err, ERR_CORRUPT, 0, "%s is held by a process that it does not name", path);
}

/* One of another namespace has a number that means another process here. */
static bool is_sidingd(pid_t pid)
{
    Err ignored;
    AUTO(str_done) Str name = STR_INIT;
    AUTOFREE char *path = xasprintf("/proc/%d/comm", (int)pid);
    return fs_read(path, 64, &name, &ignored) && str_eq(str_z(&name), "sidingd\n");
}

static bool end_process(const Cli *cli, pid_t pid, Err *err)
{
    pid_t still;
    AUTOFD int pidfd = proc_open(pid);
    if (pidfd < 0)
        return errno == ESRCH || err_errno(err, errno, "open process %d", (int)pid);
    if (!find_holder(cli, &still, err))
        return false;
    if (still != pid)
        return true;
    if (!is_sidingd(pid))
        return err_set(err, ERR_REFUSED, 0,
                       "process %d, which %s/sidingd.lock names, is no sidingd here: end it where it was "
                       "started",
                       (int)pid, cli->config.state_dir);
    if (syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) != 0 && errno != ESRCH)
        return err_errno(err, errno, "end sidingd, process %d", (int)pid);
    struct pollfd p = {pidfd, POLLIN, 0};
    return poll(&p, 1, END_MS) > 0 ||
           err_set(err, ERR_TIMEOUT, 0,
                   "sidingd, process %d, has been asked to end and has not within %d s; kill -KILL %d ends "
                   "it, and no job",
                   (int)pid, END_MS / 1000, (int)pid);
}

/* ---- a daemon --------------------------------------------------------------------------------------- */

/* What it leaves there must be its own user's. */
static bool check_owner(const Cli *cli, Err *err)
{
    struct stat st;
    const char *dir = cli->config.state_dir;
    if (!fs_mkdirs(dir, 0750, err))
        return false;
    if (stat(dir, &st) != 0)
        return err_errno(err, errno, "look at %s", dir);
    return st.st_uid == geteuid() ||
           err_set(err, ERR_REFUSED, 0, "%s belongs to another user, who must start sidingd: uid %u", dir,
                   (unsigned)st.st_uid);
}

static bool spawn(const Service *s, const char *log, pid_t *ret, Err *err)
{
    AUTOFREE char *dir = fs_program_dir();
    AUTOFREE char *program = xasprintf("%s/sidingd", dir);
    char name[] = "sidingd", option[] = "--config";
    char *argv[] = {name, option, s->config, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr,
                             (short)(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0640);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawn_file_actions_addchdir_np(&files, "/");
    int rc = posix_spawn(ret, program, &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return rc == 0 || err_errno(err, rc, "start %s", program);
}

static bool answers(const Service *s, pid_t pid)
{
    Err ignored;
    pid_t holder;
    AUTOJSON json_t *queue = NULL;
    return find_holder(s->cli, &holder, &ignored) && holder == pid &&
           client_get(s->cli, "/v1/queue", &queue, &ignored);
}

/* The last line that it has written since. */
static bool say_why(const char *log, int64_t before, Err *err)
{
    char text[TAIL + 1];
    AUTOFD int fd = open(log, O_RDONLY | O_CLOEXEC);
    int64_t size = fs_size(log), from = size - before > TAIL ? size - TAIL : before;
    ssize_t n = fd < 0 ? 0 : pread(fd, text, TAIL, from < 0 ? 0 : from);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n > 0 ? n : 0] = '\0';
    const char *line = strrchr(text, '\n');
    return err_set(err, ERR_REFUSED, 0, "sidingd has ended at once; its log %s says: %s", log,
                   line ? line + 1 : text);
}

static bool await_answer(const Service *s, pid_t pid, const char *log, int64_t before, Err *err)
{
    int status;
    for (int64_t end = clock_mono_ms() + START_MS; clock_mono_ms() < end; clock_sleep_ms(LOOK_MS)) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return say_why(log, before, err);
        if (answers(s, pid))
            return true;
    }
    return err_set(err, ERR_TIMEOUT, 0,
                   "sidingd runs, process %d, and does not answer at %s after %d s; its log is %s", (int)pid,
                   s->cli->url, START_MS / 1000, log);
}

static bool start_daemon(const Service *s, char **ret, Err *err)
{
    pid_t pid;
    AUTOFREE char *log = xasprintf("%s/sidingd.log", s->cli->config.state_dir);
    if (!find_holder(s->cli, &pid, err))
        return false;
    if (pid) {
        *ret = xasprintf("sidingd runs already, process %d", (int)pid);
        return true;
    }
    if (!check_owner(s->cli, err))
        return false;
    int64_t before = fs_size(log);
    if (!spawn(s, log, &pid, err) || !await_answer(s, pid, log, before < 0 ? 0 : before, err))
        return false;
    *ret = xasprintf("sidingd runs, process %d, its log is %s", (int)pid, log);
    return true;
}

static bool end_daemon(const Service *s, char **ret, Err *err)
{
    pid_t pid;
    if (!find_holder(s->cli, &pid, err) || (pid && !end_process(s->cli, pid, err)))
        return false;
    *ret = xstrdup(pid ? "sidingd has ended" : "sidingd did not run");
    return true;
}

/* ---- either ----------------------------------------------------------------------------------------- */

bool service_open(const Cli *cli, Service *ret, Err *err)
{
    *ret = (Service){.cli = cli, .config = realpath(cli->config_path, NULL)};
    if (!ret->config)
        return err_errno(err, errno, "find %s", cli->config_path);
    if (cli->config_path[0] == '/')
        str_set(&ret->config, cli->config_path);
    AUTOFREE char *systemctl = find_program("systemctl");
    if (systemctl && unit_runs(systemctl, ret->config))
        ret->systemctl = STEAL(systemctl);
    return true;
}

void service_done(Service *s)
{
    free(s->config);
    free(s->systemctl);
}

bool service_start(const Service *s, char **ret, Err *err)
{
    return s->systemctl ? ask_systemd(s, "start", "runs", ret, err) : start_daemon(s, ret, err);
}

bool service_end(const Service *s, char **ret, Err *err)
{
    return s->systemctl ? ask_systemd(s, "stop", "has ended", ret, err) : end_daemon(s, ret, err);
}

bool service_restart(const Service *s, char **ret, Err *err)
{
    if (s->systemctl)
        return ask_systemd(s, "restart", "runs anew", ret, err);
    if (!end_daemon(s, ret, err))
        return false;
    str_set(ret, NULL);
    return start_daemon(s, ret, err);
}
