/* SPDX-License-Identifier: Apache-2.0
 * The programs that are called when a failover or switchover has made this node the primary, or another in
 * its place. Nothing waits for them; each end of one is told with the failover's term. What is owed is on
 * disk, so that it is called after a kill as well; it may be called twice. A promotion's runs only while this
 * node is the open primary, and is ended where a later coordinator asks it to follow another.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "step_parts.h"

enum { RETRY_MS = 5000, BUSY_MS = 1000, MAX_TRIES = 3 };

static RoleHookRecord *record(const Turn *t)
{
    return &t->s->durable.role_hook;
}

static const char *name_of(bool promoted)
{
    return promoted ? "after_promotion" : "after_demotion";
}

static void forget(Turn *t)
{
    wire_free(role_hook_record_fields, record(t));
    t->s->changed.role_hook = true;
}

void role_hook_owe(Turn *t, bool promoted, const WireDecision *d)
{
    const AgentRules *rules = &t->s->known.rules;
    RoleHookRecord *r = record(t);
    if (r->term)
        forget(t); /* of an earlier one: this one says how it is */
    if (!(promoted ? rules->calls_after_promotion : rules->calls_after_demotion))
        return;
    *r = (RoleHookRecord){.promoted = promoted, .term = d->ballot.term, .primary = xstrdup(d->primary)};
    t->s->flight.role_hook.retry_ms = 0;
    t->s->changed.role_hook = true;
}

static bool serves(const Turn *t)
{
    const RoleRecord *role = &t->s->durable.role;
    return role->role == ROLE_PRIMARY && role->opened && vote_decides_open(t->s);
}

static void call(Turn *t)
{
    RoleHookFlight *f = &t->s->flight.role_hook;
    RoleHookRecord *r = record(t);
    Effect *e = fx_add(t, FX_ROLE_HOOK);
    e->flag = r->promoted;
    e->number = r->term;
    e->owner = xstrdup(r->primary);
    e->token = (uint64_t)r->tries + 1;
    e->after_record = true;
    f->calling = true;
    f->promoted = r->promoted;
    f->term = r->term;
}

/* What follows from its end. */
static const char *next_words(const RoleHookFlight *f, bool current, bool again)
{
    if (f->ending || !current)
        return f->promoted ? "; this node is not the open primary any more"
                           : "; this node is the primary again";
    return again ? "; it is tried again" : "; it is not tried any more: do by hand what it does";
}

static void told(Turn *t, const Input *in, bool current, bool again)
{
    const RoleHookFlight *f = &t->s->flight.role_hook;
    char took[CLOCK_TEXT];
    clock_format_duration(in->number, took);
    if (in->err.kind == ERR_NONE)
        fx_event(t, "info", "failover", NULL, "hook %s has ended well after %s", name_of(f->promoted), took);
    else
        fx_event(t, "error", "failover", NULL, "hook %s: %s (after %s)%s", name_of(f->promoted), in->err.text,
                 took, next_words(f, current, again));
    t->out->v[t->out->n - 1].number = f->term;
}

void role_hook_ended(Turn *t, const Input *in)
{
    RoleHookFlight *f = &t->s->flight.role_hook;
    RoleHookRecord *r = record(t);
    bool current = r->term == f->term && r->promoted == f->promoted, well = in->err.kind == ERR_NONE;
    bool again = f->ending || r->tries + 1 < MAX_TRIES;
    f->calling = false;
    f->retry_ms = t->now_ms + (in->flag2 ? BUSY_MS : RETRY_MS);
    if (!current)
        f->retry_ms = 0;
    if (in->flag2) /* no worker was free, or the record is not written: it was not called */
        return;
    told(t, in, current, again);
    if (current && (well || !again)) {
        forget(t);
    } else if (current && !f->ending) {
        r->tries++;
        t->s->changed.role_hook = true;
    }
    f->ending = false;
}

void role_hook_tick(Turn *t)
{
    RoleHookFlight *f = &t->s->flight.role_hook;
    const RoleHookRecord *r = record(t);
    if (f->calling) {
        if (f->promoted && !f->ending && !serves(t)) {
            f->ending = true;
            fx_add(t, FX_END_ROLE_HOOK);
        }
        return;
    }
    if (r->term && t->now_ms >= f->retry_ms && (!r->promoted || (serves(t) && vote_lets_open(t->s))))
        call(t);
}
