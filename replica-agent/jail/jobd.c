/* SPDX-License-Identifier: Apache-2.0
 * siding-jobd: the only part of Siding that is root on a database host. It listens to the agent's user alone,
 * and gives each connection to a keeper of its own (keeper.h), which outlives it. It reads one file of
 * root's, opens no network, knows no database.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/opts.h"
#include "common/base/text.h"
#include "common/file/fs.h"
#include "common/net/sdnotify.h"
#include "jobd_config.h"
#include "keeper.h"

enum { MOST_KEEPERS = 64, SWEEP_AFTER_MS = 200 };

typedef struct JobdArgs {
    char *config;
    bool check, print_config, print_sample;
} JobdArgs;

#define FIELD(name) offsetof(JobdArgs, name)
static const Opt options[] = {
    {"config", 'c', OPT_STR, FIELD(config), .arg = "FILE", .doc = "The configuration, jobd.conf."},
    {"check", 0, OPT_FLAG, FIELD(check), .doc = "Reads it, says what is wrong with it, and ends."},
    {"print-config", 0, OPT_FLAG, FIELD(print_config), .doc = "Prints the reference of jobd.conf.",
     .section = "For the documentation"},
    {"print-sample", 0, OPT_FLAG, FIELD(print_sample), .doc = "Prints a sample jobd.conf."},
    {0},
};

typedef struct Jobd {
    JobdConfig conf;
    KeeperRules rules;
    struct event_base *base;
    struct event *listening, *sweeping, *signals[3];
    int fd, keepers;
} Jobd;

/* ---- keepers -------------------------------------------------------------------------------------- */

static bool is_asker(const Jobd *d, int fd, uid_t *ret)
{
    struct ucred who;
    socklen_t n = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
        return false;
    *ret = who.uid;
    return who.uid == 0 || who.uid == d->rules.asker;
}

static _Noreturn void keep(const Jobd *d, int fd)
{
    sigset_t none;
    close(d->fd); /* a keeper that outlives us must not look as if we answered */
    sigemptyset(&none);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    _exit(keeper_main(fd, &d->rules));
}

static void on_accept(evutil_socket_t listening, short what, void *arg)
{
    (void)what;
    Jobd *d = arg;
    uid_t uid = 0;
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (!is_asker(d, fd, &uid)) {
        log_warn("user %u may not ask for anything: agent_user is %s", uid, d->conf.agent_user);
    } else if (d->keepers >= MOST_KEEPERS) {
        log_warn("%d jobs are kept already: no more", MOST_KEEPERS);
    } else {
        pid_t pid = fork();
        if (pid == 0)
            keep(d, fd);
        d->keepers += pid > 0;
    }
    close(fd);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    keeper_sweep(&((Jobd *)arg)->rules);
}

/* A keeper that was killed could not hand its folder over; the kernel has ended its job by the time we do. */
static void on_child(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Jobd *d = arg;
    int status;
    struct timeval later = {0, SWEEP_AFTER_MS * 1000};
    while (waitpid(-1, &status, WNOHANG) > 0) {
        d->keepers--;
        if (WIFSIGNALED(status))
            event_add(d->sweeping, &later);
    }
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Jobd *d = arg;
    log_info("ending; %d job(s) go on, each with its keeper", d->keepers);
    event_base_loopbreak(d->base);
}

/* ---- beginning ------------------------------------------------------------------------------------ */

static bool take_rules(Jobd *d, Err *err)
{
    const JobdConfig *c = &d->conf;
    const struct passwd *p = getpwnam(c->agent_user);
    if (!p)
        return err_set(err, ERR_CONFIG, 0, "there is no operating system user \"%s\" (agent_user)",
                       c->agent_user);
    d->rules = (KeeperRules){.asker = p->pw_uid,
                             .asker_group = p->pw_gid,
                             .spool_dir = c->spool_dir,
                             .users = &c->users,
                             .programs = &c->programs,
                             .hide = &c->hide,
                             .show = &c->show,
                             .memory_bytes = c->memory_limit_bytes,
                             .tasks = c->tasks_limit};
    return geteuid() == 0 || err_set(err, ERR_REFUSED, 0, "siding-jobd must be run by root");
}

static bool listen_at(Jobd *d, Err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const char *path = d->conf.socket;
    if (strlen(path) >= sizeof a.sun_path)
        return err_set(err, ERR_CONFIG, 0, "%s is too long for a socket", path);
    memcpy(a.sun_path, path, strlen(path) + 1);
    d->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    mode_t mask = umask(0177);
    bool ok = d->fd >= 0 && bind(d->fd, (struct sockaddr *)&a, sizeof a) == 0;
    umask(mask);
    /* Only the agent's user comes in; who it is is asked again at each connection. */
    ok = ok && chown(path, d->rules.asker, d->rules.asker_group) == 0 && listen(d->fd, MOST_KEEPERS) == 0;
    return ok || err_errno(err, errno, "listen at %s", path);
}

static void take_events(Jobd *d)
{
    d->base = event_base_new();
    d->listening = event_new(d->base, d->fd, EV_READ | EV_PERSIST, on_accept, d);
    d->sweeping = evtimer_new(d->base, on_sweep, d);
    d->signals[0] = evsignal_new(d->base, SIGCHLD, on_child, d);
    d->signals[1] = evsignal_new(d->base, SIGTERM, on_stop, d);
    d->signals[2] = evsignal_new(d->base, SIGINT, on_stop, d);
    event_add(d->listening, NULL);
    for (size_t i = 0; i < COUNT(d->signals); i++)
        event_add(d->signals[i], NULL);
}

static int serve(Jobd *d)
{
    Err err;
    struct timeval soon = {0, SWEEP_AFTER_MS * 1000};
    d->fd = -1;
    if (!take_rules(d, &err) || !listen_at(d, &err)) {
        log_error("%s", err.text);
        return 1;
    }
    take_events(d);
    event_add(d->sweeping, &soon);
    log_info("siding-jobd " SIDING_VERSION " at %s for %s", d->conf.socket, d->conf.agent_user);
    sdnotify_begin(d->base);
    event_base_dispatch(d->base);
    sdnotify_end();
    struct event *const all[] = {d->listening, d->sweeping, d->signals[0], d->signals[1], d->signals[2]};
    for (size_t i = 0; i < COUNT(all); i++)
        event_free(all[i]);
    event_base_free(d->base);
    close(d->fd);
    return 0;
}

static int with_config(const JobdArgs *args)
{
    Err err;
    Jobd d = {0};
    if (!args->config) {
        fputs("siding-jobd: --config FILE is needed; try --help\n", stderr);
        return 2;
    }
    if (!jobd_config_load(args->config, &d.conf, &err)) {
        text_print(stderr, "siding-jobd: %s\n", err.text);
        return 1;
    }
    int status = args->check ? 0 : serve(&d);
    jobd_config_free(&d.conf);
    return status;
}

static int print(const JobdArgs *args, OptSpecial special)
{
    AUTO(str_done) Str out = STR_INIT;
    if (special == OPT_HELP)
        opts_write_help(
            options, "siding-jobd --config FILE",
            "Runs jobs for the agent of this host as users of their own, kept apart from the rest "
            "of it.",
            &out);
    else if (special == OPT_VERSION)
        str_adds(&out, "siding-jobd " SIDING_VERSION "\n");
    else if (args->print_config)
        conf_write_reference(jobd_config_options, &out);
    else
        conf_write_sample(jobd_config_options, &out);
    fputs(str_z(&out), stdout);
    return 0;
}

int main(int argc, char **argv)
{
    Err err;
    JobdArgs args = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    log_setup("siding-jobd", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    umask(077);
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err)) {
        text_print(stderr, "siding-jobd: %s\n", err.text);
        return err_exit_status(&err);
    }
    bool prints = special != OPT_RUN || args.print_config || args.print_sample;
    int status = prints ? print(&args, special) : with_config(&args);
    opts_free(options, &args);
    return status;
}
