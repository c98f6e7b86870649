/* SPDX-License-Identifier: Apache-2.0
 * Transactions that the relay files hold and nobody has applied: found by a START that was not sent, applied
 * by a program of its own (replica-agent/helper/rescue), then replication is started.
 */
#include "common/base/retry.h"
#include "pause_state.h"

enum {
    RETRY_MS = 1000,
    RETRIES_SLOWER = 20,
    STANDS_MS = 15000,
    STANDS_MOST_MS = 64 * STANDS_MS,
    STANDS_TRIES = 7
};

void rescue_note(Turn *t, const OpReport *op)
{
    LeaseRescue *r = &pause_lease(t)->rescue;
    bool same = str_eq(r->target, op->held_gtid);
    str_put(&r->target, op->held_gtid);
    if (!same || !r->from) {
        str_put(&r->from, op->from);
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

void rescue_found(Turn *t, const OpReport *op)
{
    Lease *l = pause_lease(t);
    wire_free(lease_fields, l);
    *l = (Lease){.owner = xstrdup(LEASE_RESCUE),
                 .reason = xstrdup("the relay files hold transactions that nobody has applied"),
                 .gtid = xstrdup(op->status->applied),
                 .restarted = true,
                 .boot_id = xstrdup(t->s->known.boot_id),
                 .taken_mono_ms = t->now_ms,
                 .taken_at = t->wall_ms};
    wire_copy(lease_server_fields, &l->server, op->server);
    rescue_note(t, op);
    pause_apply(t, PAUSE_EV_RESCUE);
}

/* ---- its program ----------------------------------------------------------------------------------- */

void rescue_progress(Turn *t, const Input *in)
{
    LeaseRescue *r = &pause_lease(t)->rescue;
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
    int64_t *tries = &pause_lease(t)->rescue.tries;
    pause_apply(t, PAUSE_EV_RESCUE_FAILED);
    if (!str_eq(why, pause_flight(t)->trouble))
        pause_trouble(t, why);
    pause_flight(t)->retry_ms = t->now_ms + retry_wait_ms(*tries, STANDS_MS, STANDS_MOST_MS);
    if (*tries < STANDS_TRIES)
        ++*tries;
}

void rescue_ended(Turn *t, const Input *in)
{
    PauseFlight *f = pause_flight(t);
    LeaseRescue *r = &pause_lease(t)->rescue;
    const ServerView *v = &t->s->known.server;
    t->s->flight.rescuing = false;
    if (t->s->durable.pause != PAUSE_RESCUING)
        return;
    if (in->err.kind == ERR_NONE) {
        fx_log(t, LOG_LEVEL_INFO, "all that was received is applied, up to %s", r->target);
        pause_lease(t)->stalled = false;
        pause_trouble(t, NULL);
        pause_apply(t, PAUSE_EV_RESCUED);
        return;
    }
    if (in->err.kind == ERR_CONFLICT || (v->up && v->status.io != REPL_IO_NO)) {
        fx_log(t, LOG_LEVEL_WARN, "%s", in->err.text);
        pause_apply(t, PAUSE_EV_RESCUE_DISTURBED);
        return;
    }
    if (in->err.kind == ERR_DB) {
        stands(t, in->err.text);
        return;
    }
    pause_apply(t, PAUSE_EV_RESCUE_FAILED);
    pause_again_later(t, in->err.text);
    f->retry_ms += RETRY_MS * (r->tries < RETRIES_SLOWER ? r->tries++ : RETRIES_SLOWER);
}
