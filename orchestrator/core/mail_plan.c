/* SPDX-License-Identifier: Apache-2.0 */
#include "mail_plan.h"

#include <string.h>

#include "window.h"

enum { HOUR_MS = 3600000, SUBJECT_TEXT = 120 };

int64_t mail_due_ms(const MailTimes *t, const MailRules *r, int64_t now_ms)
{
    if (!t->first_ms || r->per_hour <= 0)
        return 0;
    int64_t due = t->first_ms + r->batch_ms;
    size_t n = r->per_hour < MAIL_MOST_PER_HOUR ? (size_t)r->per_hour : MAIL_MOST_PER_HOUR;
    /* The one that must have become an hour old before another may go. */
    int64_t oldest = t->sent_ms[(t->next + MAIL_MOST_PER_HOUR - n) % MAIL_MOST_PER_HOUR];
    if (oldest && now_ms - oldest < HOUR_MS && due < oldest + HOUR_MS)
        due = oldest + HOUR_MS;
    return due > t->not_before_ms ? due : t->not_before_ms;
}

void mail_note_sent(MailTimes *t, int64_t now_ms)
{
    t->sent_ms[t->next] = now_ms;
    t->next = (t->next + 1) % MAIL_MOST_PER_HOUR;
    t->first_ms = t->not_before_ms = 0;
}

static void add_one_line(Str *out, const char *text)
{
    for (const char *p = text; *p; p++)
        str_addc(out, (unsigned char)*p < ' ' || *p == 127 ? ' ' : *p);
}

char *mail_line(const char *time, const char *level, const char *run, const char *text)
{
    Str out = STR_INIT;
    str_addf(&out, "%s  %-5s  ", time, level);
    if (run)
        str_addf(&out, "run %s: ", run);
    add_one_line(&out, text);
    return str_take(&out);
}

/* Header lines are plain ASCII. */
static void add_header(Str *out, const char *text, size_t most)
{
    for (size_t n = 0; *text && n < most; text++, n++)
        str_addc(out, *text >= ' ' && *text < 127 ? *text : '?');
}

static const char *text_of(const char *line)
{
    /* "TIME  LEVEL  text" */
    const char *p = strstr(line, "  ");
    p = p ? strstr(p + 2, "  ") : NULL;
    return p ? p + strspn(p, " ") : line;
}

static bool has_error(const StrList *lines)
{
    for (size_t i = 0; i < lines->n; i++) {
        const char *level = strstr(lines->v[i], "  ");
        if (level && str_starts(level, "  error  "))
            return true;
    }
    return false;
}

bool mail_check(const char *path, const ConfList *emergency, Err *err)
{
    const MailEmergency *e = emergency->v;
    for (size_t i = 0; i < emergency->n; i++) {
        WindowSet ignored;
        Err why;
        AUTOFREE char *option = xasprintf("mail.emergency.[%zu].window", i);
        if (e[i].window && !window_parse(e[i].window, &ignored, &why))
            return conf_error(err, path, option, "%s", why.text);
    }
    return true;
}

static void add_each_once(StrList *ret, const StrList *more)
{
    for (size_t i = 0; i < more->n; i++)
        if (!strlist_has(ret, more->v[i]))
            strlist_add(ret, more->v[i]);
}

void mail_recipients(const StrList *always, const ConfList *emergency, const StrList *lines, const Zone *z,
                     int64_t wall_ms, StrList *ret)
{
    const MailEmergency *e = emergency->v;
    add_each_once(ret, always);
    for (size_t i = 0; i < emergency->n && has_error(lines); i++) {
        WindowSet w;
        Err ignored;
        if (!e[i].window || !window_parse(e[i].window, &w, &ignored) || !window_wait_ms(&w, z, wall_ms))
            add_each_once(ret, &e[i].to);
    }
}

void mail_headers(const StrList *to, const char *from, const char *cluster, const char *subject, Str *out)
{
    str_adds(out, "To: ");
    for (size_t i = 0; i < to->n; i++) {
        str_adds(out, i ? ", " : "");
        add_header(out, to->v[i], 320);
    }
    if (from) {
        str_adds(out, "\nFrom: ");
        add_header(out, from, 320);
    }
    str_adds(out, "\nSubject: [siding ");
    add_header(out, cluster, 64);
    str_adds(out, "] ");
    add_header(out, subject, SUBJECT_TEXT);
    str_adds(out,
             "\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
             "Auto-Submitted: auto-generated\n\n");
}

void mail_compose(const StrList *to, const char *from, const char *cluster, const StrList *lines,
                  int64_t left_out, Str *out)
{
    int64_t n = (int64_t)lines->n + left_out;
    AUTO(str_done) Str subject = STR_INIT;
    if (n > 1)
        str_addf(&subject, "%lld events: ", (long long)n);
    str_adds(&subject, lines->n ? text_of(lines->v[0]) : "");
    mail_headers(to, from, cluster, str_z(&subject), out);
    for (size_t i = 0; i < lines->n; i++)
        str_addf(out, "%s\n", lines->v[i]);
    if (left_out)
        str_addf(out, "and %lld more; see siding status and the log of sidingd\n", (long long)left_out);
}
