/* SPDX-License-Identifier: Apache-2.0 */
#include "node_events.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "replica-agent/agent/agent.h"

enum { CHECK_MS = 500 };

/* clang-format off */
static const WireField told_fields[] = {
    {"last", WIRE_INT, offsetof(Tell, last), NULL, 0},
    {"warnings", WIRE_STRS, offsetof(Tell, warnings), NULL, 0},
    {NULL, WIRE_STR, 0, NULL, 0},
};

/* events.json of an older version */
static const WireField tell_fields[] = {
    {"events", WIRE_LIST, offsetof(Tell, events), agent_event_fields, sizeof(AgentEvent)},
    {"last", WIRE_INT, offsetof(Tell, last), NULL, 0},
    {"warnings", WIRE_STRS, offsetof(Tell, warnings), NULL, 0},
    {NULL, WIRE_STR, 0, NULL, 0},
};
/* clang-format on */

static AgentEvent *at(const Tell *t, size_t i)
{
    return (AgentEvent *)t->events.v + i;
}

static char *key_of(const AgentEvent *e)
{
    return xasprintf("event/%lld", (long long)e->seq);
}

static void drop_first(Agent *a, size_t n)
{
    Tell *t = &a->tell;
    for (size_t i = 0; i < n; i++) {
        if (!a->stopping)
            store_put(a, key_of(at(t, i)), NULL);
        wire_free(agent_event_fields, at(t, i));
    }
    if (n && n < t->events.n)
        memmove(at(t, 0), at(t, n), (t->events.n - n) * sizeof(AgentEvent));
    t->events.n -= n;
}

static const char *level_name(LogLevel l)
{
    return l == LOG_LEVEL_ERROR ? "error" : l == LOG_LEVEL_WARN ? "warn" : "info";
}

void tell_add(Agent *a, LogLevel l, const char *kind, const char *run, const char *text)
{
    tell_of_failover(a, l, kind, run, text, 0);
}

void tell_of_failover(Agent *a, LogLevel l, const char *kind, const char *run, const char *text, int64_t term)
{
    Tell *t = &a->tell;
    if (run)
        log_line(l, "run %.*s: %s", RUN_TEXT(run), text);
    else
        log_line(l, "%s", text);
    t->told[l == LOG_LEVEL_ERROR ? 2 : l == LOG_LEVEL_WARN ? 1 : 0]++;
    if (t->events.n >= TELL_KEPT) {
        drop_first(a, 1);
        t->dropped++;
    }
    int64_t now = clock_wall_ms();
    t->last = now > t->last ? now : t->last + 1;
    AgentEvent *e = wire_list_add(&t->events, sizeof *e);
    *e = (AgentEvent){t->last, now, xstrdup(level_name(l)), xstrdup(kind), xstrdup(run), xstrdup(text), term};
    t->changed = true;
    agent_changed(a);
}

void tell_event(Agent *a, const char *level, const char *kind, const char *run, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTOFREE char *text = xvasprintf(fmt, ap);
    va_end(ap);
    LogLevel l = LOG_LEVEL_INFO;
    (void)log_level_from_name(level, &l);
    tell_add(a, l, kind, run, text);
}

void tell_acknowledge(Agent *a, int64_t seq)
{
    Tell *t = &a->tell;
    size_t n = 0;
    while (n < t->events.n && at(t, n)->seq <= seq)
        n++;
    if (!n)
        return;
    drop_first(a, n);
    store_flush(a, false);
}

void tell_records(Agent *a)
{
    Tell *t = &a->tell;
    for (size_t i = 0; i < t->events.n; i++)
        if (at(t, i)->seq > t->given)
            store_put(a, key_of(at(t, i)), wire_write(agent_event_fields, at(t, i)));
    if (t->changed)
        store_put(a, xstrdup("told"), wire_write(told_fields, t));
    t->changed = false;
    t->given = t->last;
}

/* ---- what is wrong now ----------------------------------------------------------------------------- */

/* Figures change from look to look; the sentence is the same. */
static bool same_but_figures(const char *a, const char *b)
{
    for (;;) {
        while (isdigit((unsigned char)*a) || *a == '.')
            a++;
        while (isdigit((unsigned char)*b) || *b == '.')
            b++;
        if (*a != *b)
            return false;
        if (!*a)
            return true;
        a++;
        b++;
    }
}

static bool has(const StrList *l, const char *text)
{
    for (size_t i = 0; i < l->n; i++)
        if (same_but_figures(l->v[i], text))
            return true;
    return false;
}

static void check_warnings(Agent *a)
{
    Tell *t = &a->tell;
    StrList now = STRLIST_INIT;
    node_warnings(a, &now);
    for (size_t i = 0; i < now.n; i++)
        if (!has(&t->warnings, now.v[i]))
            tell_add(a, LOG_LEVEL_WARN, "node", NULL, now.v[i]);
    for (size_t i = 0; i < t->warnings.n; i++)
        if (!has(&now, t->warnings.v[i]))
            tell_event(a, "info", "node", NULL, "over: %s", t->warnings.v[i]);
    t->changed = t->changed || now.n != t->warnings.n;
    strlist_done(&t->warnings);
    t->warnings = now;
}

void tell_tick(Agent *a)
{
    Tell *t = &a->tell;
    int64_t now = clock_mono_ms();
    /* Before the server has been asked once, nothing is known to be wrong or right. */
    bool asked = a->s.known.server.ever || *a->s.known.server.error.text;
    if (asked && now - t->checked_ms >= CHECK_MS) {
        t->checked_ms = now;
        check_warnings(a);
    }
    tell_records(a);
    store_flush(a, false);
}

bool tell_restore(Agent *a, const json_t *event, Err *err)
{
    AgentEvent e = {0};
    if (!wire_read(agent_event_fields, event, &e, err))
        return false;
    *(AgentEvent *)wire_list_add(&a->tell.events, sizeof e) = e;
    if (e.seq > a->tell.last)
        a->tell.last = e.seq;
    a->tell.given = a->tell.last;
    return true;
}

bool tell_restore_told(Agent *a, const json_t *value, Err *err)
{
    Tell t = {0};
    if (!wire_read(told_fields, value, &t, err))
        return false;
    strlist_done(&a->tell.warnings);
    a->tell.warnings = t.warnings;
    if (t.last > a->tell.last)
        a->tell.last = t.last;
    return true;
}

bool tell_restore_all(Agent *a, const json_t *value, Err *err)
{
    store_put(a, xstrdup("events"), NULL);
    if (!wire_read(tell_fields, value, &a->tell, err))
        return false;
    a->tell.changed = true;
    return true;
}

void tell_close(Agent *a)
{
    for (size_t i = 0; i < a->tell.events.n; i++)
        wire_free(agent_event_fields, at(&a->tell, i));
    free(a->tell.events.v);
    strlist_done(&a->tell.warnings);
    a->tell = (Tell){0};
}
