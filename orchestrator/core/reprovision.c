/* SPDX-License-Identifier: Apache-2.0 */
#include "reprovision.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/retry.h"
#include "rate.h"
#include "topology.h"

enum {
    GAP_MS = 15000, /* between two looks: this process stood still */
    DAY_MS = 86400000,
    AGAIN_LEAST_MS = 1800000,
    MOST_TRIES = 50,
};

/* ---- the tries --------------------------------------------------------------------------------------- */

static void drop_first(WireList *tries)
{
    ProvisionTry *t = tries->v;
    wire_free(provision_try_fields, t);
    memmove(t, t + 1, --tries->n * sizeof *t);
}

static ProvisionTry *add_try(ProvisionRecord *r, const char *node, int64_t at)
{
    while (r->history.n >= MOST_TRIES)
        drop_first(&r->history);
    ProvisionTry *t = wire_list_add(&r->history, sizeof *t);
    *t = (ProvisionTry){.id = xstrdup(r->id), .node = xstrdup(node), .started_at = at};
    return t;
}

void reprovision_note(ProvisionRecord *r)
{
    (void)add_try(r, r->node, r->started_at);
}

void reprovision_note_unknown(ProvisionRecord *r, int64_t wall_ms)
{
    add_try(r, NULL, wall_ms)->ended_at = wall_ms;
}

/* Of a clock that was far ahead. */
static bool is_impossible(const ProvisionTry *t, int64_t wall_ms)
{
    return t->started_at > wall_ms + DAY_MS;
}

/* Until the day's limit lets another one through; 0: it does. */
static int64_t limit_wait_ms(const ReprovisionRules *r, const ReprovisionView *v)
{
    const ProvisionTry *t = v->record->history.v;
    Rate *day = rate_new(r->per_day, DAY_MS);
    for (size_t i = 0; i < v->record->history.n; i++)
        for (int64_t k = 0; k < (t[i].node ? 1 : r->per_day) && !is_impossible(&t[i], v->wall_ms); k++)
            rate_note(day, t[i].started_at);
    int64_t wait = rate_wait_ms(day, v->wall_ms);
    rate_free(day);
    return wait;
}

/* The last try of the node, and after how many of them that failed in a row it is; NULL: none, or it went
 * well. */
static const ProvisionTry *failed_last(const ReprovisionView *v, const char *node, int64_t *ret_failures)
{
    const ProvisionTry *t = v->record->history.v, *last = NULL;
    *ret_failures = 0;
    for (size_t i = v->record->history.n; i-- > 0;) {
        if (!str_eq(t[i].node, node) || is_impossible(&t[i], v->wall_ms))
            continue;
        if (!t[i].ended_at || !t[i].error)
            break;
        last = last ? last : &t[i];
        ++*ret_failures;
    }
    return last;
}

/* Owned; NULL: nothing. Stays the same while it is so. */
static char *too_early(const ReprovisionRules *r, const ReprovisionView *v, const char *node)
{
    char at[CLOCK_TEXT];
    int64_t wait = limit_wait_ms(r, v), failures;
    if (wait) {
        clock_format(v->wall_ms + wait, at);
        return xasprintf("%" PRId64 " in 24 hours %s begun by itself (provision.per_day), the next one not "
                         "before %s",
                         r->per_day, r->per_day == 1 ? "is" : "are", at);
    }
    const ProvisionTry *last = failed_last(v, node, &failures);
    if (!last)
        return NULL;
    int64_t again = last->ended_at + retry_wait_ms(failures, AGAIN_LEAST_MS, DAY_MS);
    if (v->wall_ms >= again)
        return NULL;
    clock_format(again, at);
    return xasprintf("the last try has failed, the next one not before %s (%.300s)", at, last->error);
}

/* ---- a node ------------------------------------------------------------------------------------------ */

/* It is to be left alone, and what is seen of it counts for nothing. NULL: it is not. */
static const char *speaks_against(const ReprovisionView *v, const ReprovisionNode *n)
{
    const NodeState *s = &n->node->agent;
    if (v->held)
        return v->held;
    if (!n->fresh)
        return "its agent does not answer";
    if (!s->server.up)
        return "its server is down";
    if (n->cordoned)
        return "it is cordoned";
    if (s->lease.owner)
        return "it is paused";
    if (s->server.delay_s > 0)
        return "it is delayed on purpose";
    if (s->server.filters && *s->server.filters)
        return "its filters leave something out on purpose";
    return s->server.is_replica && !n->follows ? "it replicates from another server than the primary" : NULL;
}

/* Owned; NULL: it is not. */
static char *why_broken(const ReprovisionNode *n)
{
    const FillState *f = &n->node->agent.fill;
    if (f->phase == FILL_FAILED && f->touched && f->order.replaces)
        return xasprintf("it was emptied and not filled: %.300s", f->error ? f->error : "");
    return xstrdup(n->node->agent.broken);
}

/* Owned; NULL: it may begin now. */
static char *obstacle(const ReprovisionView *v, const ReprovisionNode *n)
{
    Err err;
    if (provision_is_under_way(v->record))
        return xasprintf("%s is being given new data: one after the other", v->record->node);
    if (!provision_may_begin(n->node, n->donor, v->primary, true, &err))
        return xstrdup(err.text);
    if (topology_is_sole_acknowledger(v->primary, n->node))
        return xstrdup("commits of the primary wait for this one alone");
    return v->spare > 0 ? NULL : xstrdup("no replica can be spared to copy from (min_serving)");
}

/* ---- what is told ------------------------------------------------------------------------------------ */

static void tell(ReprovisionOut *out, const char *level, const char *node, const char *text)
{
    out->news = xrealloc(out->news, (out->n + 1) * sizeof *out->news);
    out->news[out->n++] = (ReprovisionNews){level, node, xstrdup(text)};
}

/* What is so already is not told again. `text` is taken. */
static void become(ReprovisionWatch *w, ReprovisionState state, const char *reason, char *text,
                   const ReprovisionNode *n, ReprovisionOut *out)
{
    AUTOFREE char *said = text;
    bool was_told = w->state == REPROVISION_SOON || w->state == REPROVISION_WAITS;
    if (w->state == state && (str_eq(w->reason, reason) || state == REPROVISION_WELL))
        return;
    if (state != REPROVISION_WELL || was_told)
        tell(out,
             state == REPROVISION_DECISION ? "error"
             : state == REPROVISION_WELL   ? "info"
                                           : "warn",
             n->node->name, said);
    w->state = state;
    str_set(&w->reason, reason);
    str_set(&w->text, state == REPROVISION_WELL ? NULL : said);
}

static void is_well(ReprovisionWatch *w, const char *against, const ReprovisionNode *n, ReprovisionOut *out)
{
    w->since_ms = 0;
    become(w, REPROVISION_WELL, NULL,
           against ? xasprintf("%s is not given new data: %s", n->node->name, against)
                   : xasprintf("%s needs no new data any more", n->node->name),
           n, out);
}

static void needs_decision(ReprovisionWatch *w, const ReprovisionNode *n, ReprovisionOut *out)
{
    const char *name = n->node->name;
    w->since_ms = 0;
    become(
        w, REPROVISION_DECISION, n->node->errant,
        xasprintf("needs decision: %s has transactions that the primary lacks (%.300s), so it is not given "
                  "new data by itself; siding replica reprovision %s --confirm %s "
                  "--discard-its-transactions gives them up",
                  name, n->node->errant, name, name),
        n, out);
}

static void is_announced(ReprovisionWatch *w, const char *why, int64_t at, const ReprovisionNode *n,
                         ReprovisionOut *out)
{
    char when[CLOCK_TEXT];
    clock_format(at, when);
    become(w, REPROVISION_SOON, why,
           xasprintf(
               "%s will be given new data at %s, in place of its own: %s; siding replica cordon %s prevents "
               "it",
               n->node->name, when, why, n->node->name),
           n, out);
}

static void is_kept_waiting(ReprovisionWatch *w, const char *why, const char *reason,
                            const ReprovisionNode *n, ReprovisionOut *out)
{
    const char *name = n->node->name;
    become(w, REPROVISION_WAITS, reason,
           xasprintf("%s is to be given new data (%s), and waits: %s; siding replica reprovision %s "
                     "--confirm %s does it now",
                     name, why, reason, name, name),
           n, out);
}

/* ---- a look ------------------------------------------------------------------------------------------ */

static ReprovisionWatch *watch_of(Reprovision *s, const char *node)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->v[i].node, node))
            return &s->v[i];
    s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
    s->v[s->n] = (ReprovisionWatch){.node = xstrdup(node)};
    return &s->v[s->n++];
}

static void is_broken(ReprovisionWatch *w, const ReprovisionRules *r, const ReprovisionView *v,
                      const ReprovisionNode *n, char *why, ReprovisionOut *out)
{
    AUTOFREE char *reason = too_early(r, v, n->node->name);
    int64_t left = w->since_ms + r->after_ms - v->now_ms;
    if (!reason && left > 0) {
        is_announced(w, why, v->wall_ms + left, n, out);
        return;
    }
    if (!reason)
        reason = out->begin ? xasprintf("%s comes first", out->begin->node->name) : obstacle(v, n);
    if (reason) {
        is_kept_waiting(w, why, reason, n, out);
        return;
    }
    out->begin = n;
    out->why = xstrdup(why);
}

static void look(Reprovision *s, const ReprovisionRules *r, const ReprovisionView *v,
                 const ReprovisionNode *n, bool gap, ReprovisionOut *out)
{
    ReprovisionWatch *w = watch_of(s, n->node->name);
    bool filled = provision_is_under_way(v->record) && str_eq(v->record->node, n->node->name);
    w->looked_at = n->node != v->primary && !filled;
    if (!w->looked_at)
        return;
    const char *against = speaks_against(v, n);
    AUTOFREE char *why = against ? NULL : why_broken(n);
    if (!against && n->node->errant && *n->node->errant)
        needs_decision(w, n, out);
    else if (!why)
        is_well(w, against, n, out);
    else {
        if (!w->since_ms || gap)
            w->since_ms = v->now_ms;
        is_broken(w, r, v, n, why, out);
    }
}

static void forget(Reprovision *s, size_t i)
{
    free(s->v[i].node);
    free(s->v[i].reason);
    free(s->v[i].text);
    s->v[i] = s->v[--s->n];
}

/* Those that are gone, the primary, and the one that is being filled. */
static void forget_others(Reprovision *s)
{
    for (size_t i = s->n; i-- > 0;)
        if (!s->v[i].looked_at)
            forget(s, i);
}

void reprovision_step(Reprovision *s, const ReprovisionRules *r, const ReprovisionView *v,
                      ReprovisionOut *ret)
{
    bool gap = v->now_ms - s->looked_ms > GAP_MS;
    *ret = (ReprovisionOut){0};
    s->looked_ms = v->now_ms;
    for (size_t i = 0; i < s->n; i++)
        s->v[i].looked_at = false;
    for (size_t i = 0; r->automatic && i < v->n; i++)
        look(s, r, v, &v->nodes[i], gap, ret);
    forget_others(s);
}

void reprovision_out_done(ReprovisionOut *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->news[i].text);
    free(o->news);
    free(o->why);
    *o = (ReprovisionOut){0};
}

void reprovision_done(Reprovision *s)
{
    while (s->n)
        forget(s, s->n - 1);
    free(s->v);
    *s = (Reprovision){0};
}

const char *reprovision_text(const Reprovision *s, const char *node)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->v[i].node, node))
            return s->v[i].text;
    return NULL;
}
