/* SPDX-License-Identifier: Apache-2.0
 * From the START to the end of the lease: replication is started, catches up, gets its own settings again.
 * What is measured meanwhile, and when it has caught up, is replay_step.c's.
 */
#include "buffer.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "pause_state.h"

enum { SCAN_AGAIN_MS = 4000, DURABLE_AGAIN_MS = 5000, TAKEN_OVER_MS = 5000, FAILED_AGAIN_MS = 3000 };

/* ---- operations that are back ------------------------------------------------------------------------- */

static void measure_buffer(Turn *t, const OpReport *op)
{
    Lease *l = pause_lease(t);
    if (l->resumed_at || !l->gtid || !op->status->received || !*op->status->received)
        return;
    int64_t n = gtid_behind_text(op->flavor, l->gtid, op->status->received);
    double seconds = (double)(t->wall_ms - (l->frozen_at ? l->frozen_at : l->taken_at)) / 1000;
    l->replay.buffered_trx = n > 0 ? n : 0;
    l->replay.write_rate = seconds > 0 ? (double)l->replay.buffered_trx / seconds : 0;
}

static void start_failed(Turn *t, const OpReport *op)
{
    PauseFlight *f = pause_flight(t);
    if (op->end == END_NOT_WRITTEN) {
        f->unboosted = true;
        pause_again(t);
        return;
    }
    pause_apply(t, PAUSE_EV_START_FAILED);
    pause_again_later(t, op->err.text);
    if (op->way != START_NOT_NEEDED && op->end == END_WAITING)
        f->retry_ms += SCAN_AGAIN_MS;
}

void resume_started(Turn *t, const OpReport *op)
{
    PauseFlight *f = pause_flight(t);
    Lease *l = pause_lease(t);
    if (t->s->durable.pause != PAUSE_RESUMING)
        return;
    if (op->ended_well && lease_crashed_boosted(l, t->s->known.boot_id)) {
        free(STEAL(l->boost_boot_id));
        t->s->changed.lease = true;
    }
    if (op->way == START_RESCUE && op->end == END_WAITING) {
        rescue_note(t, op);
        pause_apply(t, PAUSE_EV_RESCUE);
        return;
    }
    if (op->way == START_SHUT && op->end == END_WAITING) {
        if (vote_lets_receive(t->s)) { /* meanwhile it may */
            pause_again(t);
            return;
        }
        l->taken_over = true;
        vote_owes_start(t);
        pause_trouble(t, NULL);
        pause_apply(t, PAUSE_EV_TAKEN_OVER);
        return;
    }
    if (op->end != END_OK) {
        start_failed(t, op);
        return;
    }
    vote_started(t, op);
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

/* Nothing is said to be back that was not compared with what was there before. */
static void tell_lost(Turn *t)
{
    const LeaseSettings *s = &t->s->known.server.settings;
    fx_event(
        t, "error", "pause", NULL,
        "%s replicates again, but its own settings of before the pause are lost with the agent's journal, "
        "and "
        "those of its catch-up may still be in force: sync_binlog = %s, innodb_flush_log_at_trx_commit = %s, "
        "%s = %s. Set them as its option file has them",
        pause_node(t), s->sync_binlog ? s->sync_binlog : "?", s->flush_log ? s->flush_log : "?",
        flavor_of(t->s->known.server.version.flavor)->workers_var, s->workers ? s->workers : "?");
}

void resume_restored(Turn *t, const OpReport *op)
{
    Lease *l = pause_lease(t);
    if (t->s->durable.pause != PAUSE_RESTORING)
        return;
    if (op->end == END_STALLED) {
        l->stalled = l->restarted = true;
        pause_apply(t, PAUSE_EV_STALLED);
    } else if (op->end == END_OK) {
        l->replay.settings_restored = !l->lost;
        if (l->lost)
            tell_lost(t);
        if (op->left)
            fx_event(t, "warn", "pause", NULL,
                     "settings of %s were changed by somebody else during the pause, and are left so: %s",
                     pause_node(t), op->left);
        pause_apply(t, PAUSE_EV_RESTORED);
    } else {
        pause_again_later(t, op->err.text);
    }
}

void resume_retuned(Turn *t, const OpReport *op)
{
    pause_flight(t)->since_ms = t->now_ms;
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
    pause_lease(t)->retuning = false;
    t->s->changed.lease = true;
}

void resume_made_durable(Turn *t, const OpReport *op)
{
    if (op->end != END_OK) {
        fx_log(t, LOG_LEVEL_WARN, "durability cannot be put back yet, although %s: %s",
               t->s->flight.ending ? "this agent ends" : "no other replica acknowledges", op->err.text);
        return;
    }
    if (t->s->durable.pause != PAUSE_CATCHING_UP && !t->s->flight.ending)
        return; /* a START may have relaxed it again */
    if (t->s->flight.ending)
        fx_log(t, LOG_LEVEL_INFO, "the server has its own durability again, since this agent ends");
    else
        fx_event(t, "info", "pause", NULL,
                 "no other replica acknowledges: %s has its own durability again while it catches up",
                 pause_node(t));
    lease_durable(pause_lease(t));
    t->s->changed.lease = true;
    replay_durable(t);
}

/* ---- readings ----------------------------------------------------------------------------------------- */

static bool has_stood_for(Turn *t, int64_t ms)
{
    PauseFlight *f = pause_flight(t);
    if (!f->stopped_ms)
        f->stopped_ms = t->now_ms;
    return t->now_ms - f->stopped_ms >= ms;
}

/* Whoever stopped it has it from here on: an operator's STOP is not undone. The relaxed settings do not stay.
 */
static void applier_stopped(Turn *t)
{
    Lease *l = pause_lease(t);
    str_put(&l->replay.error, "somebody stopped the applier while it was catching up");
    pause_trouble(t, l->replay.error);
    if (!has_stood_for(t, TAKEN_OVER_MS))
        return;
    pause_flight(t)->stopped_ms = 0;
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
    char **error = &pause_lease(t)->replay.error;
    const ReplStatus *st = &t->s->known.server.status;
    if (is_where_it_failed(t))
        return;
    str_put(&pause_flight(t)->failed_at, st->applied);
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
    pause_trouble(t, pause_lease(t)->replay.error);
    if (!flavor_of(t->s->known.server.version.flavor)->purges_on_start && !has_stood_for(t, FAILED_AGAIN_MS))
        return;
    pause_flight(t)->stopped_ms = 0;
    pause_apply(t, PAUSE_EV_APPLIER_FAILED);
}

static void make_durable(Turn *t)
{
    ReplayFlight *r = &t->s->flight.replay;
    if (t->now_ms < r->durable_ms)
        return;
    r->durable_ms = t->now_ms + DURABLE_AGAIN_MS;
    pause_order(t, OP_DURABLE, false);
}

/* Whoever stops the agent may be about to stop the machine. */
void resume_ending(Turn *t)
{
    const Lease *l = pause_lease(t);
    bool relaxed = l->boosted && !l->durable && !l->reread;
    if (relaxed && l->original.flush_log && !pause_flight(t)->op && t->s->known.server.up)
        make_durable(t);
}

/* That the applier is stopped for a moment stands in the lease before it is: whoever finds it so starts it
 * again. */
static void retune(Turn *t, const FlavorWay *way)
{
    OpOrder *o = pause_order(t, OP_RETUNE, true);
    pause_boosted_settings(t, way, &o->boosted);
    lease_note_ours(pause_lease(t), &o->boosted);
    pause_lease(t)->retuning = true;
    t->s->changed.lease = true;
}

/* Nothing more comes: a failover has stopped the receiver. (Where it is not known what was received,
 * replay_reading goes by the source's coordinates.) */
static bool is_drained(const Turn *t)
{
    const ServerView *v = &t->s->known.server;
    const ReplStatus *st = &v->status;
    if (vote_lets_receive(t->s) || st->io != REPL_IO_NO)
        return false;
    return st->received && *st->received && buffer_reaches(v->version.flavor, st->applied, st->received);
}

static void applier_runs(Turn *t)
{
    Lease *l = pause_lease(t);
    const FlavorWay *way = NULL;
    pause_flight(t)->stopped_ms = 0;
    if (!is_where_it_failed(t)) {
        free(STEAL(l->replay.error));
        pause_trouble(t, NULL);
    }
    bool done = replay_reading(t, &way) || is_drained(t);
    const AgentRunner *next = done ? NULL : run_next(t->s);
    if (next) {
        str_put(&l->replay.next_run, run_id(next));
        fx_log(t, LOG_LEVEL_INFO, "run %.*s begins before %s has caught up", RUN_TEXT(l->replay.next_run),
               pause_node(t));
    }
    if (done || next)
        pause_apply(t, PAUSE_EV_CAUGHT_UP);
    else if (way)
        retune(t, way);
    else if (l->boosted && !l->durable && must_be_durable(t->s))
        make_durable(t);
}

void resume_reading(Turn *t)
{
    const ReplStatus *st = &t->s->known.server.status;
    if (st->sql_running)
        applier_runs(t);
    else if (st->sql_errno)
        applier_failed(t);
    else if (pause_lease(t)->retuning)
        pause_apply(t, PAUSE_EV_START_FAILED); /* it was this agent that stopped it */
    else
        applier_stopped(t);
}
