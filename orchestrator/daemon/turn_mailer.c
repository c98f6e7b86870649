/* SPDX-License-Identifier: Apache-2.0 */
#include "turn_mailer.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/subprocess.h"
#include "common/file/fs.h"
#include "events.h"
#include "orchestrator/core/turn_mail.h"
#include "run_log.h"

enum { SEND_MS = 60000, WAITING_MOST = 200, TRIES_FOR_LOG = 4, QUEUE_BYTES = 8 << 20 };

struct TurnMailer {
    Coord *c;
    WireList waiting; /* TurnMail, the first is under way while `busy` */
    bool busy;
    WorkPool *pool;
    atomic_bool cancel; /* the coordinator stops */
    struct event *due;
};

/* One under way. */
typedef struct Mailing {
    struct TurnMailer *m;
    TurnMail mail;
    RunLogSource source; /* url NULL: nobody can be asked */
    char *program, *from, *cluster, *message, *log;
    StrList args;
    size_t most; /* bytes of a stream */
    bool ok;
    Err err;
} Mailing;

static TurnMail *first(const struct TurnMailer *m)
{
    return m->waiting.v;
}

/* ---- the queue -------------------------------------------------------------------------------------- */

static char *file_of(const struct TurnMailer *m, const char *name)
{
    return xasprintf("%s/%s", m->c->conf.state_dir, name);
}

static void write_queue(const struct TurnMailer *m)
{
    Err err;
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *path = file_of(m, "logmail.queue");
    for (size_t i = 0; i < m->waiting.n; i++) {
        AUTOJSON json_t *j = wire_write(turn_mail_fields, first(m) + i);
        AUTOFREE char *line = json_text(j);
        str_addf(&text, "%s\n", line);
    }
    bool ok = text.len ? fs_replace(path, text.p, text.len, 0600, &err) : fs_remove(path, &err);
    if (!ok)
        log_warn("%s", err.text);
}

static void read_line(struct TurnMailer *m, const char *line)
{
    Err err;
    TurnMail mail = {0};
    AUTOJSON json_t *j = NULL;
    if (json_parse(line, strlen(line), &j, &err) && wire_read(turn_mail_fields, j, &mail, &err))
        *(TurnMail *)wire_list_add(&m->waiting, sizeof mail) = mail;
    else
        log_warn("a mail that waited cannot be read: %s", err.text);
}

static void read_queue(struct TurnMailer *m)
{
    Err err;
    AUTO(str_done) Str text = STR_INIT;
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    AUTOFREE char *path = file_of(m, "logmail.queue");
    if (!fs_read(path, QUEUE_BYTES, &text, &err)) {
        if (err.kind != ERR_NOT_FOUND)
            log_warn("%s", err.text);
        return;
    }
    strlist_split(&lines, str_z(&text), '\n');
    for (size_t i = 0; i < lines.n && m->waiting.n < WAITING_MOST; i++)
        read_line(m, lines.v[i]);
}

static void drop_first(struct TurnMailer *m)
{
    wire_free(turn_mail_fields, first(m));
    memmove(first(m), first(m) + 1, --m->waiting.n * sizeof(TurnMail));
}

/* The one that may go first comes to the front: one that does not go holds up none. */
static void put_next_first(struct TurnMailer *m)
{
    size_t next = 0;
    for (size_t i = 1; i < m->waiting.n; i++)
        if (first(m)[i].not_before_ms < first(m)[next].not_before_ms)
            next = i;
    TurnMail mail = first(m)[next];
    memmove(first(m) + 1, first(m), next * sizeof mail);
    *first(m) = mail;
}

static void arm(struct TurnMailer *m)
{
    if (!m->waiting.n || m->busy)
        return;
    put_next_first(m);
    int64_t ms = first(m)->not_before_ms - clock_mono_ms();
    struct timeval tv = {ms > 0 ? ms / 1000 : 0, ms > 0 ? ms % 1000 * 1000 : 1000};
    event_add(m->due, &tv);
}

/* ---- sending ---------------------------------------------------------------------------------------- */

/* A log that cannot be had now may be had at the next try; after some the mail goes without it. */
static bool must_wait_for(const Mailing *p, const LogText *l, Err *err)
{
    if (!l->err.kind || l->err.kind == ERR_NOT_FOUND || p->mail.tries >= TRIES_FOR_LOG)
        return false;
    *err = l->err;
    return true;
}

static void read_log(const Mailing *p, const char *stream, LogText *ret)
{
    if (p->source.url)
        run_log_tail(&p->source, stream, p->most, ret);
    else
        err_set(&ret->err, ERR_NOT_FOUND, 0, "%s is not among the agents any more",
                p->mail.node ? p->mail.node : "its node");
}

static bool write_message(Mailing *p, const LogText *log, const LogText *errors)
{
    AUTO(str_done) Str text = STR_INIT;
    if (must_wait_for(p, log, &p->err))
        return false;
    turn_mail_compose(&p->mail, p->from, p->cluster, log, errors, &text);
    return fs_replace(p->message, text.p, text.len, 0600, &p->err);
}

static void in_worker(void *arg)
{
    Mailing *p = arg;
    LogText log = {0}, errors = {0};
    static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL};
    read_log(p, "log", &log);
    read_log(p, "err", &errors);
    p->ok = write_message(p, &log, &errors) && subprocess_do(&(Subprocess){.program = p->program,
                                                                           .args = &p->args,
                                                                           .env = env,
                                                                           .input = p->message,
                                                                           .log = p->log,
                                                                           .timeout_ms = SEND_MS,
                                                                           .cancel = &p->m->cancel},
                                                             &p->err);
    str_done(&log.text);
    str_done(&errors.text);
}

static void failed(struct TurnMailer *m, const char *why)
{
    TurnMail *mail = first(m);
    int64_t wait = turn_mail_wait_ms(++mail->tries);
    if (mail->tries == 1 || !wait)
        events_add(m->c, "warn", "mail", mail->task, mail->run, NULL, "its log could not be mailed, %s: %s",
                   wait ? "it is tried again" : "and is given up", why);
    mail->not_before_ms = clock_mono_ms() + wait;
    if (!wait)
        drop_first(m);
    write_queue(m);
    arm(m);
}

static void mailing_free(Mailing *p)
{
    char *const owned[] = {p->program, p->from, p->cluster, p->message, p->log};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    wire_free(turn_mail_fields, &p->mail);
    run_log_source_done(&p->source);
    strlist_done(&p->args);
    free(p);
}

static void in_loop(void *arg)
{
    Mailing *p = arg;
    struct TurnMailer *m = p->m;
    m->busy = false;
    if (p->ok) {
        log_info("the log of run %.*s has gone out by mail", RUN_TEXT(p->mail.run));
        drop_first(m);
        write_queue(m);
        arm(m);
    } else if (!atomic_load(&m->cancel)) {
        failed(m, p->err.text);
    }
    mailing_free(p);
}

static Mailing *mailing_new(struct TurnMailer *m)
{
    const SidingConfig *conf = &m->c->conf;
    const TurnMail *mail = first(m);
    const AgentLink *a = mail->node ? state_agent(m->c, mail->node) : NULL;
    Mailing *p = NEW(Mailing);
    p->m = m;
    wire_copy(turn_mail_fields, &p->mail, mail);
    if (a)
        p->source = run_log_source(a->url, mail->run, &conf->tls);
    p->program = xstrdup(conf->mail.program);
    strlist_add_all(&p->args, &conf->mail.args);
    p->from = xstrdup(conf->mail.from);
    p->cluster = xstrdup(conf->cluster_name);
    p->most = (size_t)conf->mail.log_bytes;
    p->message = file_of(m, "logmail.message");
    p->log = file_of(m, "logmail.log");
    return p;
}

static void send_next(evutil_socket_t fd, short what, void *arg)
{
    struct TurnMailer *m = arg;
    Err err;
    (void)fd;
    (void)what;
    if (m->busy || !m->waiting.n)
        return;
    Mailing *p = mailing_new(m);
    m->busy = work_submit(m->pool, (WorkJob){in_worker, in_loop, p}, &err);
    if (m->busy)
        return;
    mailing_free(p);
    failed(m, err.text);
}

/* ---- from outside ----------------------------------------------------------------------------------- */

void turn_mailer_add(Coord *c, const Task *t, bool well)
{
    struct TurnMailer *m = c->turn_mailer;
    const Run *r = (const Run *)t->runs.v + (t->runs.n - 1);
    if (m->waiting.n >= WAITING_MOST) {
        events_add(c, "warn", "mail", t->id, r->id, NULL, "its log is not mailed: %d others wait for that",
                   WAITING_MOST);
        return;
    }
    turn_mail_fill(t, r, well, wire_list_add(&m->waiting, sizeof(TurnMail)));
    write_queue(m);
    arm(m);
}

void turn_mailer_open(Coord *c)
{
    struct TurnMailer *m = NEW(struct TurnMailer);
    m->c = c;
    m->pool = work_new(c->base, "logmail", 1, 1);
    m->due = evtimer_new(c->base, send_next, m);
    c->turn_mailer = m;
    read_queue(m);
    arm(m);
}

void turn_mailer_close(Coord *c)
{
    struct TurnMailer *m = STEAL(c->turn_mailer);
    if (!m)
        return;
    atomic_store(&m->cancel, true);
    work_free(m->pool);
    event_free(m->due);
    while (m->waiting.n)
        drop_first(m);
    free(m->waiting.v);
    free(m);
}
