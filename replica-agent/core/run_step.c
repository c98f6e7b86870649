/* SPDX-License-Identifier: Apache-2.0
 * Runs: which input concerns which, what the pause's news and time mean for them.
 */
#include <string.h>

#include "run_state.h"

enum { KEEP_DAYS = 30 };

/* The frozen state is lost. */
static void lose_frozen_state(Turn *t, AgentRunner *r, const Err *err)
{
    RunCut c = {.outcome = OUTCOME_ERROR, .kind = err->kind, .text = (char *)err->text, .hard = true};
    if (r->state == RUN_SEALING && r->j.verified)
        return; /* the job had ended on an unmoved state */
    str_put(&r->j.voided, err->text);
    r->changed = true;
    if (r->state != RUN_SEALING && r->state != RUN_RESUMING)
        run_cut(t, r, &c);
}

/* A job may notice that its server has died before the agent does, and then ends by itself: the cause is
 * added to what it said. Whether it was the cause cannot be known here, that it was so can. */
static void add_restart(Turn *t, AgentRunner *r)
{
    static const char restarted[] = "the server restarted before replication was started again";
    AgentRun *w = &r->j.run;
    if (w->outcome != OUTCOME_ERROR || r->j.cut_outcome || strstr(w->error, restarted))
        return;
    AUTOFREE char *said = STEAL(w->error);
    w->error = xasprintf("%s; %s", said, restarted);
    fx_log(t, LOG_LEVEL_WARN, "run %.*s: error: %s", RUN_TEXT(run_id(r)), w->error);
    run_changed(t, r);
}

/* ---- the pause's news --------------------------------------------------------------------------------- */

static void take_frozen(Turn *t, AgentRunner *r)
{
    const Lease *l = &t->s->durable.lease;
    AgentRun *w = &r->j.run;
    str_put(&w->gtid, l->gtid);
    str_put(&w->binlog_gtid, l->binlog_gtid);
    str_put(&w->source_file, l->source_file);
    w->source_pos = l->source_pos;
    w->paused_at = l->taken_at;
    w->frozen_at = l->frozen_at;
    w->aligned = w->aligned || r->j.aligning;
    r->j.aligning = false;
}

static void news_frozen(Turn *t, AgentRunner *r)
{
    if (t->s->durable.pause != PAUSE_FROZEN || !pause_is_held_by(t->s, run_id(r)))
        return; /* it is over again: the news of that follow */
    take_frozen(t, r);
    if (r->state == RUN_PAUSING || r->state == RUN_FROZEN)
        run_apply(t, r, RUN_EV_FROZEN);
    else
        run_release_pause(t, r);
}

static void take_replay(AgentRunner *r, Input *in)
{
    wire_free(replay_fields, &r->j.run.replay);
    wire_copy(replay_fields, &r->j.run.replay, in->replay);
    r->j.run.resumed_at = in->resumed_at;
}

static void news_released(Turn *t, AgentRunner *r, Input *in)
{
    take_replay(r, in);
    if (r->state == RUN_PAUSING || r->state == RUN_FROZEN)
        run_set_outcome(t, r, OUTCOME_ERROR, ERR_CORRUPT, "the pause ended before the job began");
    if (!r->j.run.replay.next_run)
        r->j.run.caught_up_at = t->wall_ms;
    run_apply(t, r, RUN_EV_RELEASED);
}

static void news(Turn *t, AgentRunner *r, Input *in)
{
    switch ((PauseNews)in->number) {
    case PAUSE_NEWS_FROZEN:
        news_frozen(t, r);
        break;
    case PAUSE_NEWS_FAILED:
        if (r->state == RUN_PAUSING || r->state == RUN_FROZEN)
            run_apply(t, r, run_fails(t, r, RUN_EV_REFUSED, &in->err));
        break;
    case PAUSE_NEWS_VOID:
        lose_frozen_state(t, r, &in->err);
        break;
    case PAUSE_NEWS_RESTARTED:
        add_restart(t, r);
        break;
    case PAUSE_NEWS_RESUMED:
        take_replay(r, in);
        run_changed(t, r);
        break;
    case PAUSE_NEWS_RELEASED:
        news_released(t, r, in);
        break;
    case PAUSE_NEWS_NOT_HELD:
        if (r->state == RUN_RESUMING)
            run_apply(t, r, RUN_EV_RELEASED);
        break;
    }
}

/* A pause whose run is gone or has ended is nobody's. */
static void news_for(Turn *t, AgentRunner *r, Input *in)
{
    if (r && run_is_under_way(r))
        news(t, r, in);
    else if (in->number == PAUSE_NEWS_FROZEN && !str_eq(in->owner, LEASE_MANUAL))
        fx_post(t, IN_RELEASE, in->owner);
}

/* ---- inputs ------------------------------------------------------------------------------------------- */

static bool is_request(InputKind k)
{
    return k == IN_ALIGN || k == IN_GO || k == IN_GATHER || k == IN_REQUEST || k == IN_FORGET;
}

static void about(Turn *t, AgentRunner *r, Input *in)
{
    if (in->kind == IN_PROGRAM)
        run_program_ended(t, r, in->program);
    else if (in->kind == IN_PROGRESS)
        run_take_progress(t, r, in);
    else if (in->kind == IN_SPLIT)
        run_take_split(t, r, in);
    else if (in->kind == IN_CUT)
        run_cut(t, r, in->cut);
    else if (in->kind == IN_FORGOTTEN)
        run_forgotten(t, r, in);
    else if (in->kind == IN_LIMIT_SEALING && r->state == RUN_SEALING && !r->j.resumed_early)
        run_apply(t, r, RUN_EV_LIMIT_SEALING);
    else if (is_request(in->kind))
        run_answer_request(t, r, in);
}

void run_input(Turn *t, Input *in)
{
    Err err;
    AgentRunner *r = run_find(t->s, in->owner);
    if (in->kind == IN_ACCEPT) {
        run_accept(t, in);
    } else if (in->kind == IN_NEWS) {
        news_for(t, r, in);
    } else if (r) {
        about(t, r, in);
    } else if (in->token) {
        err_set(&err, ERR_NOT_FOUND, 0, "%s knows no run %.*s", t->s->known.rules.node, RUN_TEXT(in->owner));
        fx_answer(t, in->token, NULL, &err);
    }
}

/* ---- over time ---------------------------------------------------------------------------------------- */

/* Needs nothing of the server. */
static bool goes_on_without_server(RunState s)
{
    return s == RUN_RUNNING || s == RUN_SLEEPING || s == RUN_CUTTING || s == RUN_GATHERING;
}

void run_boot(Turn *t)
{
    for (size_t i = 0; i < t->s->n_runs; i++) {
        AgentRunner *r = t->s->runs[i];
        if (run_is_under_way(r))
            fx_log(t, LOG_LEVEL_INFO, "run %.*s: found in state %s", RUN_TEXT(run_id(r)),
                   run_state_name(r->state));
        if (goes_on_without_server(r->state))
            run_again(t, r);
    }
}

static void see(Turn *t, AgentRunner *r)
{
    Err err;
    bool needs_lease = r->side == RUN_ON_REPLICA &&
                       (r->state == RUN_FROZEN || r->state == RUN_RUNNING || r->state == RUN_SLEEPING);
    if (needs_lease && !pause_is_held_by(t->s, run_id(r))) {
        err_set(&err, ERR_CORRUPT, 0, "the pause of this run was found ended when the agent started");
        lose_frozen_state(t, r, &err);
    } else if (!goes_on_without_server(r->state) && run_is_under_way(r) && !r->watched && !r->op) {
        run_again(t, r);
    }
}

void run_seen(Turn *t)
{
    t->s->flight.boot.runs_seen = true;
    for (size_t i = 0; i < t->s->n_runs; i++)
        see(t, t->s->runs[i]);
}

void run_reading(Turn *t)
{
    for (size_t i = 0; i < t->s->n_runs; i++)
        if (t->s->runs[i]->state == RUN_ACCEPTED && t->s->flight.boot.runs_seen)
            run_again(t, t->s->runs[i]);
}

static void check_space(Turn *t, AgentRunner *r)
{
    AUTOFREE char *full = short_of_space(t->s);
    bool writes = r->state == RUN_RUNNING || r->state == RUN_SLEEPING || r->state == RUN_SEALING ||
                  r->state == RUN_GATHERING;
    if (!full || !writes || pause_is_held_by(t->s, run_id(r)))
        return; /* the guard of the pause watches its disks */
    AUTOFREE char *text = xasprintf("the disk is full: %s; the partial result was removed", full);
    RunCut c = {.outcome = OUTCOME_ERROR, .kind = ERR_NO_SPACE, .text = text};
    run_cut(t, r, &c);
}

static void check_barrier(Turn *t, AgentRunner *r)
{
    int64_t heard = t->s->known.coordinator_ms > r->barrier_ms ? t->s->known.coordinator_ms : r->barrier_ms;
    if (r->state != RUN_FROZEN || !r->barrier_ms || t->now_ms - heard < t->s->known.rules.barrier_timeout_ms)
        return;
    RunCut c = {.outcome = OUTCOME_ERROR,
                .kind = ERR_TIMEOUT,
                .text = (char *)"the coordinator was lost while the replica waited frozen for the others"};
    run_cut(t, r, &c);
}

/* A coordinator that never says it has recorded the end does not fill the folder. One a tick. */
static void forget_old(Turn *t)
{
    int64_t before = t->wall_ms - (int64_t)KEEP_DAYS * 86400000;
    for (size_t i = 0; i < t->s->n_runs; i++) {
        AgentRunner *r = t->s->runs[i];
        if (run_is_under_way(r) || r->forgetting || r->j.run.finished_at > before)
            continue;
        run_order_forget(t, r, 0);
        return;
    }
}

void run_tick(Turn *t)
{
    forget_old(t);
    for (size_t i = 0; i < t->s->n_runs; i++) {
        AgentRunner *r = t->s->runs[i];
        check_space(t, r);
        check_barrier(t, r);
        bool stuck = !r->op && !r->watched &&
                     ((r->state == RUN_SEALING && !r->j.run.outcome) ||
                      (r->state == RUN_ACCEPTED && r->side == RUN_ON_REPLICA));
        if (stuck && t->s->flight.boot.seen)
            run_again(t, r); /* no worker was free, or its time is over */
    }
}

/* One whose acceptance is not on disk was not accepted: the request is answered so. */
void run_not_written(Turn *t)
{
    for (size_t i = t->s->n_runs; i-- > 0;)
        if (t->s->runs[i]->accepted_in && t->s->runs[i]->accepted_in + 1 == t->s->drain) {
            run_release_pause(t, t->s->runs[i]);
            run_discard(t->s, t->s->runs[i]);
        }
}
