/* SPDX-License-Identifier: Apache-2.0 */
#include "tell.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "store.h"

enum { CHECK_MS = 500 };

/* clang-format off */
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

static void drop_first(Tell *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        wire_free(agent_event_fields, at(t, i));
    if (n && n < t->events.n)
        memmove(at(t, 0), at(t, n), (t->events.n - n) * sizeof(AgentEvent));
    t->events.n -= n;
}

static void save(Agent *a)
{
    Err err;
    a->tell.dirty = !store_write(a, "events.json", tell_fields, &a->tell, &err);
    if (a->tell.dirty)
        log_debug("events are kept in memory only: %s", err.text);
}

static void add(Agent *a, const char *level, const char *kind, const char *run, const char *text)
{
    Tell *t = &a->tell;
    LogLevel l = LOG_LEVEL_INFO;
    (void)log_level_from_name(level, &l);
    if (run)
        log_line(l, "run %s: %s", run, text);
    else
        log_line(l, "%s", text);
    t->told[str_eq(level, "error") ? 2 : str_eq(level, "warn") ? 1 : 0]++;
    if (t->events.n >= TELL_KEPT) {
        drop_first(t, 1);
        t->dropped++;
    }
    int64_t now = clock_wall_ms();
    t->last = now > t->last ? now : t->last + 1;
    AgentEvent *e = wire_list_add(&t->events, sizeof *e);
    *e = (AgentEvent){t->last, now, xstrdup(level), xstrdup(kind), xstrdup(run), xstrdup(text)};
    t->dirty = true; /* written by the next tick: several at once are one write */
    agent_changed(a);
}

void tell_event(Agent *a, const char *level, const char *kind, const char *run, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTOFREE char *text = xvasprintf(fmt, ap);
    va_end(ap);
    add(a, level, kind, run, text);
}

void tell_acknowledge(Agent *a, int64_t seq)
{
    Tell *t = &a->tell;
    size_t n = 0;
    while (n < t->events.n && at(t, n)->seq <= seq)
        n++;
    if (!n)
        return;
    drop_first(t, n);
    t->dirty = true;
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
            add(a, "warn", "node", NULL, now.v[i]);
    for (size_t i = 0; i < t->warnings.n; i++)
        if (!has(&now, t->warnings.v[i]))
            tell_event(a, "info", "node", NULL, "over: %s", t->warnings.v[i]);
    strlist_done(&t->warnings);
    t->warnings = now;
}

void tell_tick(Agent *a)
{
    Tell *t = &a->tell;
    int64_t now = clock_mono_ms();
    /* Before the server has been asked once, nothing is known to be wrong or right. */
    bool asked = a->server.ever || *a->server.error.text;
    if (asked && now - t->checked_ms >= CHECK_MS) {
        t->checked_ms = now;
        check_warnings(a);
    }
    if (t->dirty)
        save(a);
}

void tell_load(Agent *a)
{
    Err err;
    if (!store_read(a, "events.json", tell_fields, &a->tell, &err) && err.kind != ERR_NOT_FOUND)
        log_error("%s", err.text);
}

void tell_close(Agent *a)
{
    if (a->tell.dirty)
        save(a);
    drop_first(&a->tell, a->tell.events.n);
    free(a->tell.events.v);
    strlist_done(&a->tell.warnings);
    a->tell = (Tell){0};
}
