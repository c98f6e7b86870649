/* SPDX-License-Identifier: Apache-2.0
 * A run's one setter of its state, and what each state asks for. A run never touches replication: it asks for
 * a pause and hears its news.
 */
#include "run_state.h"

#include <signal.h>
#include <string.h>

#include "buffer.h"

static const char *const upload_stages[] = {"fetch", "load"};

void run_changed(Turn *t, AgentRunner *r)
{
    r->changed = true;
    fx_changed(t);
}

bool run_is_upload(const AgentRunner *r)
{
    return r->j.run.spec.kind == KIND_UPLOAD;
}

/* ---- outcome ------------------------------------------------------------------------------------------ */

/* The first outcome of a run stays. */
void run_set_outcome(Turn *t, AgentRunner *r, RunOutcome outcome, ErrKind kind, const char *text)
{
    AgentRun *w = &r->j.run;
    if (w->outcome)
        return;
    w->outcome = outcome;
    r->changed = true;
    if (outcome == OUTCOME_OK)
        return;
    w->error_kind = xstrdup(err_kind_name(kind));
    w->error = xstrdup(text);
    fx_log(t, LOG_LEVEL_WARN, "run %.*s: %s: %s", RUN_TEXT(run_id(r)),
           wire_enum_name(&run_outcome_names, (int)outcome), text);
}

RunEvent run_fails(Turn *t, AgentRunner *r, RunEvent ev, const Err *err)
{
    run_set_outcome(t, r, OUTCOME_ERROR, err->kind, err->text);
    return ev;
}

RunEvent run_cut_ended(Turn *t, AgentRunner *r)
{
    const RunJournal *j = &r->j;
    run_set_outcome(
        t, r, j->cut_outcome ? (RunOutcome)wire_enum_find(&run_outcome_names, j->cut_outcome) : OUTCOME_ERROR,
        err_kind_from_name(j->cut_kind ? j->cut_kind : ""), j->cut_text ? j->cut_text : "ended from outside");
    return RUN_EV_JOB_ENDED;
}

/* ---- what the states ask for: each gives the event that follows at once, or none ---------------------- */

static const char *first_stage(const Turn *t, const AgentRunner *r)
{
    if (!run_is_upload(r))
        return "job";
    return upload_stages[str_eq(r->j.run.spec.source.node, t->s->known.rules.node)];
}

const char *run_stage_after(const AgentRunner *r, const char *name)
{
    return run_is_upload(r) && str_eq(name, upload_stages[0]) ? upload_stages[1] : NULL;
}

/* The stage is on disk before its program starts, or nobody would find it again. */
void run_start_stage(Turn *t, AgentRunner *r, const char *name)
{
    if (!str_eq(r->j.program, name)) {
        str_put(&r->j.program, name);
        if (!str_eq(name, "seal"))
            wire_free(progress_fields, &r->j.run.progress);
    }
    r->watched = true;
    run_changed(t, r);
    Effect *e = fx_add(t, FX_PROGRAM);
    e->after_record = true;
    e->owner = xstrdup(run_id(r));
    e->word = xstrdup(name);
}

static void signal_program(Turn *t, const AgentRunner *r, int signo)
{
    Effect *e = fx_add(t, FX_SIGNAL);
    e->owner = xstrdup(run_id(r));
    e->number = signo;
}

static RunEvent cut_stage(Turn *t, AgentRunner *r)
{
    if (!r->j.program)
        return run_cut_ended(t, r);
    if (!r->watched) {
        Effect *e = fx_add(t, FX_PROGRAM);
        e->owner = xstrdup(run_id(r));
        e->word = xstrdup(r->j.program);
        e->flag = true; /* only found again */
        r->watched = true;
    }
    signal_program(t, r, r->j.cut_hard ? SIGUSR1 : SIGTERM);
    return RUN_EV_NONE;
}

/* Its own submission must be applied here, or the job would not see it. Decided from readings. */
static RunEvent await_applied(Turn *t, AgentRunner *r)
{
    Err err;
    const RunSpec *spec = &r->j.run.spec;
    const ServerView *v = &t->s->known.server;
    if (r->side == RUN_ON_PRIMARY)
        return RUN_EV_BEGIN;
    if ((spec->during_catch_up && t->s->durable.pause != PAUSE_NONE) || t->s->flight.boot.op)
        return RUN_EV_NONE; /* also: replication is just being started */
    if (!spec->after_gtid || !*spec->after_gtid)
        return RUN_EV_APPLIED;
    if (!r->awaiting_ms)
        r->awaiting_ms = t->now_ms;
    if (v->up && buffer_reaches(v->version.flavor, v->status.applied, spec->after_gtid))
        return RUN_EV_APPLIED;
    int64_t longest = t->s->known.rules.applied_timeout_ms + v->status.delay_s * 1000;
    if (t->now_ms - r->awaiting_ms < longest)
        return RUN_EV_NONE;
    err_set(&err, ERR_TIMEOUT, 0, "the run's own submission (%s) was not applied here within %lld s",
            spec->after_gtid, (long long)longest / 1000);
    return run_fails(t, r, RUN_EV_REFUSED, &err);
}

static int64_t longest_pause(const Turn *t, const AgentRunner *r)
{
    const JobRules *j = rules_of_job(&t->s->known.rules, r->j.run.spec.job);
    int64_t limit = r->j.run.spec.pause_limit_ms;
    if (limit <= 0)
        limit = j ? j->pause_limit_ms : 0;
    if (limit <= 0)
        limit = r->j.run.spec.pause_default_ms;
    return limit > 0 ? limit : t->s->known.rules.pause_limit_ms;
}

static void take_pause(Turn *t, const AgentRunner *r)
{
    const RunSpec *spec = &r->j.run.spec;
    if (pause_is_held_by(t->s, run_id(r))) {
        if (t->s->durable.pause == PAUSE_FROZEN)
            pause_post_news(t, run_id(r), PAUSE_NEWS_FROZEN, NULL);
        return;
    }
    Input *in = fx_post(t, IN_WISH, run_id(r));
    in->wish = NEW(PauseWish);
    *in->wish = (PauseWish){.owner = xstrdup(run_id(r)),
                            .reason = xasprintf("%s %s", WIRE_TEXT(task_kind_names, spec, kind), spec->job),
                            .by = xstrdup("siding"),
                            .term = spec->term,
                            .limit_ms = longest_pause(t, r)};
}

static RunEvent at_barrier(Turn *t, AgentRunner *r)
{
    r->barrier_ms = t->now_ms;
    return r->j.run.spec.barrier ? RUN_EV_NONE : RUN_EV_GO;
}

static RunEvent seal(Turn *t, AgentRunner *r)
{
    Err err;
    if (run_is_upload(r)) {
        run_set_outcome(t, r, OUTCOME_OK, ERR_NONE, NULL);
        return RUN_EV_SEALED;
    }
    if (r->side == RUN_ON_PRIMARY || r->j.verified) {
        run_start_stage(t, r, "seal");
        return RUN_EV_NONE;
    }
    if (r->j.voided || !pause_is_held_by(t->s, run_id(r))) {
        err_set(&err, ERR_CORRUPT, 0, "%s", r->j.voided ? r->j.voided : "the pause ended before the job did");
        return run_fails(t, r, RUN_EV_SEAL_FAILED, &err);
    }
    OpOrder *o = fx_sql(t, OP_VERIFY, false);
    o->run = xstrdup(run_id(r));
    r->op = o->id;
    return RUN_EV_NONE;
}

void run_release_pause(Turn *t, const AgentRunner *r)
{
    fx_post(t, IN_RELEASE, run_id(r));
}

static void finish(Turn *t, const AgentRunner *r)
{
    fx_add(t, FX_CLEAN)->owner = xstrdup(run_id(r));
}

static RunEvent act(Turn *t, AgentRunner *r, RunAction action)
{
    switch (action) {
    case RUN_ACT_NONE:
    case RUN_ACT_ALIGN: /* posted with the request, which can be refused */
        break;
    case RUN_ACT_AWAIT_APPLIED:
        return await_applied(t, r);
    case RUN_ACT_PAUSE:
        take_pause(t, r);
        break;
    case RUN_ACT_AT_BARRIER:
        return at_barrier(t, r);
    case RUN_ACT_PROGRAM:
        run_start_stage(t, r, r->j.program ? r->j.program : first_stage(t, r));
        break;
    case RUN_ACT_NEXT_PROGRAM:
        run_start_stage(t, r, run_stage_after(r, r->j.program));
        break;
    case RUN_ACT_SLEEP:
        signal_program(t, r, SIGTSTP);
        break;
    case RUN_ACT_WAKE:
        signal_program(t, r, SIGCONT);
        break;
    case RUN_ACT_CUT:
        return cut_stage(t, r);
    case RUN_ACT_SEAL:
        return seal(t, r);
    case RUN_ACT_RESUME_EARLY:
        r->j.resumed_early = true;
        run_release_pause(t, r);
        break;
    case RUN_ACT_RESUME:
        run_release_pause(t, r);
        break;
    case RUN_ACT_GATHER:
        run_start_stage(t, r, "gather");
        break;
    case RUN_ACT_FINISH:
        finish(t, r);
        break;
    }
    return RUN_EV_NONE;
}

static void stamp(const Turn *t, AgentRunner *r, RunState to)
{
    AgentRun *w = &r->j.run;
    if (to == RUN_RUNNING && !w->started_at)
        w->started_at = t->wall_ms;
    if ((to == RUN_SEALING || to == RUN_RESUMING || to == RUN_ENDED) && w->started_at && !w->job_ended_at)
        w->job_ended_at = t->wall_ms;
    if (to == RUN_CAUGHT_UP || to == RUN_ENDED)
        w->finished_at = t->wall_ms;
}

/* The one setter of the state. An action's own event follows at once; the table has no ring of such events.
 */
void run_apply(Turn *t, AgentRunner *r, RunEvent ev)
{
    for (int n = 0; ev != RUN_EV_NONE && n < RUN_EVENTS; n++) {
        const RunRow *row = run_machine_find(r->side, r->state, ev);
        if (!row) {
            fx_log(t, LOG_LEVEL_ERROR, "run %.*s: \"%s\" does not belong to state %s", RUN_TEXT(run_id(r)),
                   run_event_name(ev), run_state_name(r->state));
            return;
        }
        if (row->from != row->to || row->action != RUN_ACT_NONE)
            fx_log(t, LOG_LEVEL_INFO, "run %.*s: %s -> %s (%s)", RUN_TEXT(run_id(r)),
                   run_state_name(row->from), run_state_name(row->to), row->reason);
        r->state = row->to;
        if (row->from != row->to) {
            stamp(t, r, row->to);
            str_put(&r->j.run.note, row->reason);
        }
        run_changed(t, r);
        ev = act(t, r, row->action);
    }
}

void run_again(Turn *t, AgentRunner *r)
{
    run_apply(t, r, act(t, r, run_machine_again(r->state)));
}

void run_cut(Turn *t, AgentRunner *r, const RunCut *c)
{
    RunJournal *j = &r->j;
    if (!run_is_under_way(r) || (j->cut_outcome && (!c->hard || j->cut_hard)))
        return;
    str_put(&j->cut_outcome, wire_enum_name(&run_outcome_names, (int)c->outcome));
    str_put(&j->cut_kind, err_kind_name(c->kind));
    str_put(&j->cut_text, c->text);
    j->cut_hard = c->hard;
    /* Before a program runs, the end is known at once. */
    if (r->state < RUN_RUNNING)
        run_set_outcome(t, r, c->outcome, c->kind, c->text);
    run_apply(t, r, RUN_EV_CUT);
}
