/* SPDX-License-Identifier: Apache-2.0
 * The pause's one setter of its state, and what each state asks for.
 */
#include "pause_state.h"

#include "common/db/flavor.h"

enum { RETRY_MS = 1000, LOUD_EVERY_MS = 30000 };

void pause_trouble(Turn *t, const char *text)
{
    PauseFlight *f = pause_flight(t);
    if (text && (!str_eq(text, f->trouble) || t->now_ms - f->loud_ms > LOUD_EVERY_MS)) {
        fx_log(t, LOG_LEVEL_ERROR, "%s", text);
        f->loud_ms = t->now_ms;
    }
    if (str_eq(text, f->trouble))
        return;
    str_put(&f->trouble, text);
    fx_changed(t);
}

void pause_post_news(Turn *t, const char *owner, PauseNews news, const Err *err)
{
    Input *in = fx_post(t, IN_NEWS, owner);
    in->number = news;
    if (err)
        in->err = *err;
    if (news == PAUSE_NEWS_RESUMED || news == PAUSE_NEWS_RELEASED) {
        in->replay = NEW(Replay);
        wire_copy(replay_fields, in->replay, &pause_lease(t)->replay);
        in->resumed_at = pause_lease(t)->resumed_at;
    }
    Effect *e = fx_add(t, FX_NEWS);
    e->after_record = news == PAUSE_NEWS_FROZEN;
    e->owner = xstrdup(owner);
    e->number = news;
    if (err)
        e->err = *err;
}

/* ---- what the states ask for -------------------------------------------------------------------------- */

OpOrder *pause_order(Turn *t, OpKind kind, bool after_record)
{
    OpOrder *o = fx_sql(t, kind, after_record);
    pause_flight(t)->op = o->id;
    return o;
}

void pause_boosted_settings(Turn *t, const FlavorWay *way, LeaseSettings *ret)
{
    const AgentRules *r = &t->s->known.rules;
    BoostWish wish = {r->boost_workers, r->boost_queue_bytes, pause_lease(t)->durable};
    boost_settings(flavor_of(t->s->known.server.version.flavor), &pause_lease(t)->original, &wish, way, ret);
}

/* A START waits for no disk, unless it relaxes durability: that this may be in force is written down first,
 * and where it cannot be, the applier starts without. */
static void order_start(Turn *t)
{
    const AgentState *s = t->s;
    PauseFlight *f = pause_flight(t);
    Lease *l = pause_lease(t);
    bool boost = s->known.rules.boost && s->known.server.ever && l->original.flush_log && !l->stalled &&
                 !lease_crashed_boosted(l, s->known.boot_id) && !f->unboosted;
    f->unboosted = false;
    OpOrder *o = pause_order(t, OP_START, boost);
    o->fresh_server = l->restarted;
    o->may_end_rescue = !s->flight.rescuing;
    o->boost = boost;
    if (!boost)
        return;
    lease_boost(l, must_be_durable(s), s->known.boot_id, t->wall_ms);
    pause_boosted_settings(t, replay_first_way(t), &o->boosted);
    lease_note_ours(l, &o->boosted);
    t->s->changed.lease = true;
}

/* The first waits for the lease. One that is found on disk, or stands there since, has nothing to wait for:
 * an agent before may have sent its STOP already. */
static void order_stop(Turn *t, bool first)
{
    OpOrder *o = pause_order(t, OP_STOP, first && t->s->changed.lease);
    o->first = first;
    if (t->s->known.rules.sync_relay_log)
        lease_note_ours(pause_lease(t), &(LeaseSettings){.sync_relay = (char *)"1"});
}

static void order_align(Turn *t)
{
    const PauseFlight *f = pause_flight(t);
    OpOrder *o = pause_order(t, OP_ALIGN, true);
    o->gtid = xstrdup(f->align_gtid);
    o->file = xstrdup(f->align_file);
    o->pos = f->align_pos;
}

static void drop(Turn *t)
{
    Lease *l = pause_lease(t);
    fx_add(t, FX_DROP_HELD);
    fx_add(t, FX_CLEAR_VAULT);
    replay_over(t);
    pause_trouble(t, NULL);
    free(STEAL(pause_flight(t)->failed_at));
    if (str_eq(l->owner, LEASE_MANUAL) && !l->taken_over)
        fx_event(t, "info", "pause", NULL, "%s has caught up after its pause by hand", pause_node(t));
    Input *in = fx_post(t, IN_CAUGHT_UP, l->owner);
    in->text = xstrdup(l->gtid);
    in->flag = l->replay.next_run != NULL;
    in->replay = NEW(Replay);
    wire_copy(replay_fields, in->replay, &l->replay);
    pause_post_news(t, l->owner, PAUSE_NEWS_RELEASED, NULL);
    wire_free(lease_fields, l);
}

/* The state stays, its action is tried again a little later. */
void pause_again_later(Turn *t, const char *why)
{
    pause_trouble(t, why);
    pause_flight(t)->retry_ms = t->now_ms + RETRY_MS;
}

static void act(Turn *t, PauseAction action)
{
    PauseFlight *f = pause_flight(t);
    if (action == PAUSE_ACT_NONE)
        return; /* a try that is owed stays owed */
    f->retry_ms = 0;
    if (f->op)
        return; /* done when that is back: pause_op */
    Err err;
    if (action != PAUSE_ACT_WATCH && action != PAUSE_ACT_DROP && !server_is_ours(t->s, &err)) {
        pause_again_later(t, err.text);
        return;
    }
    switch (action) {
    case PAUSE_ACT_NONE:
    case PAUSE_ACT_WATCH:
        break;
    case PAUSE_ACT_STOP:
    case PAUSE_ACT_AWAIT_STOP:
        order_stop(t, action == PAUSE_ACT_STOP);
        break;
    case PAUSE_ACT_ALIGN:
        order_align(t);
        break;
    case PAUSE_ACT_START:
        order_start(t);
        break;
    case PAUSE_ACT_RESCUE:
        t->s->flight.rescuing = true;
        fx_add(t, FX_RESCUE);
        break;
    case PAUSE_ACT_RESTORE:
        pause_order(t, OP_RESTORE, false);
        break;
    case PAUSE_ACT_DROP:
        drop(t);
        break;
    }
}

/* The one setter of the state. */
void pause_apply(Turn *t, PauseEvent ev)
{
    Durable *d = &t->s->durable;
    PauseFlight *f = pause_flight(t);
    const PauseRow *row = pause_machine_find(d->pause, ev);
    const char *owner = d->lease.owner ? d->lease.owner : "nobody";
    if (!row) {
        fx_log(t, LOG_LEVEL_ERROR, "pause of %.*s: \"%s\" does not belong to state %s", RUN_TEXT(owner),
               pause_event_name(ev), pause_state_name(d->pause));
        return;
    }
    if (row->from != row->to)
        fx_log(t, LOG_LEVEL_INFO, "pause of %.*s: %s -> %s (%s)", RUN_TEXT(owner),
               pause_state_name(row->from), pause_state_name(row->to), row->reason);
    if (row->from != row->to)
        f->retry_ms = 0;
    d->pause = row->to;
    f->since_ms = t->now_ms;
    t->s->changed.lease = true;
    fx_changed(t);
    if (row->to == PAUSE_ABANDONED && row->from != row->to && f->op)
        fx_add(t, FX_CANCEL)->number =
            (int64_t)f->op; /* a STOP that nobody wants: killed, and its effect looked at */
    /* Of a lease found at a start nobody waits to see how its STOP ends. */
    bool unattended = row->to == PAUSE_ABANDONED && row->action == PAUSE_ACT_NONE && !f->op;
    act(t, unattended ? pause_machine_again(row->to) : row->action);
}

void pause_again(Turn *t)
{
    act(t, pause_machine_again(t->s->durable.pause));
}

void pause_void(Turn *t, PauseEvent ev, const char *why)
{
    Err err;
    PauseState before = t->s->durable.pause;
    AUTOFREE char *owner = xstrdup(pause_lease(t)->owner);
    err_set(&err, ERR_CORRUPT, 0, "%s", why);
    fx_event(t, "error", "pause", NULL, "pause of %.*s: %s", RUN_TEXT(owner), why);
    pause_apply(t, ev);
    if (before == PAUSE_FROZEN || before == PAUSE_PAUSING || before == PAUSE_ALIGNING)
        pause_post_news(t, owner, PAUSE_NEWS_VOID, &err);
    else if (before >= PAUSE_RESUMING && !pause_lease(t)->resumed_at)
        pause_post_news(t, owner, PAUSE_NEWS_RESTARTED, NULL);
}
