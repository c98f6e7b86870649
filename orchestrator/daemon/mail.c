/* SPDX-License-Identifier: Apache-2.0 */
#include "mail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "orchestrator/core/mail_plan.h"

enum { TIMEOUT_MS = 60000, QUEUE_BYTES = 1 << 20 };

struct Mail {
    Coord *c;
    StrList lines;
    int64_t left_out;
    size_t sending; /* lines of the message under way */
    int64_t sending_left_out;
    MailTimes times;
    pid_t child;
    int fd; /* pidfd of the child */
    bool timed_out;
    bool told; /* that none goes out */
    struct event *due, *ended, *timeout;
    int64_t sent, failed;
};

static char *file_of(const Mail *m, const char *name)
{
    return xasprintf("%s/%s", m->c->conf.state_dir, name);
}

static bool is_on(const Coord *c)
{
    return c->conf.mail.to.n > 0;
}

static MailRules rules_of(const Coord *c)
{
    return (MailRules){c->conf.mail.batch_ms, c->conf.mail.per_hour};
}

static void arm(Mail *m)
{
    MailRules r = rules_of(m->c);
    int64_t now = clock_mono_ms(), due = mail_due_ms(&m->times, &r, now);
    if (!due || m->child)
        return;
    int64_t ms = due > now ? due - now : 1;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    event_add(m->due, &tv);
}

/* ---- the queue -------------------------------------------------------------------------------------- */

static void write_queue(Mail *m)
{
    Err err;
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *path = file_of(m, "mail.queue");
    for (size_t i = 0; i < m->lines.n; i++)
        str_addf(&text, "%s\n", m->lines.v[i]);
    bool ok = text.len ? fs_replace(path, text.p, text.len, 0600, &err) : fs_remove(path, &err);
    if (!ok)
        log_warn("%s", err.text);
}

static void append_queue(Mail *m, const char *line)
{
    AUTOFREE char *path = file_of(m, "mail.queue"), *text = xasprintf("%s\n", line);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        log_debug("%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void read_queue(Mail *m)
{
    Err err;
    AUTO(str_done) Str text = STR_INIT;
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    AUTOFREE char *path = file_of(m, "mail.queue");
    if (!fs_read(path, QUEUE_BYTES, &text, &err)) {
        if (err.kind != ERR_NOT_FOUND)
            log_warn("%s", err.text);
        return;
    }
    strlist_split(&lines, str_z(&text), '\n');
    for (size_t i = 0; i < lines.n && m->lines.n < MAIL_LINES; i++)
        if (*lines.v[i])
            strlist_add(&m->lines, lines.v[i]);
    if (m->lines.n)
        m->times.first_ms = clock_mono_ms();
}

static void drop_lines(Mail *m, size_t n)
{
    StrList rest = STRLIST_INIT;
    for (size_t i = n; i < m->lines.n; i++)
        strlist_add(&rest, m->lines.v[i]);
    strlist_done(&m->lines);
    m->lines = rest;
}

/* ---- sending ---------------------------------------------------------------------------------------- */

static char *last_words(const Mail *m)
{
    Err ignored;
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *path = file_of(m, "mail.log");
    if (!fs_read(path, 1000, &text, &ignored) || !text.len)
        return xstrdup("");
    for (char *p = text.p; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    return xasprintf(": %s", text.p);
}

static void went(Mail *m)
{
    int64_t now = clock_mono_ms();
    m->sent++;
    m->told = false;
    drop_lines(m, m->sending);
    m->left_out -= m->sending_left_out;
    mail_note_sent(&m->times, now);
    if (m->lines.n || m->left_out)
        m->times.first_ms = now;
    write_queue(m);
    log_info("a mail about %zu events has gone out", m->sending);
}

static void failed(Mail *m, const char *why)
{
    m->failed++;
    m->times.not_before_ms = clock_mono_ms() + m->c->conf.mail.batch_ms;
    if (!m->told)
        events_add(m->c, "warn", "mail", 0, NULL, NULL,
                   "a mail could not be sent, it is tried again until it goes: %s %s",
                   m->c->conf.mail.program, why);
    m->told = true;
}

static void stop_watching(Mail *m)
{
    event_del(m->timeout);
    if (m->ended)
        event_free(STEAL(m->ended));
    close(m->fd);
    m->fd = -1;
    m->child = 0;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Mail *m = arg;
    int status = 0;
    if (waitpid(m->child, &status, WNOHANG) == 0)
        return;
    stop_watching(m);
    AUTOFREE char *words = last_words(m);
    AUTOFREE char *why =
        m->timed_out          ? xasprintf("did not end within %d s%s", TIMEOUT_MS / 1000, words)
        : WIFSIGNALED(status) ? xasprintf("was killed by signal %d%s", WTERMSIG(status), words)
        : WEXITSTATUS(status) ? xasprintf("ended with status %d%s", WEXITSTATUS(status), words)
                              : NULL;
    if (why)
        failed(m, why);
    else
        went(m);
    arm(m);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Mail *m = arg;
    m->timed_out = true;
    kill(-m->child, SIGKILL);
}

static bool write_message(Mail *m, const char *path, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    const SidingConfig *c = &m->c->conf;
    m->sending = m->lines.n;
    m->sending_left_out = m->left_out;
    mail_compose(&c->mail.to, c->mail.from, c->cluster_name, &m->lines, m->left_out, &text);
    return fs_replace(path, text.p, text.len, 0600, err);
}

static bool start(Mail *m, const char *message, Err *err)
{
    const StrList *args = &m->c->conf.mail.args;
    AUTOFREE char *log = file_of(m, "mail.log");
    AUTOFREE char **argv = xcalloc(args->n + 2, sizeof *argv);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    argv[0] = m->c->conf.mail.program;
    for (size_t i = 0; i < args->n; i++)
        argv[i + 1] = args->v[i];
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, message, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    static char *env[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C.UTF-8", NULL};
    int rc = posix_spawn(&m->child, argv[0], &files, &attr, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    if (rc)
        m->child = 0;
    return rc == 0 || err_errno(err, rc, "start");
}

static void send_mail(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Mail *m = arg;
    Err err;
    AUTOFREE char *message = file_of(m, "mail.message");
    if (m->child || (!m->lines.n && !m->left_out) || !is_on(m->c))
        return;
    m->timed_out = false;
    if (!write_message(m, message, &err) || !start(m, message, &err)) {
        failed(m, err.text);
        arm(m);
        return;
    }
    m->fd = (int)syscall(SYS_pidfd_open, m->child, 0);
    m->ended = event_new(m->c->base, m->fd, EV_READ | EV_PERSIST, on_ended, m);
    event_add(m->ended, NULL);
    struct timeval tv = {TIMEOUT_MS / 1000, 0};
    event_add(m->timeout, &tv);
}

/* ---- from outside ----------------------------------------------------------------------------------- */

void mail_event(Coord *c, const EventRow *e)
{
    Mail *m = c->mail;
    LogLevel least = LOG_LEVEL_WARN, level = LOG_LEVEL_INFO;
    char time[CLOCK_TEXT];
    (void)log_level_from_name(c->conf.mail.level, &least);
    (void)log_level_from_name(e->level, &level);
    /* Trouble with mails is not mailed: it would never end. */
    if (!m || !is_on(c) || level > least || str_eq(e->kind, "mail"))
        return;
    clock_format(e->time, time);
    AUTOFREE char *line = mail_line(time, e->level, e->run, e->text);
    if (m->lines.n < MAIL_LINES) {
        strlist_add(&m->lines, line);
        append_queue(m, line);
    } else {
        m->left_out++;
    }
    if (!m->times.first_ms)
        m->times.first_ms = clock_mono_ms();
    arm(m);
}

MailCounts mail_counts(const Coord *c)
{
    const Mail *m = c->mail;
    return (MailCounts){m->sent, m->failed, (int64_t)m->lines.n + m->left_out};
}

void mail_open(Coord *c)
{
    Mail *m = NEW(Mail);
    m->c = c;
    m->fd = -1;
    m->due = evtimer_new(c->base, send_mail, m);
    m->timeout = evtimer_new(c->base, on_timeout, m);
    c->mail = m;
    read_queue(m);
    arm(m);
}

/* A mail under way goes on without us; what is in it is sent once more by the next coordinator. */
void mail_close(Coord *c)
{
    Mail *m = STEAL(c->mail);
    if (!m)
        return;
    if (m->child)
        stop_watching(m);
    event_free(m->due);
    event_free(m->timeout);
    strlist_done(&m->lines);
    free(m);
}
