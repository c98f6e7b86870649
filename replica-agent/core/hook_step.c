/* SPDX-License-Identifier: Apache-2.0
 * The programs that are called before a replica leaves the readers and after it is back. That before_pause
 * was called is on disk first, so that after_caught_up follows whatever happens in between.
 */
#include "step_parts.h"

enum { RETRY_MS = 5000, BUSY_MS = 1000, MAX_TRIES = 3 };

static HookRecord *record(Turn *t)
{
    return &t->s->durable.hook;
}

static void forget(Turn *t)
{
    wire_free(hook_record_fields, record(t));
    t->s->changed.hook = true;
}

static void call(Turn *t, bool before)
{
    Effect *e = fx_add(t, FX_HOOK);
    e->flag = before;
    e->after_record = true;
    t->s->flight.hook.calling = true;
}

static void answer(Turn *t, const char *owner, const Err *err)
{
    Input *in = fx_post(t, IN_TAKE, owner);
    if (err)
        in->err = *err;
}

void hook_before_pause(Turn *t, const Input *in)
{
    Err err;
    const char *owner = in->owner;
    const AgentRules *rules = &t->s->known.rules;
    bool used = rules->calls_before_pause || rules->calls_after_caught_up;
    if (used && t->s->flight.hook.calling) {
        err_set(&err, ERR_CONFLICT, 0, "the hook after_caught_up of the last pause is still under way");
        answer(t, owner, &err);
        return;
    }
    if (used) {
        forget(t);
        record(t)->owner = xstrdup(owner);
        record(t)->reason = xstrdup(in->text);
    }
    if (rules->calls_before_pause)
        call(t, true);
    else
        answer(t, owner, NULL);
}

static void before_ended(Turn *t, const Input *in)
{
    bool ignored = t->s->known.rules.ignores_failed_hooks;
    Err err = in->err;
    if (err.kind != ERR_NONE) {
        t->s->flight.hook.failed++;
        err_prefix(&err, "hook before_pause");
        fx_event(t, ignored ? "warn" : "error", "hook", NULL, "%s%s", err.text,
                 ignored ? "; paused nevertheless" : "; the replica is not paused");
    }
    answer(t, record(t)->owner, err.kind == ERR_NONE || ignored ? NULL : &err);
}

static void after_ended(Turn *t, const Input *in)
{
    HookFlight *f = &t->s->flight.hook;
    if (in->err.kind == ERR_NONE) {
        forget(t);
        return;
    }
    if (in->flag2) { /* no worker was free, or the record is not written: it was not called */
        f->retry_ms = t->now_ms + BUSY_MS;
        return;
    }
    f->failed++;
    bool again = ++record(t)->tries < MAX_TRIES;
    fx_event(t, "error", "hook", NULL, "hook after_caught_up: %s%s", in->err.text,
             again ? "; it is tried again"
                   : "; it is not tried any more: tell the readers by hand that the replica is back");
    t->s->changed.hook = true;
    f->retry_ms = t->now_ms + RETRY_MS;
    if (!again)
        forget(t);
}

void hook_ended(Turn *t, const Input *in)
{
    t->s->flight.hook.calling = false;
    if (!record(t)->owner)
        return;
    if (in->flag)
        before_ended(t, in);
    else
        after_ended(t, in);
}

/* The replica serves again, or was not paused after all. */
void hook_caught_up(Turn *t, const char *gtid)
{
    HookRecord *r = record(t);
    if (!r->owner || r->over)
        return;
    if (!t->s->known.rules.calls_after_caught_up) {
        forget(t);
        return;
    }
    r->over = true;
    free(r->gtid);
    r->gtid = xstrdup(gtid);
    t->s->flight.hook.retry_ms = 0;
    t->s->changed.hook = true;
}

void hook_tick(Turn *t)
{
    const HookRecord *r = record(t);
    if (t->s->flight.hook.calling || !t->s->flight.boot.seen)
        return;
    /* An agent that was killed between the hook and the lease. */
    if (!r->over && t->s->durable.pause == PAUSE_NONE && !t->s->flight.pause.beginning)
        hook_caught_up(t, NULL);
    if (r->owner && r->over && t->now_ms >= t->s->flight.hook.retry_ms &&
        t->s->known.rules.calls_after_caught_up)
        call(t, false);
}
