/* SPDX-License-Identifier: Apache-2.0 */
#include "mail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/subprocess.h"
#include "common/db/work.h"
#include "common/file/fs.h"
#include "orchestrator/core/mail_plan.h"
#include "zones.h"

enum { TIMEOUT_MS = 60000, QUEUE_BYTES = 1 << 20 };

struct Mail {
    Coord *c;
    StrList lines;
    int64_t left_out;
    size_t sending; /* lines of the message under way */
    int64_t sending_left_out;
    int64_t taken; /* seq of the newest event looked at */
    MailTimes times;
    bool busy;
    bool reported; /* that none goes out */
    WorkPool *pool;
    atomic_bool cancel; /* the coordinator stops */
    struct event *due;
    int64_t sent, failed;
};

/* A message under way. */
typedef struct Sending {
    Mail *m;
    char *program, *message, *log;
    StrList args;
    bool ok;
    Err err;
} Sending;

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
    if (!due || m->busy)
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

static void went(Mail *m)
{
    int64_t now = clock_mono_ms();
    m->sent++;
    m->reported = false;
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
    if (!m->reported)
        events_add(m->c, "warn", "mail", 0, NULL, NULL,
                   "a mail could not be sent, it is tried again until it goes: %s", why);
    m->reported = true;
}

static void in_worker(void *arg)
{
    Sending *s = arg;
    static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL};
    s->ok = subprocess_do(&(Subprocess){.program = s->program,
                                        .args = &s->args,
                                        .env = env,
                                        .input = s->message,
                                        .log = s->log,
                                        .timeout_ms = TIMEOUT_MS,
                                        .cancel = &s->m->cancel},
                          &s->err);
}

static void sending_free(Sending *s)
{
    free(s->program);
    free(s->message);
    free(s->log);
    strlist_done(&s->args);
    free(s);
}

static void in_loop(void *arg)
{
    Sending *s = arg;
    Mail *m = s->m;
    m->busy = false;
    if (s->ok)
        went(m);
    else if (!atomic_load(&m->cancel))
        failed(m, s->err.text);
    sending_free(s);
    if (!atomic_load(&m->cancel))
        arm(m);
}

static bool write_message(Mail *m, const char *path, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    const SidingConfig *c = &m->c->conf;
    m->sending = m->lines.n;
    m->sending_left_out = m->left_out;
    const Zone *here = NULL;
    AUTO(strlist_done) StrList to = STRLIST_INIT;
    (void)!zones_find(m->c, NULL, &here, err);
    mail_recipients(&c->mail.to, &c->mail.emergency, &m->lines, here, clock_wall_ms(), &to);
    mail_compose(&to, c->mail.from, c->cluster_name, &m->lines, m->left_out, &text);
    return fs_replace(path, text.p, text.len, 0600, err);
}

static Sending *sending_new(Mail *m)
{
    Sending *s = NEW(Sending);
    s->m = m;
    s->program = xstrdup(m->c->conf.mail.program);
    s->message = file_of(m, "mail.message");
    s->log = file_of(m, "mail.log");
    strlist_add_all(&s->args, &m->c->conf.mail.args);
    return s;
}

static void send_mail(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Mail *m = arg;
    Err err;
    if (m->busy || (!m->lines.n && !m->left_out) || !is_on(m->c))
        return;
    Sending *s = sending_new(m);
    m->busy =
        write_message(m, s->message, &err) && work_submit(m->pool, (WorkJob){in_worker, in_loop, s}, &err);
    if (m->busy)
        return;
    sending_free(s);
    failed(m, err.text);
    arm(m);
}

/* ---- from outside ----------------------------------------------------------------------------------- */

static void take(Mail *m, const EventRow *e)
{
    const Coord *c = m->c;
    LogLevel least = LOG_LEVEL_WARN, level = LOG_LEVEL_INFO;
    char time[CLOCK_TEXT];
    (void)log_level_from_name(c->conf.mail.level, &least);
    (void)log_level_from_name(e->level, &level);
    /* Trouble with mails is not mailed: it would never end. */
    if (!is_on(c) || level > least || str_eq(e->kind, "mail"))
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

void mail_step(Coord *c)
{
    Mail *m = c->mail;
    while (m->taken < events_last(c)) {
        const EventRow *e = events_at(c, ++m->taken);
        if (e)
            take(m, e);
        else
            m->left_out += is_on(c);
    }
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
    m->taken = events_last(c);
    m->pool = work_new(c->base, "mail", 1, 1);
    m->due = evtimer_new(c->base, send_mail, m);
    c->mail = m;
    read_queue(m);
    arm(m);
}

/* A mail under way is given up; the next coordinator sends what is in it. */
void mail_close(Coord *c)
{
    if (!c->mail)
        return;
    mail_step(c);
    Mail *m = STEAL(c->mail);
    atomic_store(&m->cancel, true);
    work_free(m->pool);
    event_free(m->due);
    strlist_done(&m->lines);
    free(m);
}
