/* SPDX-License-Identifier: Apache-2.0
 * A server that is filled with another's data: one program does all of it (replica-agent/helper/fill), this
 * keeps what was ordered and how far it is, and starts the program again until it is done or refused. While
 * it is under way nothing else is done on the server.
 */
#include "common/base/retry.h"
#include "step_parts.h"

enum { RETRY_LEAST_MS = 2000, RETRY_MOST_MS = 16000, MOST_TRIES = 5 };
enum { SAMPLE_MS = 1000, RATE_OVER_MS = 10000 };

static FillState *record(Turn *t)
{
    return &t->s->durable.fill;
}

static void set_phase(Turn *t, FillPhase phase)
{
    FillState *r = record(t);
    r->phase = phase;
    r->touched = r->touched || phase == FILL_RESTORING || (phase == FILL_EMPTYING && r->order.replaces);
    r->phase_at = r->moved_at = t->wall_ms;
    str_set(&r->note, NULL);
    r->done = r->total = 0;
    r->rate = 0;
    r->eta_s = -1;
    t->s->flight.fill.sampled_ms = 0;
    t->s->flight.fill.tries = 0;
    t->s->changed.fill = true;
    fx_changed(t);
}

static void start(Turn *t, bool fresh)
{
    FillFlight *f = &t->s->flight.fill;
    f->running = true;
    f->retry_ms = 0;
    Effect *e = fx_add(t, FX_FILL);
    e->after_record = true;
    e->flag = fresh;
}

/* ---- the order --------------------------------------------------------------------------------------- */

static bool may_fill(const AgentState *s, const FillOrder *o, Err *err)
{
    const char *node = s->known.rules.node;
    const ServerView *v = &s->known.server;
    if (!server_is_ours(s, err))
        return false;
    if (!v->up)
        return err_set(err, ERR_CONFLICT, 0, "the server of %s does not answer", node);
    if (s->durable.role.role == ROLE_PRIMARY || (!v->status.is_replica && !v->status.closed))
        return err_set(err, ERR_REFUSED, 0, "%s takes writes: it is not filled with another's data", node);
    if (s->durable.pause != PAUSE_NONE || s->flight.pause.beginning)
        return pause_conflict(s, err);
    for (size_t i = 0; i < s->n_runs; i++)
        if (run_is_under_way(s->runs[i]))
            return err_set(err, ERR_CONFLICT, 0, "run %.*s is under way on %s", RUN_TEXT(run_id(s->runs[i])),
                           node);
    if (v->status.is_replica && !o->replaces)
        return err_set(err, ERR_REFUSED, 0,
                       "%s is a replica already: siding replica reprovision replaces its data", node);
    return true;
}

static void begin(Turn *t, Input *in)
{
    FillState *r = record(t);
    bool touched = fill_is_unfinished(t->s); /* by an earlier order */
    wire_free(fill_state_fields, r);
    *r = (FillState){.order = *in->fill, .touched = touched, .started_at = t->wall_ms};
    *in->fill = (FillOrder){0};
    set_phase(t, FILL_CHECKING);
    fx_event(t, "info", "replica", NULL, "the server of %s is filled with the data of %s%s",
             t->s->known.rules.node, r->order.donor.node, r->order.replaces ? ", what it holds goes" : "");
    start(t, true);
}

void fill_order(Turn *t, Input *in)
{
    Err err;
    FillState *r = record(t);
    bool same = str_eq(r->order.id, in->fill->id);
    if (same && r->phase != FILL_FAILED) {
        fx_answer(t, in->token, NULL, NULL);
        return;
    }
    if (fill_is_under_way(t->s))
        err_set(&err, ERR_CONFLICT, 0, "%s is being filled with the data of %s already",
                t->s->known.rules.node, r->order.donor.node);
    else if (may_fill(t->s, in->fill, &err)) {
        begin(t, in);
        fx_answer(t, in->token, NULL, NULL);
        return;
    }
    fx_answer(t, in->token, NULL, &err);
}

/* ---- its program ------------------------------------------------------------------------------------- */

/* What an earlier start of the program has done counts for nothing: the first report of a phase is where it
 * began. */
static void measure(FillState *r, FillFlight *f, int64_t now_ms)
{
    double ms = (double)(now_ms - f->sampled_ms), done = (double)(r->done - f->sampled_done);
    if (f->sampled_ms && ms < SAMPLE_MS)
        return;
    if (f->sampled_ms && done >= 0) {
        double rate = done * 1000 / ms;
        r->rate = r->rate > 0 ? r->rate + (rate - r->rate) * ms / (ms + RATE_OVER_MS) : rate;
    }
    f->sampled_ms = now_ms;
    f->sampled_done = r->done;
}

void fill_progress(Turn *t, const Input *in)
{
    FillState *r = record(t);
    FillPhase phase = (FillPhase)wire_enum_find(&fill_phase_names, in->text);
    if (!fill_is_under_way(t->s))
        return;
    if (phase > r->phase && phase < FILL_FILLED) {
        set_phase(t, phase); /* what is counted by now may be the last of the phase before */
        return;
    }
    if (in->number > r->done)
        r->moved_at = t->wall_ms;
    r->done = in->number;
    r->total = in->total;
    str_set(&r->note, in->by);
    measure(r, &t->s->flight.fill, t->now_ms);
    r->eta_s = r->rate > 0 && r->total >= r->done ? (double)(r->total - r->done) / r->rate : -1;
    fx_changed_slightly(t);
}

static void fail(Turn *t, const char *why)
{
    FillState *r = record(t);
    set_phase(t, FILL_FAILED);
    str_put(&r->error, why);
    if (!r->touched) /* a replica that was looked at, and whose receiver was stopped for that */
        vote_owes_start(t);
    fx_event(t, "error", "replica", NULL, "%s is not filled with the data of %s: %s", t->s->known.rules.node,
             r->order.donor.node, why);
}

/* It has nothing more of a primary that was replaced, and is pointed at whom the agents have decided on. */
static void follows_anew(Turn *t)
{
    VoteRecord *v = &t->s->durable.vote;
    const char *primary = v->vote.accepted.version ? v->vote.accepted.primary : NULL;
    v->stale = v->stale && primary && !str_eq(primary, record(t)->order.source.node);
    vote_filled(t, &record(t)->order.source);
    vote_owes_start(t); /* once a reading shows it, and the gate lets it */
}

void fill_ended(Turn *t, const Input *in)
{
    FillFlight *f = &t->s->flight.fill;
    f->running = false;
    if (!fill_is_under_way(t->s))
        return;
    if (in->err.kind == ERR_NONE) {
        set_phase(t, FILL_FILLED);
        fx_event(t, "info", "replica", NULL, "the server of %s holds the data of %s at %s and follows %s",
                 t->s->known.rules.node, record(t)->order.donor.node, record(t)->order.gtid,
                 record(t)->order.source.node);
        follows_anew(t);
        return;
    }
    if (in->err.kind == ERR_REFUSED || ++f->tries >= MOST_TRIES) {
        fail(t, in->err.text);
        return;
    }
    fx_log(t, LOG_LEVEL_WARN, "%s; it is tried again", in->err.text);
    f->retry_ms = t->now_ms + retry_wait_ms(f->tries, RETRY_LEAST_MS, RETRY_MOST_MS);
}

void fill_tick(Turn *t)
{
    FillFlight *f = &t->s->flight.fill;
    if (fill_is_under_way(t->s) && !f->running && t->now_ms >= f->retry_ms)
        start(t, false);
}
