/* SPDX-License-Identifier: Apache-2.0 */
#include "turn_mail.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/retry.h"
#include "common/base/text.h"
#include "common/file/json.h"
#include "mail_plan.h"

enum { MOST_TRIES = 12, FIRST_WAIT_MS = 30000, LONGEST_WAIT_MS = 3600000 };

const WireField turn_mail_fields[] = WIRE_FIELDS(TurnMail, TURN_MAIL_LIST);

/* ---- addresses -------------------------------------------------------------------------------------- */

/* A mailbox, of this host or another: nothing that a mail program takes for more than one, or for an option.
 */
static bool is_address(const char *text)
{
    static const char local[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+/=?^_`{|}~.-",
                      host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    size_t n = strspn(text, local);
    if (n == 0 || *text == '-' || *text == '|' || *text == '/')
        return false;
    return !text[n] || (text[n] == '@' && text[n + 1] && strspn(text + n + 1, host) == strlen(text + n + 1));
}

/* "erika (by root)": who it was said to be. Owned. */
static char *user_of(const char *user)
{
    const char *by = user ? strstr(user, " (by ") : NULL;
    return xstrndup(user ? user : "", by ? (size_t)(by - user) : strlen(user ? user : ""));
}

bool turn_mail_check(const TaskPlan *p, const char *user, Err *err)
{
    AUTOFREE char *name = user_of(user);
    for (size_t i = 0; i < p->email_logs_to.n; i++)
        if (!is_address(p->email_logs_to.v[i]))
            return err_set(err, ERR_USAGE, 0, "\"%.100s\" of email_logs_to is no address",
                           p->email_logs_to.v[i]);
    return !p->email_logs_on_error || is_address(name) ||
           err_set(err, ERR_USAGE, 0,
                   "email_logs_on_error mails the user of the task, and \"%.100s\" is no address", name);
}

static void recipients(const Task *t, bool well, StrList *ret)
{
    Err ignored;
    AUTOFREE char *user = user_of(t->user);
    if (json_is_array(json_object_get(t->plan, "email_logs_to")))
        (void)!json_opt_strs(t->plan, "email_logs_to", ret, &ignored);
    if (!well && json_bool(t->plan, "email_logs_on_error") && is_address(user) && !strlist_has(ret, user))
        strlist_add(ret, user);
}

bool turn_mail_is_wanted(const Task *t, bool well)
{
    AUTO(strlist_done) StrList to = STRLIST_INIT;
    if (t->plan)
        recipients(t, well, &to);
    return to.n > 0;
}

void turn_mail_fill(const Task *t, const Run *r, bool well, TurnMail *ret)
{
    *ret = (TurnMail){.task = t->id,
                      .run = xstrdup(r->id),
                      .name = xstrdup(t->name),
                      .job = xstrdup(t->job),
                      .node = xstrdup(r->nodes.n ? r->nodes.v[0] : NULL),
                      .state = xstrdup(WIRE_TEXT(coord_run_state_names, r, state)),
                      .error = xstrdup(r->error),
                      .started_at = r->started_at,
                      .ended_at = r->finished_at};
    recipients(t, well, &ret->to);
}

/* ---- the message ------------------------------------------------------------------------------------ */

static void add_time(Str *out, const char *what, int64_t at)
{
    char text[CLOCK_TEXT];
    clock_format(at, text);
    if (at)
        str_addf(out, "%-9s%s\n", what, text);
}

static void add_headers(const TurnMail *m, const char *from, const char *cluster, Str *out)
{
    AUTOFREE char *subject =
        xasprintf("task %" PRId64 " %s: %s", m->task, m->name ? m->name : "", m->state ? m->state : "?");
    mail_headers(&m->to, from, cluster, subject, out);
}

static void add_log(Str *out, const char *title, const LogText *log)
{
    str_addf(out, "\n---- %s ----\n", title);
    if (log->err.kind)
        str_addf(out, "It could not be read: %s\n", log->err.text);
    else if (!log->text.len)
        str_adds(out, "(nothing)\n");
    if (log->cut)
        str_adds(out, "(what stands before this is left out: siding task log)\n");
    text_clean_lines(out, str_z(&log->text), log->text.len);
    if (log->text.len && log->text.p[log->text.len - 1] != '\n')
        str_addc(out, '\n');
}

void turn_mail_compose(const TurnMail *m, const char *from, const char *cluster, const LogText *log,
                       const LogText *errors, Str *out)
{
    add_headers(m, from, cluster, out);
    str_addf(out, "%-9s%.*s\n%-9s%s\n%-9s%s\n", "run", RUN_TEXT(m->run ? m->run : "?"), "job",
             m->job ? m->job : "?", "state", m->state ? m->state : "?");
    if (m->error) {
        str_adds(out, "error    ");
        text_clean(out, m->error);
        str_addc(out, '\n');
    }
    add_time(out, "started", m->started_at);
    add_time(out, "ended", m->ended_at);
    add_log(out, "log", log);
    add_log(out, "errors", errors);
}

int64_t turn_mail_wait_ms(int64_t tries)
{
    return tries >= MOST_TRIES ? 0 : retry_wait_ms(tries, FIRST_WAIT_MS, LONGEST_WAIT_MS);
}
