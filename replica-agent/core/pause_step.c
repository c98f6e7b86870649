/* SPDX-License-Identifier: Apache-2.0
 * The pause lease: what its owner asks, what operations and readings say, and which event of
 * core/pause_machine that is. The only orders that touch the applier come from here.
 */
#include <string.h>

#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "frozen.h"
#include "preflight.h"
#include "step_parts.h"

enum {
    RETRY_MS = 1000,
    SCAN_AGAIN_MS = 4000,
    LOUD_EVERY_MS = 30000,
    DURABLE_AGAIN_MS = 5000,
    TAKEN_OVER_MS = 5000,
    FAILED_AGAIN_MS = 3000,
    RETRIES_SLOWER = 20,
    STANDS_MS = 15000,
    STANDS_DOUBLINGS = 6,
};

static Lease *lease(Turn *t)
{
    return &t->s->durable.lease;
}

static PauseFlight *flight(Turn *t)
{
    return &t->s->flight.pause;
}

static const char *node(const Turn *t)
{
    return t->s->known.rules.node;
}

static void put(char **to, const char *text)
{
    char *old = *to;
    *to = xstrdup(text);
    free(old);
}

static void pause_trouble(Turn *t, const char *text)
{
    PauseFlight *f = flight(t);
    if (text && (!str_eq(text, f->trouble) || t->now_ms - f->loud_ms > LOUD_EVERY_MS)) {
        fx_log(t, LOG_LEVEL_ERROR, "%s", text);
        f->loud_ms = t->now_ms;
    }
    if (str_eq(text, f->trouble))
        return;
    put(&f->trouble, text);
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
        wire_copy(replay_fields, in->replay, &lease(t)->replay);
        in->resumed_at = lease(t)->resumed_at;
    }
    Effect *e = fx_add(t, FX_NEWS);
    e->after_record = news == PAUSE_NEWS_FROZEN;
    e->owner = xstrdup(owner);
    e->number = news;
    if (err)
        e->err = *err;
}

/* ---- what the states ask for -----------------------------------------------------------------------------
 */

static OpOrder *order(Turn *t, OpKind kind, bool after_record)
{
    OpOrder *o = fx_sql(t, kind, after_record);
    flight(t)->op = o->id;
    return o;
}

static void boosted_settings(Turn *t, const FlavorWay *way, LeaseSettings *ret)
{
    const AgentRules *r = &t->s->known.rules;
    BoostWish wish = {r->boost_workers, r->boost_queue_bytes, lease(t)->durable};
    boost_settings(flavor_of(t->s->known.server.version.flavor), &lease(t)->original, &wish, way, ret);
}

/* A START waits for no disk, unless it relaxes durability: that this may be in force is written down first,
 * and where it cannot be, the applier starts without. */
static void order_start(Turn *t)
{
    const AgentState *s = t->s;
    PauseFlight *f = flight(t);
    Lease *l = lease(t);
    bool boost = s->known.rules.boost && s->known.server.ever && l->original.flush_log && !l->stalled &&
                 !lease_crashed_boosted(l, s->known.boot_id) && !f->unboosted;
    f->unboosted = false;
    OpOrder *o = order(t, OP_START, boost);
    o->fresh_server = l->restarted;
    o->may_end_rescue = !s->flight.rescuing;
    o->boost = boost;
    if (!boost)
        return;
    lease_boost(l, must_be_durable(s), s->known.boot_id);
    boosted_settings(t, replay_first_way(t), &o->boosted);
    t->s->changed.lease = true;
}

/* The first waits for the lease. One that is found on disk, or stands there since, has nothing to wait for:
 * an agent before may have sent its STOP already. */
static void order_stop(Turn *t, bool first)
{
    OpOrder *o = order(t, OP_STOP, first && t->s->changed.lease);
    o->first = first;
}

static void order_align(Turn *t)
{
    const PauseFlight *f = flight(t);
    OpOrder *o = order(t, OP_ALIGN, true);
    o->gtid = xstrdup(f->align_gtid);
    o->file = xstrdup(f->align_file);
    o->pos = f->align_pos;
}

static void drop(Turn *t)
{
    Lease *l = lease(t);
    fx_add(t, FX_DROP_HELD);
    fx_add(t, FX_CLEAR_VAULT);
    replay_over(t);
    pause_trouble(t, NULL);
    free(STEAL(flight(t)->failed_at));
    if (str_eq(l->owner, LEASE_MANUAL) && !l->taken_over)
        fx_event(t, "info", "pause", NULL, "%s has caught up after its pause by hand", node(t));
    Input *in = fx_post(t, IN_CAUGHT_UP, l->owner);
    in->text = xstrdup(l->gtid);
    in->flag = l->replay.next_run != NULL;
    in->replay = NEW(Replay);
    wire_copy(replay_fields, in->replay, &l->replay);
    pause_post_news(t, l->owner, PAUSE_NEWS_RELEASED, NULL);
    wire_free(lease_fields, l);
}

static void act(Turn *t, PauseAction action)
{
    PauseFlight *f = flight(t);
    if (action == PAUSE_ACT_NONE)
        return; /* a try that is owed stays owed */
    f->retry_ms = 0;
    if (f->op) {
        f->due = true;
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
        order(t, OP_RESTORE, false);
        break;
    case PAUSE_ACT_DROP:
        drop(t);
        break;
    }
}

/* The one setter of the state. */
static void pause_apply(Turn *t, PauseEvent ev)
{
    Durable *d = &t->s->durable;
    PauseFlight *f = flight(t);
    const PauseRow *row = pause_machine_find(d->pause, ev);
    const char *owner = d->lease.owner ? d->lease.owner : "nobody";
    if (!row) {
        fx_log(t, LOG_LEVEL_ERROR, "pause of %s: \"%s\" does not belong to state %s", owner,
               pause_event_name(ev), pause_state_name(d->pause));
        return;
    }
    if (row->from != row->to)
        fx_log(t, LOG_LEVEL_INFO, "pause of %s: %s -> %s (%s)", owner, pause_state_name(row->from),
               pause_state_name(row->to), row->reason);
    if (row->from != row->to) {
        f->retry_ms = 0;
        f->due = false;
    }
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

static void pause_again(Turn *t)
{
    act(t, pause_machine_again(t->s->durable.pause));
}

/* The state stays, its action is tried again a little later. */
static void again_later(Turn *t, const char *why)
{
    pause_trouble(t, why);
    flight(t)->retry_ms = t->now_ms + RETRY_MS;
    flight(t)->due = false;
}

static void pause_void(Turn *t, PauseEvent ev, const char *why)
{
    Err err;
    PauseState before = t->s->durable.pause;
    AUTOFREE char *owner = xstrdup(lease(t)->owner);
    err_set(&err, ERR_CORRUPT, 0, "%s", why);
    fx_event(t, "error", "pause", NULL, "pause of %s: %s", owner, why);
    pause_apply(t, ev);
    if (before == PAUSE_FROZEN || before == PAUSE_PAUSING || before == PAUSE_ALIGNING)
        pause_post_news(t, owner, PAUSE_NEWS_VOID, &err);
}

void pause_meets(Turn *t, const Input *in)
{
    PauseEvent ev = (PauseEvent)in->number;
    if (in->number >= 0 && (ev == PAUSE_EV_RESTARTED || ev == PAUSE_EV_RESTARTED_HELD)) {
        wire_free(lease_server_fields, &lease(t)->server);
        wire_copy(lease_server_fields, &lease(t)->server, &t->s->known.server.id);
        lease(t)->restarted = true;
    }
    if (in->number < 0)
        act(t, pause_machine_again(t->s->durable.pause));
    else if (in->text)
        pause_void(t, ev, in->text);
    else
        pause_apply(t, ev);
}

/* ---- beginning -------------------------------------------------------------------------------------------
 */

static void refuse(Turn *t, const Input *in, const Err *err)
{
    if (in->kind == IN_PAUSE)
        fx_answer(t, in->token, NULL, err);
    else
        pause_post_news(t, in->wish->owner, PAUSE_NEWS_FAILED, err);
}

void pause_wish(Turn *t, Input *in)
{
    Err err;
    PauseFlight *f = flight(t);
    PauseWish *w = in->wish;
    int64_t most = t->s->known.rules.pause_limit_ms;
    if (t->s->durable.pause != PAUSE_NONE || f->beginning) {
        (void)pause_conflict(t->s, &err);
        refuse(t, in, &err);
        return;
    }
    OpOrder *o = fx_sql(t, OP_SURVEY, false);
    o->thorough = str_eq(w->owner, LEASE_MANUAL); /* a run was looked at when it was accepted */
    o->allow_downstream = w->allow_downstream;
    o->allow_delayed = w->allow_delayed;
    f->survey = o->id;
    f->beginning = true;
    f->unwanted = false;
    wire_free(lease_fields, lease(t));
    *lease(t) = (Lease){.owner = STEAL(w->owner),
                        .reason = STEAL(w->reason),
                        .by = STEAL(w->by),
                        .term = w->term,
                        .limit_ms = w->limit_ms < most ? w->limit_ms : most,
                        .hold = w->hold,
                        .taken_at = t->wall_ms};
}

static void cannot_begin(Turn *t, const Err *err)
{
    flight(t)->beginning = false;
    fx_log(t, LOG_LEVEL_WARN, "pause for %s: %s", lease(t)->owner, err->text);
    pause_post_news(t, lease(t)->owner, PAUSE_NEWS_FAILED, err);
    wire_free(lease_fields, lease(t));
    fx_changed(t);
}

/* True: somebody released it before it began. */
static bool is_unwanted(Turn *t)
{
    PauseFlight *f = flight(t);
    if (!f->unwanted)
        return false;
    f->unwanted = f->beginning = false;
    wire_free(lease_fields, lease(t));
    return true;
}

static void surveyed(Turn *t, const OpReport *op)
{
    Lease *l = lease(t);
    Err err = op->err;
    flight(t)->survey = 0;
    if (!flight(t)->beginning || is_unwanted(t))
        return;
    bool ok = op->end == END_OK;
    if (ok && !op->status->is_replica)
        ok = err_set(&err, ERR_REFUSED, 0, "%s is not a replica: it cannot be paused", node(t));
    if (!ok || !preflight_allows(op->findings, &err)) {
        cannot_begin(t, &err);
        return;
    }
    wire_copy(lease_server_fields, &l->server, op->server);
    wire_copy(lease_settings_fields, &l->original, op->settings);
    put(&l->boot_id, t->s->known.boot_id);
    fx_post(t, IN_BEFORE_PAUSE, l->owner)->text = xstrdup(l->reason);
}

void pause_take(Turn *t, Input *in)
{
    PauseFlight *f = flight(t);
    if (!f->beginning || is_unwanted(t))
        return;
    if (in->err.kind != ERR_NONE) {
        cannot_begin(t, &in->err);
        return;
    }
    f->beginning = false;
    lease(t)->taken_mono_ms = t->now_ms;
    lease(t)->taken_at = t->wall_ms;
    pause_apply(t, PAUSE_EV_TAKE);
}

/* ---- what others ask -------------------------------------------------------------------------------------
 */

void pause_release(Turn *t, Input *in)
{
    PauseFlight *f = flight(t);
    if (in->owner && !pause_is_held_by(t->s, in->owner)) {
        pause_post_news(t, in->owner, PAUSE_NEWS_NOT_HELD, NULL);
        return;
    }
    if (t->s->durable.pause == PAUSE_NONE) {
        if (f->beginning && in->owner) {
            f->unwanted = true; /* nothing is stopped yet, and will not be */
            pause_post_news(t, in->owner, PAUSE_NEWS_NOT_HELD, NULL);
        }
        return;
    }
    pause_apply(t, PAUSE_EV_RELEASE);
}

void pause_move_on(Turn *t, Input *in)
{
    PauseFlight *f = flight(t);
    if (t->s->durable.pause != PAUSE_FROZEN || !pause_is_held_by(t->s, in->owner))
        return; /* it is ending: its owner hears of that */
    put(&f->align_gtid, in->align->gtid);
    put(&f->align_file, in->align->source_file);
    f->align_pos = in->align->source_pos;
    pause_apply(t, PAUSE_EV_ALIGN);
}

/* ---- operations that are back ----------------------------------------------------------------------------
 */

static void take_position(Turn *t, const OpReport *op)
{
    Lease *l = lease(t);
    const ReplStatus *st = op->status;
    put(&l->gtid, st->applied);
    put(&l->binlog_gtid, st->binlog);
    put(&l->source_host, st->source_host);
    l->source_port = st->source_port;
    put(&l->source_file, st->exec_file);
    l->source_pos = st->exec_pos;
    l->relay_bytes = st->relay_bytes;
    if (!l->frozen_at)
        l->frozen_at = t->wall_ms;
}

static void frozen(Turn *t, const OpReport *op)
{
    Lease *l = lease(t);
    if (lease_server_compare(&l->server, op->server) == SERVER_OTHER) {
        wire_free(lease_server_fields, &l->server);
        wire_copy(lease_server_fields, &l->server, op->server);
        l->restarted = true;
        pause_void(t, PAUSE_EV_RESTARTED, "the server restarted while it was being paused");
        return;
    }
    take_position(t, op);
    pause_apply(t, PAUSE_EV_STOPPED);
    pause_trouble(t, NULL);
    flight(t)->frozen_in = t->s->drain;
    if (str_eq(l->owner, LEASE_MANUAL))
        fx_event(t, "info", "pause", NULL, "%s is paused by hand by %s at %s: %s", node(t), l->by, l->gtid,
                 l->reason);
    else
        fx_log(t, LOG_LEVEL_INFO, "%s stands at %s", node(t), l->gtid);
    pause_post_news(t, l->owner, PAUSE_NEWS_FROZEN, NULL);
}

/* The lease could not be written: nothing was stopped, and nobody is paused. */
static void not_taken(Turn *t)
{
    Err err;
    err_set(&err, ERR_NO_SPACE, 0, "the lease cannot be written in %s: nothing was stopped",
            t->s->known.rules.state_dir);
    pause_apply(t, PAUSE_EV_NOT_WRITTEN);
    cannot_begin(t, &err);
}

static void stopped(Turn *t, const OpReport *op)
{
    PauseState state = t->s->durable.pause;
    bool wanted = state == PAUSE_PAUSING || state == PAUSE_ALIGNING;
    if (!wanted && state != PAUSE_ABANDONED)
        return;
    if (op->end == END_NOT_WRITTEN && state == PAUSE_PAUSING) {
        not_taken(t);
        return;
    }
    if (op->end == END_OK && wanted) {
        frozen(t, op);
        return;
    }
    if (wanted) {
        fx_log(t, LOG_LEVEL_ERROR, "pause of %s: %s", lease(t)->owner, op->err.text);
        pause_post_news(t, lease(t)->owner, PAUSE_NEWS_FAILED, &op->err);
    }
    if (op->end == END_UNKNOWN && !wanted)
        again_later(t,
                    "a STOP of the applier has not been answered: it is awaited, then the applier is started "
                    "again");
    else if (op->end == END_UNKNOWN)
        pause_apply(t, PAUSE_EV_STOP_UNKNOWN);
    else
        pause_apply(t, op->end == END_OK ? PAUSE_EV_STOPPED : PAUSE_EV_STOP_FAILED);
}

static void measure_buffer(Turn *t, const OpReport *op)
{
    Lease *l = lease(t);
    if (l->resumed_at || !l->gtid || !op->status->received || !*op->status->received)
        return;
    int64_t n = gtid_behind_text(op->flavor, l->gtid, op->status->received);
    double seconds = (double)(t->wall_ms - (l->frozen_at ? l->frozen_at : l->taken_at)) / 1000;
    l->replay.buffered_trx = n > 0 ? n : 0;
    l->replay.write_rate = seconds > 0 ? (double)l->replay.buffered_trx / seconds : 0;
}

static void note_rescue(Turn *t, const OpReport *op)
{
    LeaseRescue *r = &lease(t)->rescue;
    bool same = str_eq(r->target, op->held_gtid);
    put(&r->target, op->held_gtid);
    if (!same || !r->from) {
        put(&r->from, op->from);
        r->total = op->backlog;
        r->tries = 0;
    }
    r->done = r->done_before = r->total > op->backlog ? r->total - op->backlog : 0;
    r->started_at = t->wall_ms;
    r->rate = 0;
    r->eta_s = -1;
    r->tries++;
    t->s->changed.lease = true;
    fx_log(t, LOG_LEVEL_WARN,
           "%lld transactions in the relay files are not applied (%s, up to %s): they are applied before "
           "replication "
           "is started",
           (long long)op->backlog, op->from, op->held_gtid);
}

void pause_found(Turn *t, const OpReport *op)
{
    Lease *l = lease(t);
    if (t->s->durable.pause != PAUSE_NONE || flight(t)->beginning)
        return;
    wire_free(lease_fields, l);
    *l = (Lease){.owner = xstrdup(LEASE_RESCUE),
                 .reason = xstrdup("the relay files hold transactions that nobody has applied"),
                 .gtid = xstrdup(op->status->applied),
                 .restarted = true,
                 .boot_id = xstrdup(t->s->known.boot_id),
                 .taken_mono_ms = t->now_ms,
                 .taken_at = t->wall_ms};
    wire_copy(lease_server_fields, &l->server, op->server);
    note_rescue(t, op);
    pause_apply(t, PAUSE_EV_RESCUE);
}

static void start_failed(Turn *t, const OpReport *op)
{
    PauseFlight *f = flight(t);
    if (op->end == END_NOT_WRITTEN) {
        f->unboosted = true;
        pause_again(t);
        return;
    }
    pause_apply(t, PAUSE_EV_START_FAILED);
    again_later(t, op->err.text);
    if (op->way != START_NOT_NEEDED && op->end == END_WAITING)
        f->retry_ms += SCAN_AGAIN_MS;
}

static void started(Turn *t, const OpReport *op)
{
    PauseFlight *f = flight(t);
    Lease *l = lease(t);
    if (t->s->durable.pause != PAUSE_RESUMING)
        return;
    if (op->way == START_RESCUE && op->end == END_WAITING) {
        note_rescue(t, op);
        pause_apply(t, PAUSE_EV_RESCUE);
        return;
    }
    if (op->end != END_OK) {
        start_failed(t, op);
        return;
    }
    measure_buffer(t, op);
    if (!f->failed_at) /* else it may fail again */
        pause_trouble(t, NULL);
    if (op->way == START_REFETCH)
        free(STEAL(l->boost_boot_id));
    l->stalled = false;
    if (!l->resumed_at)
        l->resumed_at = t->wall_ms;
    f->started_ms = t->now_ms;
    if (op->way != START_NOT_NEEDED)
        l->retuning = false;
    replay_started(t, op->status->applied);
    pause_apply(t, PAUSE_EV_STARTED);
    pause_post_news(t, l->owner, PAUSE_NEWS_RESUMED, NULL);
}

static void restored(Turn *t, const OpReport *op)
{
    Lease *l = lease(t);
    if (t->s->durable.pause != PAUSE_RESTORING)
        return;
    if (op->end == END_STALLED) {
        l->stalled = l->restarted = true;
        pause_apply(t, PAUSE_EV_STALLED);
    } else if (op->end == END_OK) {
        l->replay.settings_restored = true;
        pause_apply(t, PAUSE_EV_RESTORED);
    } else {
        again_later(t, op->err.text);
    }
}

static void retuned(Turn *t, const OpReport *op)
{
    flight(t)->since_ms = t->now_ms;
    if (t->s->durable.pause != PAUSE_CATCHING_UP)
        return;
    bool runs = op->end == END_OK || op->end == END_WAITING || op->end == END_NOT_WRITTEN;
    if (op->end != END_OK)
        fx_log(t, LOG_LEVEL_WARN, "another way of applying: %s", op->err.text);
    replay_changed(t, op->end == END_OK);
    if (!runs) {
        pause_apply(t, PAUSE_EV_START_FAILED);
        return;
    }
    lease(t)->retuning = false;
    t->s->changed.lease = true;
}

static void made_durable(Turn *t, const OpReport *op)
{
    if (op->end != END_OK) {
        fx_log(t, LOG_LEVEL_WARN,
               "durability cannot be put back yet, although no other replica acknowledges: %s", op->err.text);
        return;
    }
    if (t->s->durable.pause != PAUSE_CATCHING_UP)
        return; /* a START may have relaxed it again */
    fx_event(t, "info", "pause", NULL,
             "no other replica acknowledges: %s has its own durability again while it catches up", node(t));
    lease_durable(lease(t));
    t->s->changed.lease = true;
    replay_durable(t);
}

void pause_op(Turn *t, const OpReport *op)
{
    static void (*const back[OP_KINDS])(Turn *, const OpReport *) = {
        [OP_STOP] = stopped,   [OP_ALIGN] = stopped,        [OP_START] = started,
        [OP_RETUNE] = retuned, [OP_DURABLE] = made_durable, [OP_RESTORE] = restored,
    };
    PauseFlight *f = flight(t);
    if (op->id == f->survey && op->kind == OP_SURVEY) {
        surveyed(t, op);
        return;
    }
    if (op->id != f->op || !back[op->kind])
        return;
    PauseState before = t->s->durable.pause;
    bool due = f->due;
    f->op = 0;
    f->due = false;
    if (op->end == END_BUSY)
        again_later(t, NULL);
    else
        back[op->kind](t, op);
    /* The result came too late for its state: what the new state asks for has not been done. */
    if (due && t->s->durable.pause == before && before != PAUSE_NONE && !f->op && !f->retry_ms)
        pause_again(t);
}

/* ---- the rescue ------------------------------------------------------------------------------------------
 */

void pause_rescue_progress(Turn *t, const Input *in)
{
    LeaseRescue *r = &lease(t)->rescue;
    if (t->s->durable.pause != PAUSE_RESCUING)
        return;
    double seconds = (double)(t->wall_ms - r->started_at) / 1000;
    r->done = in->number;
    r->total = in->total > r->total ? in->total : r->total;
    r->rate = seconds > 0 ? (double)(r->done - r->done_before) / seconds : 0;
    r->eta_s = r->rate > 0 ? (double)(r->total - r->done) / r->rate : -1;
    fx_changed_slightly(t);
}

/* Its applier fails wherever it is started. Told once, and again only when it says something else. It is
 * tried again ever more seldom, so that who has mended it need not remember to say so. */
static void stands(Turn *t, const char *why)
{
    int64_t *tries = &lease(t)->rescue.tries;
    pause_apply(t, PAUSE_EV_RESCUE_FAILED);
    if (!str_eq(why, flight(t)->trouble))
        pause_trouble(t, why);
    flight(t)->retry_ms = t->now_ms + (STANDS_MS << (*tries > 1 ? *tries - 1 : 0));
    if (*tries <= STANDS_DOUBLINGS)
        ++*tries;
}

void pause_rescue_ended(Turn *t, const Input *in)
{
    PauseFlight *f = flight(t);
    LeaseRescue *r = &lease(t)->rescue;
    const ServerView *v = &t->s->known.server;
    t->s->flight.rescuing = false;
    if (t->s->durable.pause != PAUSE_RESCUING)
        return;
    if (in->err.kind == ERR_NONE) {
        fx_log(t, LOG_LEVEL_INFO, "all that was received is applied, up to %s", r->target);
        lease(t)->stalled = false;
        pause_trouble(t, NULL);
        pause_apply(t, PAUSE_EV_RESCUED);
        return;
    }
    if (v->up && v->status.io != REPL_IO_NO) {
        fx_log(t, LOG_LEVEL_WARN, "%s", in->err.text);
        pause_apply(t, PAUSE_EV_RESCUE_DISTURBED);
        return;
    }
    if (in->err.kind == ERR_DB) {
        stands(t, in->err.text);
        return;
    }
    pause_apply(t, PAUSE_EV_RESCUE_FAILED);
    again_later(t, in->err.text);
    f->retry_ms += RETRY_MS * (r->tries < RETRIES_SLOWER ? r->tries++ : RETRIES_SLOWER);
}

/* ---- readings --------------------------------------------------------------------------------------------
 */

static void check_frozen(Turn *t)
{
    const ServerView *v = &t->s->known.server;
    FrozenPoint was = frozen_point(lease(t));
    FrozenReading now = {.flavor = v->version.flavor, .status = &v->status, .server = &v->id};
    FrozenChange change = frozen_compare(&was, &now, FROZEN_FOR_WATCH);
    AUTOFREE char *why = frozen_text(change, &was, &now, FROZEN_FOR_WATCH);
    if (change != FROZEN_STILL)
        pause_void(t, change == FROZEN_RESTARTED ? PAUSE_EV_RESTARTED : PAUSE_EV_MOVED, why);
}

static bool has_stood_for(Turn *t, int64_t ms)
{
    PauseFlight *f = flight(t);
    if (!f->stopped_ms)
        f->stopped_ms = t->now_ms;
    return t->now_ms - f->stopped_ms >= ms;
}

/* Whoever stopped it has it from here on: an operator's STOP is not undone. The relaxed settings do not stay.
 */
static void applier_stopped(Turn *t)
{
    Lease *l = lease(t);
    put(&l->replay.error, "somebody stopped the applier while it was catching up");
    pause_trouble(t, l->replay.error);
    if (!has_stood_for(t, TAKEN_OVER_MS))
        return;
    flight(t)->stopped_ms = 0;
    l->taken_over = true;
    fx_event(t, "error", "pause", NULL,
             "%s; the replica is left to whoever stopped it, with its own settings", l->replay.error);
    pause_apply(t, PAUSE_EV_TAKEN_OVER);
}

static bool is_where_it_failed(const Turn *t)
{
    const char *at = t->s->flight.pause.failed_at;
    return at && str_eq(at, t->s->known.server.status.applied);
}

/* Reported once: of a transaction that fails again a MySQL names now this worker, now that, or one that only
 * followed. */
static void report_failure(Turn *t)
{
    char **error = &lease(t)->replay.error;
    const ReplStatus *st = &t->s->known.server.status;
    if (*error && is_where_it_failed(t))
        return;
    put(&flight(t)->failed_at, st->applied);
    free(*error);
    *error = xasprintf("the applier failed while catching up: %s", st->sql_error);
    fx_event(t, "error", "pause", NULL,
             "%s; the rest is applied from the relay files, as soon as that is mended", *error);
}

/* It is tried again and again until what it failed by is mended. After an error of a parallel applier MariaDB
 * may leave the relay position in the middle of the transaction that failed: whoever starts the applier again
 * then loses it without a word, so that the files are read by GTID instead. */
static void applier_failed(Turn *t)
{
    report_failure(t);
    pause_trouble(t, lease(t)->replay.error);
    if (!flavor_of(t->s->known.server.version.flavor)->purges_on_start && !has_stood_for(t, FAILED_AGAIN_MS))
        return;
    flight(t)->stopped_ms = 0;
    pause_apply(t, PAUSE_EV_APPLIER_FAILED);
}

static void make_durable(Turn *t)
{
    ReplayFlight *r = &t->s->flight.replay;
    if (t->now_ms < r->durable_ms)
        return;
    r->durable_ms = t->now_ms + DURABLE_AGAIN_MS;
    order(t, OP_DURABLE, false);
}

/* That the applier is stopped for a moment stands in the lease before it is: whoever finds it so starts it
 * again. */
static void retune(Turn *t, const FlavorWay *way)
{
    OpOrder *o = order(t, OP_RETUNE, true);
    boosted_settings(t, way, &o->boosted);
    lease(t)->retuning = true;
    t->s->changed.lease = true;
}

static void applier_runs(Turn *t)
{
    Lease *l = lease(t);
    const FlavorWay *way = NULL;
    flight(t)->stopped_ms = 0;
    if (!is_where_it_failed(t)) {
        free(STEAL(l->replay.error));
        pause_trouble(t, NULL);
    }
    bool done = replay_reading(t, &way);
    const AgentRunner *next = done ? NULL : run_next(t->s);
    if (next) {
        put(&l->replay.next_run, run_id(next));
        fx_log(t, LOG_LEVEL_INFO, "run %s begins before %s has caught up", l->replay.next_run, node(t));
    }
    if (done || next)
        pause_apply(t, PAUSE_EV_CAUGHT_UP);
    else if (way)
        retune(t, way);
    else if (l->boosted && !l->durable && must_be_durable(t->s))
        make_durable(t);
}

static void check_catching_up(Turn *t)
{
    const ReplStatus *st = &t->s->known.server.status;
    if (st->sql_running)
        applier_runs(t);
    else if (st->sql_errno)
        applier_failed(t);
    else if (lease(t)->retuning)
        pause_apply(t, PAUSE_EV_START_FAILED); /* it was this agent that stopped it */
    else
        applier_stopped(t);
}

void pause_reading(Turn *t)
{
    PauseFlight *f = flight(t);
    /* A reading that began before the last change of state is of the time before it. */
    if (f->op || t->s->known.server.begun_ms <= f->since_ms)
        return;
    if (t->s->durable.pause == PAUSE_FROZEN && !lease(t)->restarted)
        check_frozen(t);
    else if (t->s->durable.pause == PAUSE_CATCHING_UP)
        check_catching_up(t);
}

/* ---- time, and disks that do not take it ------------------------------------------------------------------
 */

void pause_tick(Turn *t)
{
    PauseFlight *f = flight(t);
    if (t->s->durable.pause != PAUSE_NONE && f->retry_ms && t->now_ms >= f->retry_ms && !f->op)
        pause_again(t);
}

/* A frozen state whose GTID is not on disk is nobody's: a job on it could not be taken up again. */
void pause_not_written(Turn *t, bool is_lease)
{
    Err err;
    PauseFlight *f = flight(t);
    if (!is_lease || f->frozen_in + 1 != t->s->drain || t->s->durable.pause != PAUSE_FROZEN)
        return;
    err_set(&err, ERR_NO_SPACE, 0, "the GTID of the pause cannot be written down in %s",
            t->s->known.rules.state_dir);
    pause_post_news(t, lease(t)->owner, PAUSE_NEWS_FAILED, &err);
    pause_apply(t, PAUSE_EV_RELEASE);
}
