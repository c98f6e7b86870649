/* SPDX-License-Identifier: Apache-2.0
 * The pause lease: how it begins, what its owner asks, what operations and readings say, and which event of
 * core/pause_machine that is. The only orders that touch the applier come from the pause's files.
 */
#include <string.h>

#include "frozen.h"
#include "pause_state.h"
#include "preflight.h"

/* ---- beginning ---------------------------------------------------------------------------------------- */

static void refuse(Turn *t, const Input *in, const Err *err)
{
    if (in->kind == IN_PAUSE)
        fx_answer(t, in->token, NULL, err);
    else
        pause_post_news(t, in->wish->owner, PAUSE_NEWS_FAILED, err);
}

/* A START on its way could come after the STOP of the pause. */
static bool may_begin(Turn *t, Err *err)
{
    if (t->s->durable.pause != PAUSE_NONE || pause_flight(t)->beginning)
        return pause_conflict(t->s, err);
    if (fill_is_under_way(t->s))
        return err_set(err, ERR_CONFLICT, 0, "%s is being filled with another server's data", pause_node(t));
    if (t->s->flight.boot.op)
        return err_set(err, ERR_CONFLICT, 0, "replication of %s is being started: pause it once it runs",
                       pause_node(t));
    return server_is_ours(t->s, err);
}

static void begin(Turn *t, Input *in)
{
    Err err;
    PauseFlight *f = pause_flight(t);
    PauseWish *w = in->wish;
    int64_t most = t->s->known.rules.pause_limit_ms;
    if (!may_begin(t, &err)) {
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
    wire_free(lease_fields, pause_lease(t));
    *pause_lease(t) = (Lease){.owner = STEAL(w->owner),
                              .reason = STEAL(w->reason),
                              .by = STEAL(w->by),
                              .term = w->term,
                              .limit_ms = w->limit_ms < most ? w->limit_ms : most,
                              .hold = w->hold,
                              .taken_at = t->wall_ms};
}

/* A START takes a moment, and who asks in that moment need not ask again. Runs look before they wish. */
void pause_wish(Turn *t, Input *in)
{
    enum { START_MS = 5000 };
    PauseFlight *f = pause_flight(t);
    if (in->kind != IN_PAUSE || !t->s->flight.boot.op || f->waiting) {
        begin(t, in);
        return;
    }
    f->waiting = NEW(Input);
    *f->waiting = (Input){.kind = IN_PAUSE, .token = in->token, .wish = STEAL(in->wish)};
    f->waiting_until_ms = t->now_ms + START_MS;
}

/* Somebody wants replication to run, who came later. */
void pause_unwish(Turn *t, const char *by)
{
    Err err;
    PauseFlight *f = pause_flight(t);
    if (!f->waiting)
        return;
    err_set(&err, ERR_CONFLICT, 0, "%s was resumed by hand by %s meanwhile", pause_node(t), by);
    refuse(t, f->waiting, &err);
    input_free(STEAL(f->waiting));
}

static void look_at_waiting(Turn *t)
{
    PauseFlight *f = pause_flight(t);
    if (!f->waiting || (t->s->flight.boot.op && t->now_ms < f->waiting_until_ms))
        return;
    begin(t, f->waiting);
    input_free(STEAL(f->waiting));
}

static void cannot_begin(Turn *t, const Err *err)
{
    pause_flight(t)->beginning = false;
    fx_log(t, LOG_LEVEL_WARN, "pause for %.*s: %s", RUN_TEXT(pause_lease(t)->owner), err->text);
    pause_post_news(t, pause_lease(t)->owner, PAUSE_NEWS_FAILED, err);
    wire_free(lease_fields, pause_lease(t));
    fx_changed(t);
}

/* True: somebody released it before it began. */
static bool is_unwanted(Turn *t)
{
    PauseFlight *f = pause_flight(t);
    if (!f->unwanted)
        return false;
    f->unwanted = f->beginning = false;
    wire_free(lease_fields, pause_lease(t));
    return true;
}

static void surveyed(Turn *t, const OpReport *op)
{
    Lease *l = pause_lease(t);
    Err err = op->err;
    pause_flight(t)->survey = 0;
    if (!pause_flight(t)->beginning || is_unwanted(t))
        return;
    bool ok = op->end == END_OK;
    if (ok && !op->status->is_replica)
        ok = err_set(&err, ERR_REFUSED, 0, "%s is not a replica: it cannot be paused", pause_node(t));
    if (!ok || !preflight_allows(op->findings, &err)) {
        cannot_begin(t, &err);
        return;
    }
    wire_copy(lease_server_fields, &l->server, op->server);
    wire_copy(lease_settings_fields, &l->original, op->settings);
    str_put(&l->boot_id, t->s->known.boot_id);
    fx_post(t, IN_BEFORE_PAUSE, l->owner)->text = xstrdup(l->reason);
}

void pause_take(Turn *t, Input *in)
{
    PauseFlight *f = pause_flight(t);
    if (!f->beginning || is_unwanted(t))
        return;
    /* The first STOP goes with its record, so that it cannot be put off. */
    if (in->err.kind != ERR_NONE || !server_is_ours(t->s, &in->err)) {
        cannot_begin(t, &in->err);
        return;
    }
    f->beginning = false;
    pause_lease(t)->taken_mono_ms = t->now_ms;
    pause_lease(t)->taken_at = t->wall_ms;
    pause_apply(t, PAUSE_EV_TAKE);
}

/* ---- what others ask ---------------------------------------------------------------------------------- */

/* Somebody has mended what stood in the way, and says so: what is tried again later is tried now. */
static void hasten(Turn *t)
{
    PauseFlight *f = pause_flight(t);
    if (!f->retry_ms)
        return;
    f->retry_ms = t->now_ms;
    pause_lease(t)->rescue.tries = 0;
    t->s->changed.lease = true;
}

void pause_release(Turn *t, Input *in)
{
    PauseFlight *f = pause_flight(t);
    if (in->owner && !pause_is_held_by(t->s, in->owner)) {
        pause_post_news(t, in->owner, PAUSE_NEWS_NOT_HELD, NULL);
        return;
    }
    if (t->s->durable.pause == PAUSE_NONE) {
        f->unwanted = true; /* it begins: nothing is stopped yet, and will not be */
        pause_post_news(t, in->owner, PAUSE_NEWS_NOT_HELD, NULL);
        return;
    }
    pause_apply(t, PAUSE_EV_RELEASE);
    if (in->flag)
        hasten(t);
}

void pause_move_on(Turn *t, Input *in)
{
    PauseFlight *f = pause_flight(t);
    if (t->s->durable.pause != PAUSE_FROZEN || !pause_is_held_by(t->s, in->owner))
        return; /* it is ending: its owner hears of that */
    str_put(&f->align_gtid, in->align->gtid);
    str_put(&f->align_file, in->align->source_file);
    f->align_pos = in->align->source_pos;
    pause_apply(t, PAUSE_EV_ALIGN);
}

/* ---- operations that are back ------------------------------------------------------------------------- */

static void take_position(Turn *t, const OpReport *op)
{
    Lease *l = pause_lease(t);
    const ReplStatus *st = op->status;
    str_put(&l->gtid, st->applied);
    str_put(&l->binlog_gtid, st->binlog);
    str_put(&l->source_host, st->source_host);
    l->source_port = st->source_port;
    str_put(&l->source_file, st->exec_file);
    l->source_pos = st->exec_pos;
    l->relay_bytes = st->relay_bytes;
    if (!l->frozen_at)
        l->frozen_at = t->wall_ms;
}

static void frozen(Turn *t, const OpReport *op)
{
    Lease *l = pause_lease(t);
    if (lease_server_compare(&l->server, op->server) == SERVER_OTHER) {
        wire_free(lease_server_fields, &l->server);
        wire_copy(lease_server_fields, &l->server, op->server);
        lease_reread(l, NULL);
        l->restarted = true;
        pause_void(t, PAUSE_EV_RESTARTED, "the server restarted while it was being paused");
        return;
    }
    take_position(t, op);
    pause_apply(t, PAUSE_EV_STOPPED);
    pause_trouble(t, NULL);
    pause_flight(t)->frozen_in = t->s->drain;
    if (str_eq(l->owner, LEASE_MANUAL))
        fx_event(t, "info", "pause", NULL, "%s is paused by hand by %s at %s: %s", pause_node(t), l->by,
                 l->gtid, l->reason);
    else
        fx_log(t, LOG_LEVEL_INFO, "%s stands at %s", pause_node(t), l->gtid);
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
        fx_log(t, LOG_LEVEL_ERROR, "pause of %.*s: %s", RUN_TEXT(pause_lease(t)->owner), op->err.text);
        pause_post_news(t, pause_lease(t)->owner, PAUSE_NEWS_FAILED, &op->err);
    }
    if (op->end == END_UNKNOWN && !wanted)
        pause_again_later(
            t, "a STOP of the applier has not been answered: it is awaited, then the applier is started "
               "again");
    else if (op->end == END_UNKNOWN)
        pause_apply(t, PAUSE_EV_STOP_UNKNOWN);
    else
        pause_apply(t, op->end == END_OK ? PAUSE_EV_STOPPED : PAUSE_EV_STOP_FAILED);
}

void pause_op(Turn *t, const OpReport *op)
{
    static void (*const back[OP_KINDS])(Turn *, const OpReport *) = {
        [OP_STOP] = stopped,
        [OP_ALIGN] = stopped,
        [OP_START] = resume_started,
        [OP_RETUNE] = resume_retuned,
        [OP_DURABLE] = resume_made_durable,
        [OP_RESTORE] = resume_restored,
    };
    PauseFlight *f = pause_flight(t);
    if (op->id == f->survey) {
        surveyed(t, op);
        return;
    }
    if (op->id != f->op)
        return;
    PauseState before = t->s->durable.pause;
    f->op = 0;
    if (op->end == END_BUSY)
        pause_again_later(t, NULL);
    else
        back[op->kind](t, op);
    /* The result came too late for its state: what the new state asks for may not have been done. */
    if (t->s->durable.pause == before && !f->op && !f->retry_ms)
        pause_again(t);
}

/* ---- readings ----------------------------------------------------------------------------------------- */

void pause_meets(Turn *t, const Input *in)
{
    PauseEvent ev = (PauseEvent)in->number;
    if (ev == PAUSE_EV_RESTARTED || ev == PAUSE_EV_RESTARTED_HELD) {
        wire_free(lease_server_fields, &pause_lease(t)->server);
        wire_copy(lease_server_fields, &pause_lease(t)->server, &t->s->known.server.id);
        lease_reread(pause_lease(t), &t->s->known.server.settings);
        pause_lease(t)->restarted = true;
    }
    if (in->number == MEETS_AGAIN)
        pause_again(t);
    else if (in->text)
        pause_void(t, ev, in->text);
    else
        pause_apply(t, ev);
}

static void check_frozen(Turn *t)
{
    const ServerView *v = &t->s->known.server;
    FrozenPoint was = frozen_point(pause_lease(t));
    FrozenReading now = {.flavor = v->version.flavor, .status = &v->status, .server = &v->id};
    FrozenChange change = frozen_compare(&was, &now, FROZEN_FOR_WATCH);
    AUTOFREE char *why = frozen_text(change, &was, &now, FROZEN_FOR_WATCH);
    if (change != FROZEN_STILL)
        pause_void(t, change == FROZEN_RESTARTED ? PAUSE_EV_RESTARTED : PAUSE_EV_MOVED, why);
}

/* An order that points it at a new primary may have done so, and has not told yet. */
static bool is_being_pointed(const AgentState *s)
{
    const VoteFlight *v = &s->flight.vote;
    return (v->op && v->act == ORDER_REPOINT) || s->known.server.begun_ms <= v->since_ms;
}

void pause_reading(Turn *t)
{
    PauseFlight *f = pause_flight(t);
    /* A reading that began before the last change of state is of the time before it. */
    if (f->op || t->s->known.server.begun_ms <= f->since_ms || is_being_pointed(t->s))
        return;
    if (t->s->durable.pause == PAUSE_FROZEN && !pause_lease(t)->restarted)
        check_frozen(t);
    else if (t->s->durable.pause == PAUSE_CATCHING_UP)
        resume_reading(t);
}

/* ---- time, and disks that do not take it -------------------------------------------------------------- */

void pause_tick(Turn *t)
{
    PauseFlight *f = pause_flight(t);
    look_at_waiting(t);
    if (t->s->flight.ending)
        resume_ending(t);
    if (t->s->durable.pause != PAUSE_NONE && f->retry_ms && t->now_ms >= f->retry_ms && !f->op)
        pause_again(t);
}

/* A frozen state whose GTID is not on disk is nobody's: a job on it could not be taken up again. */
void pause_not_written(Turn *t)
{
    Err err;
    PauseFlight *f = pause_flight(t);
    if (f->frozen_in + 1 != t->s->drain || t->s->durable.pause != PAUSE_FROZEN)
        return;
    err_set(&err, ERR_NO_SPACE, 0, "the GTID of the pause cannot be written down in %s",
            t->s->known.rules.state_dir);
    pause_post_news(t, pause_lease(t)->owner, PAUSE_NEWS_FAILED, &err);
    pause_apply(t, PAUSE_EV_RELEASE);
}
