/* SPDX-License-Identifier: Apache-2.0
 * Runs: what requests, programs, readings and the pause's news mean for them, and which event of
 * core/run_machine that is. A run never touches replication: it asks for a pause and hears its news.
 */
#include <signal.h>
#include <string.h>

#include "buffer.h"
#include "step_parts.h"

enum { MAX_TRIES = 5, MANIFEST_FILES_SHOWN = 50, KEEP_DAYS = 30 };

static const char *const upload_stages[] = {"fetch", "load"};

static void put(char **to, const char *text)
{
    char *old = *to;
    *to = xstrdup(text);
    free(old);
}

static void changed(Turn *t, AgentRunner *r)
{
    r->changed = true;
    fx_changed(t);
}

static bool is_upload(const AgentRunner *r)
{
    return r->j.run.spec.kind == KIND_UPLOAD;
}

/* ---- outcome ---------------------------------------------------------------------------------------------
 */

/* The first outcome of a run stays. */
static void set_outcome(Turn *t, AgentRunner *r, RunOutcome outcome, ErrKind kind, const char *text)
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
    fx_log(t, LOG_LEVEL_WARN, "run %s: %s: %s", run_id(r), wire_enum_name(&run_outcome_names, (int)outcome),
           text);
}

static RunEvent fails(Turn *t, AgentRunner *r, RunEvent ev, const Err *err)
{
    set_outcome(t, r, OUTCOME_ERROR, err->kind, err->text);
    return ev;
}

static RunEvent cut_ended(Turn *t, AgentRunner *r)
{
    const RunJournal *j = &r->j;
    set_outcome(
        t, r, j->cut_outcome ? (RunOutcome)wire_enum_find(&run_outcome_names, j->cut_outcome) : OUTCOME_ERROR,
        err_kind_from_name(j->cut_kind ? j->cut_kind : ""), j->cut_text ? j->cut_text : "ended from outside");
    return RUN_EV_JOB_ENDED;
}

/* ---- what the states ask for: each gives the event that follows at once, or none --------------------------
 */

static const char *first_stage(const Turn *t, const AgentRunner *r)
{
    if (!is_upload(r))
        return "job";
    return upload_stages[str_eq(r->j.run.spec.source.node, t->s->known.rules.node)];
}

static const char *stage_after(const AgentRunner *r, const char *name)
{
    return is_upload(r) && str_eq(name, upload_stages[0]) ? upload_stages[1] : NULL;
}

/* The stage is on disk before its program starts, or nobody would find it again. */
static void start_stage(Turn *t, AgentRunner *r, const char *name)
{
    if (!str_eq(r->j.program, name)) {
        put(&r->j.program, name);
        if (!str_eq(name, "seal"))
            wire_free(progress_fields, &r->j.run.progress);
    }
    r->watched = true;
    changed(t, r);
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
    if (!r->watched && !r->j.program)
        return r->state == RUN_CUTTING ? cut_ended(t, r) : RUN_EV_NONE;
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
    if (spec->during_catch_up && t->s->durable.pause != PAUSE_NONE)
        return RUN_EV_NONE;
    if (!spec->after_gtid || !*spec->after_gtid)
        return RUN_EV_APPLIED;
    if (!r->awaiting_ms)
        r->awaiting_ms = t->now_ms;
    if (v->up && buffer_reaches(v->version.flavor, v->status.applied, spec->after_gtid))
        return RUN_EV_APPLIED;
    if (t->now_ms - r->awaiting_ms < t->s->known.rules.applied_timeout_ms)
        return RUN_EV_NONE;
    err_set(&err, ERR_TIMEOUT, 0, "the run's own submission (%s) was not applied here within %lld s",
            spec->after_gtid, (long long)t->s->known.rules.applied_timeout_ms / 1000);
    return fails(t, r, RUN_EV_REFUSED, &err);
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
    if (is_upload(r)) {
        set_outcome(t, r, OUTCOME_OK, ERR_NONE, NULL);
        return RUN_EV_SEALED;
    }
    if (r->side == RUN_ON_PRIMARY || r->j.verified) {
        start_stage(t, r, "seal");
        return RUN_EV_NONE;
    }
    if (r->j.voided || !pause_is_held_by(t->s, run_id(r))) {
        err_set(&err, ERR_CORRUPT, 0, "%s", r->j.voided ? r->j.voided : "the pause ended before the job did");
        return fails(t, r, RUN_EV_SEAL_FAILED, &err);
    }
    OpOrder *o = fx_sql(t, OP_VERIFY, false);
    o->run = xstrdup(run_id(r));
    r->op = o->id;
    return RUN_EV_NONE;
}

static void release(Turn *t, const AgentRunner *r)
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
        start_stage(t, r, r->j.program ? r->j.program : first_stage(t, r));
        break;
    case RUN_ACT_NEXT_PROGRAM:
        start_stage(t, r, stage_after(r, r->j.program));
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
        release(t, r);
        break;
    case RUN_ACT_RESUME:
        release(t, r);
        break;
    case RUN_ACT_GATHER:
        start_stage(t, r, "gather");
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
static void apply(Turn *t, AgentRunner *r, RunEvent ev)
{
    for (int n = 0; ev != RUN_EV_NONE && n < RUN_EVENTS; n++) {
        const RunRow *row = run_machine_find(r->side, r->state, ev);
        if (!row) {
            fx_log(t, LOG_LEVEL_ERROR, "run %s: \"%s\" does not belong to state %s", run_id(r),
                   run_event_name(ev), run_state_name(r->state));
            return;
        }
        if (row->from != row->to || row->action != RUN_ACT_NONE)
            fx_log(t, LOG_LEVEL_INFO, "run %s: %s -> %s (%s)", run_id(r), run_state_name(row->from),
                   run_state_name(row->to), row->reason);
        r->state = row->to;
        if (row->from != row->to) {
            stamp(t, r, row->to);
            put(&r->j.run.note, row->reason);
        }
        changed(t, r);
        ev = act(t, r, row->action);
    }
}

static void again(Turn *t, AgentRunner *r)
{
    apply(t, r, act(t, r, run_machine_again(r->state)));
}

/* ---- ends from outside -----------------------------------------------------------------------------------
 */

static void cut(Turn *t, AgentRunner *r, const RunCut *c)
{
    RunJournal *j = &r->j;
    if (!run_is_under_way(r) || (j->cut_outcome && (!c->hard || j->cut_hard)))
        return;
    put(&j->cut_outcome, wire_enum_name(&run_outcome_names, (int)c->outcome));
    put(&j->cut_kind, err_kind_name(c->kind));
    put(&j->cut_text, c->text);
    j->cut_hard = c->hard;
    /* Before a program runs, the end is known at once. */
    if (r->state < RUN_RUNNING)
        set_outcome(t, r, c->outcome, c->kind, c->text);
    apply(t, r, RUN_EV_CUT);
}

/* The frozen state is lost. */
static void lose_frozen_state(Turn *t, AgentRunner *r, const Err *err)
{
    RunCut c = {.outcome = OUTCOME_ERROR, .kind = err->kind, .text = (char *)err->text, .hard = true};
    if (r->state == RUN_SEALING && r->j.verified)
        return; /* the job had ended on an unmoved state */
    put(&r->j.voided, err->text);
    r->changed = true;
    if (r->state != RUN_SEALING && r->state != RUN_RESUMING)
        cut(t, r, &c);
}

/* ---- the pause's news ------------------------------------------------------------------------------------
 */

static void take_frozen(Turn *t, AgentRunner *r)
{
    const Lease *l = &t->s->durable.lease;
    AgentRun *w = &r->j.run;
    put(&w->gtid, l->gtid);
    put(&w->binlog_gtid, l->binlog_gtid);
    put(&w->source_file, l->source_file);
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
        apply(t, r, RUN_EV_FROZEN);
    else
        release(t, r);
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
        set_outcome(t, r, OUTCOME_ERROR, ERR_CORRUPT, "the pause ended before the job began");
    if (!r->j.run.replay.next_run)
        r->j.run.caught_up_at = t->wall_ms;
    apply(t, r, RUN_EV_RELEASED);
}

static void news(Turn *t, AgentRunner *r, Input *in)
{
    switch ((PauseNews)in->number) {
    case PAUSE_NEWS_FROZEN:
        news_frozen(t, r);
        break;
    case PAUSE_NEWS_FAILED:
        if (r->state == RUN_PAUSING || r->state == RUN_FROZEN)
            apply(t, r, fails(t, r, RUN_EV_REFUSED, &in->err));
        break;
    case PAUSE_NEWS_VOID:
        lose_frozen_state(t, r, &in->err);
        break;
    case PAUSE_NEWS_RESUMED:
        take_replay(r, in);
        changed(t, r);
        break;
    case PAUSE_NEWS_RELEASED:
        news_released(t, r, in);
        break;
    case PAUSE_NEWS_NOT_HELD:
        if (r->state == RUN_RESUMING)
            apply(t, r, RUN_EV_RELEASED);
        break;
    }
}

/* A pause whose run is gone or has ended is nobody's. */
static void news_for(Turn *t, AgentRunner *r, Input *in)
{
    if (r && run_is_under_way(r))
        news(t, r, in);
    else if (in->number == PAUSE_NEWS_FROZEN && !str_eq(in->owner, LEASE_MANUAL) &&
             !str_eq(in->owner, LEASE_RESCUE))
        fx_post(t, IN_RELEASE, in->owner);
}

/* ---- programs --------------------------------------------------------------------------------------------
 */

static void take_manifest(AgentRunner *r, ProgramEnd *p)
{
    AgentRun *w = &r->j.run;
    json_t *files, *f;
    size_t i;
    if (!p->manifest)
        return;
    files = json_object_get(p->manifest, "files");
    w->result_bytes = w->result_compressed_bytes = 0;
    json_array_foreach(files, i, f)
    {
        w->result_bytes += json_int(f, "bytes");
        w->result_compressed_bytes += json_int(f, "compressed_bytes");
    }
    if (json_array_size(files) > MANIFEST_FILES_SHOWN)
        json_object_del(p->manifest, "files");
    json_decref(w->manifest);
    w->manifest = STEAL(p->manifest);
    json_decref(w->outcome_detail);
    w->outcome_detail = json_object();
    json_set_int(w->outcome_detail, "result_bytes", w->result_bytes);
    json_set_int(w->outcome_detail, "result_compressed_bytes", w->result_compressed_bytes);
    w->sealed = true;
    w->gathered = json_bool(w->manifest, "gathered");
    put(&w->result_dir, p->result_dir);
}

/* A transfer or a load whose supervisor was killed goes on where it was: both are made for it. */
static bool starts_again(Turn *t, AgentRunner *r, const ProgramEnd *p)
{
    bool goes_on = is_upload(r) || r->state == RUN_GATHERING;
    if (!p->lost || !p->can_restart || !goes_on || r->j.tries >= MAX_TRIES)
        return false;
    AUTOFREE char *name = xstrdup(r->j.program);
    r->j.tries++;
    fx_log(t, LOG_LEVEL_WARN, "run %s: the supervisor of %s was killed, starting it again", run_id(r), name);
    start_stage(t, r, name);
    return true;
}

static RunEvent gather_ended(Turn *t, AgentRunner *r, ProgramEnd *p)
{
    if (p->well) {
        take_manifest(r, p);
        if (r->j.run.gathered)
            return RUN_EV_JOB_OK;
    }
    put(&r->j.run.gather_error, p->well ? "the gathered result has no readable manifest" : p->err.text);
    fx_log(t, LOG_LEVEL_WARN, "run %s: %s", run_id(r), r->j.run.gather_error);
    return RUN_EV_JOB_ENDED;
}

static RunEvent seal_ended(Turn *t, AgentRunner *r, ProgramEnd *p)
{
    Err unreadable;
    if (p->well) {
        take_manifest(r, p);
        if (r->j.run.sealed) {
            set_outcome(t, r, OUTCOME_OK, ERR_NONE, NULL);
            return RUN_EV_SEALED;
        }
    }
    err_set(&unreadable, ERR_CORRUPT, 0, "the sealed result has no readable manifest");
    return fails(t, r, RUN_EV_SEAL_FAILED, p->well ? &unreadable : &p->err);
}

static RunEvent job_ended(Turn *t, AgentRunner *r, ProgramEnd *p)
{
    if (p->detail) {
        json_decref(r->j.run.outcome_detail);
        r->j.run.outcome_detail = STEAL(p->detail);
    }
    if (p->well)
        return stage_after(r, r->j.program) ? RUN_EV_NEXT : RUN_EV_JOB_OK;
    return fails(t, r, RUN_EV_JOB_ENDED, &p->err);
}

static void program_ended(Turn *t, AgentRunner *r, ProgramEnd *p)
{
    if (!r->watched || !str_eq(r->j.program, p->name))
        return; /* of a stage that is over */
    r->watched = false;
    if (r->state == RUN_CUTTING)
        apply(t, r, cut_ended(t, r));
    else if (starts_again(t, r, p))
        ;
    else if (r->state == RUN_GATHERING)
        apply(t, r, gather_ended(t, r, p));
    else if (str_eq(r->j.program, "seal"))
        apply(t, r, seal_ended(t, r, p));
    else
        apply(t, r, job_ended(t, r, p));
}

void run_verified(Turn *t, const OpReport *op)
{
    AgentRunner *r = run_find(t->s, op->run);
    if (!r || r->op != op->id)
        return;
    r->op = 0;
    if (r->state != RUN_SEALING || op->end == END_BUSY)
        return; /* the tick asks again */
    if (op->end == END_OK) {
        r->j.verified = true;
        start_stage(t, r, "seal");
    } else {
        apply(t, r, fails(t, r, RUN_EV_SEAL_FAILED, &op->err));
    }
}

/* ---- requests --------------------------------------------------------------------------------------------
 */

static bool wrong_state(const AgentRunner *r, const char *what, Err *err)
{
    return err_set(err, ERR_CONFLICT, 0, "run %s is %s: it cannot %s", run_id(r), run_state_wire(r->state),
                   what);
}

static AgentRunner *add_run(AgentState *s)
{
    s->runs = xrealloc(s->runs, (s->n_runs + 1) * sizeof *s->runs);
    return s->runs[s->n_runs++] = NEW(AgentRunner);
}

static void discard(AgentState *s, AgentRunner *r)
{
    for (size_t i = 0; i < s->n_runs; i++)
        if (s->runs[i] == r) {
            memmove(&s->runs[i], &s->runs[i + 1], (s->n_runs - i - 1) * sizeof *s->runs);
            s->n_runs--;
            break;
        }
    strlist_add(&s->changed.gone, run_id(r));
    wire_free(run_journal_fields, &r->j);
    free(r);
}

static void accept(Turn *t, Input *in)
{
    Err err;
    const JobRules *job = rules_of_job(&t->s->known.rules, in->spec->job);
    bool replica = run_is_for_replica(in->spec, job);
    if (run_find(t->s, in->owner)) {
        fx_answer(t, in->token, in->owner, NULL);
        return;
    }
    if (replica && !run_may_begin(t->s, in->spec, &err)) {
        fx_answer(t, in->token, NULL, &err);
        return;
    }
    AgentRunner *r = add_run(t->s);
    r->j.run.spec = *in->spec;
    *in->spec = (RunSpec){0};
    if (!r->j.run.spec.kind)
        r->j.run.spec.kind = job ? (TaskKind)wire_enum_find(&task_kind_names, job->kind) : KIND_UPLOAD;
    r->j.run.spec.on = replica ? ROLE_REPLICA : ROLE_PRIMARY;
    r->side = replica ? RUN_ON_REPLICA : RUN_ON_PRIMARY;
    r->state = RUN_ACCEPTED;
    r->j.run.accepted_at = t->wall_ms;
    r->accepted_in = t->s->drain;
    fx_log(t, LOG_LEVEL_INFO, "run %s: accepted, %s %s on the %s", run_id(r),
           WIRE_TEXT(task_kind_names, &r->j.run.spec, kind), r->j.run.spec.job,
           WIRE_TEXT(node_role_names, &r->j.run.spec, on));
    changed(t, r);
    fx_answer(t, in->token, in->owner, NULL);
    again(t, r);
}

static bool align(Turn *t, AgentRunner *r, Input *in, Err *err)
{
    const RunAlign *to = in->align;
    if (r->state != RUN_FROZEN || !r->j.run.spec.barrier)
        return wrong_state(r, "be aligned", err);
    if (!to->gtid || !*to->gtid || !to->source_file)
        return err_set(err, ERR_USAGE, 0, "an alignment needs gtid, source_file and source_pos");
    if (t->s->durable.pause != PAUSE_FROZEN || !pause_is_held_by(t->s, run_id(r)))
        return err_set(err, ERR_CONFLICT, 0, "%s does not stand frozen for run %s", t->s->known.rules.node,
                       run_id(r));
    r->j.aligning = true;
    fx_post(t, IN_MOVE_ON, run_id(r))->align = STEAL(in->align);
    apply(t, r, RUN_EV_ALIGN);
    return true;
}

static bool go(Turn *t, AgentRunner *r, Err *err)
{
    if (r->state > RUN_FROZEN && run_is_under_way(r))
        return true; /* asked twice */
    if (r->state != RUN_FROZEN || r->j.aligning)
        return wrong_state(r, "go", err);
    apply(t, r, RUN_EV_GO);
    return true;
}

static bool request(Turn *t, AgentRunner *r, const Input *in, Err *err)
{
    const char *action = in->text;
    bool stop = str_eq(action, "stop"), kill_it = str_eq(action, "kill");
    if (!run_is_under_way(r))
        return wrong_state(r, action, err);
    if (stop || kill_it) {
        AUTOFREE char *text =
            xasprintf("%s by %s", stop ? "stopped" : "killed", in->by && *in->by ? in->by : "request");
        RunCut c = {.outcome = stop ? OUTCOME_STOPPED : OUTCOME_KILLED,
                    .kind = ERR_CANCELLED,
                    .text = text,
                    .hard = kill_it};
        cut(t, r, &c);
        return true;
    }
    if (!str_eq(action, "sleep") && !str_eq(action, "wake"))
        return err_set(err, ERR_USAGE, 0, "action \"%s\" is not one of stop, kill, sleep, wake", action);
    RunEvent ev = str_eq(action, "sleep") ? RUN_EV_SLEEP : RUN_EV_WAKE;
    if (!run_machine_find(r->side, r->state, ev))
        return wrong_state(r, action, err);
    apply(t, r, ev);
    return true;
}

/* Asked again it changes nothing. */
static bool gather(Turn *t, AgentRunner *r, Input *in, Err *err)
{
    const RunSpec *spec = &r->j.run.spec;
    if (r->j.run.gathered || r->state == RUN_GATHERING)
        return true;
    if (spec->shards < 2 || spec->shard != 0 || r->state != RUN_CAUGHT_UP || !r->j.run.sealed)
        return err_set(err, ERR_CONFLICT, 0, "run %s is %s here: there is nothing to gather for", run_id(r),
                       run_state_wire(r->state));
    wire_free(gather_order_fields, &r->j.gather);
    r->j.gather = *in->gather;
    *in->gather = (GatherOrder){0};
    free(STEAL(r->j.run.gather_error));
    apply(t, r, RUN_EV_GATHER);
    return true;
}

static void order_forget(Turn *t, AgentRunner *r, uint64_t token)
{
    Effect *e = fx_add(t, FX_FORGET);
    e->owner = xstrdup(run_id(r));
    e->token = token;
    r->forgetting = true;
}

static bool forget(Turn *t, AgentRunner *r, const Input *in, Err *err)
{
    if (run_is_under_way(r) || r->forgetting)
        return wrong_state(r, "be forgotten", err);
    order_forget(t, r, in->token);
    return true;
}

static void forgotten(Turn *t, AgentRunner *r, const Input *in)
{
    r->forgetting = false;
    if (in->err.kind == ERR_NONE) {
        fx_answer(t, in->token, NULL, NULL);
        discard(t->s, r);
        fx_changed(t);
        return;
    }
    fx_answer(t, in->token, NULL, &in->err);
    fx_log(t, LOG_LEVEL_WARN, "%s", in->err.text);
    r->j.run.finished_at = t->wall_ms; /* not tried again at each tick */
    r->changed = true;
}

static void take_split(Turn *t, AgentRunner *r, Input *in)
{
    AgentRun *w = &r->j.run;
    if (w->split == in->flag && w->lost.n == in->lost->n)
        return;
    w->split = in->flag;
    strlist_done(&w->lost);
    w->lost = *in->lost;
    *in->lost = (StrList){0};
    changed(t, r);
}

static void take_progress(Turn *t, AgentRunner *r, Input *in)
{
    if (str_eq(r->j.program, "seal"))
        return;
    wire_free(progress_fields, &r->j.run.progress);
    r->j.run.progress = *in->progress;
    *in->progress = (WireProgress){0};
    fx_changed_slightly(t);
}

static void answer_request(Turn *t, AgentRunner *r, Input *in)
{
    Err err;
    AUTOFREE char *id = xstrdup(run_id(r));
    bool ok = in->kind == IN_ALIGN     ? align(t, r, in, &err)
              : in->kind == IN_GO      ? go(t, r, &err)
              : in->kind == IN_GATHER  ? gather(t, r, in, &err)
              : in->kind == IN_REQUEST ? request(t, r, in, &err)
                                       : forget(t, r, in, &err);
    if (!ok || in->kind != IN_FORGET)
        fx_answer(t, in->token, id, ok ? NULL : &err);
}

static bool is_request(InputKind k)
{
    return k == IN_ALIGN || k == IN_GO || k == IN_GATHER || k == IN_REQUEST || k == IN_FORGET;
}

static void about(Turn *t, AgentRunner *r, Input *in)
{
    if (in->kind == IN_PROGRAM)
        program_ended(t, r, in->program);
    else if (in->kind == IN_PROGRESS)
        take_progress(t, r, in);
    else if (in->kind == IN_SPLIT)
        take_split(t, r, in);
    else if (in->kind == IN_CUT)
        cut(t, r, in->cut);
    else if (in->kind == IN_FORGOTTEN)
        forgotten(t, r, in);
    else if (in->kind == IN_LIMIT_SEALING && r->state == RUN_SEALING && !r->j.resumed_early)
        apply(t, r, RUN_EV_LIMIT_SEALING);
    else if (is_request(in->kind))
        answer_request(t, r, in);
}

void run_input(Turn *t, Input *in)
{
    Err err;
    AgentRunner *r = run_find(t->s, in->owner);
    if (in->kind == IN_ACCEPT) {
        accept(t, in);
    } else if (in->kind == IN_NEWS) {
        news_for(t, r, in);
    } else if (r) {
        about(t, r, in);
    } else if (in->token) {
        err_set(&err, ERR_NOT_FOUND, 0, "%s knows no run %s", t->s->known.rules.node, in->owner);
        fx_answer(t, in->token, NULL, &err);
    }
}

/* ---- over time -------------------------------------------------------------------------------------------
 */

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
            fx_log(t, LOG_LEVEL_INFO, "run %s: found in state %s", run_id(r), run_state_name(r->state));
        if (goes_on_without_server(r->state))
            again(t, r);
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
        again(t, r);
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
            again(t, t->s->runs[i]);
}

static void check_space(Turn *t, AgentRunner *r)
{
    int64_t left;
    const char *folder = short_of_space(t->s, &left);
    bool writes = r->state == RUN_RUNNING || r->state == RUN_SLEEPING || r->state == RUN_SEALING ||
                  r->state == RUN_GATHERING;
    if (!folder || !writes || pause_is_held_by(t->s, run_id(r)))
        return; /* the guard of the pause watches its disks */
    AUTOFREE char *text = xasprintf(
        "the disk is full: %s has %lld bytes free, min_free_bytes is %lld; the partial result was removed",
        folder, (long long)left, (long long)t->s->known.rules.min_free_bytes);
    RunCut c = {.outcome = OUTCOME_ERROR, .kind = ERR_NO_SPACE, .text = text};
    cut(t, r, &c);
}

static void check_barrier(Turn *t, AgentRunner *r)
{
    int64_t heard = t->s->known.coordinator_ms > r->barrier_ms ? t->s->known.coordinator_ms : r->barrier_ms;
    if (r->state != RUN_FROZEN || !r->barrier_ms || t->now_ms - heard < t->s->known.rules.barrier_timeout_ms)
        return;
    RunCut c = {.outcome = OUTCOME_ERROR,
                .kind = ERR_TIMEOUT,
                .text = (char *)"the coordinator was lost while the replica waited frozen for the others"};
    cut(t, r, &c);
}

/* A coordinator that never says it has recorded the end does not fill the folder. One a tick. */
static void forget_old(Turn *t)
{
    int64_t before = t->wall_ms - (int64_t)KEEP_DAYS * 86400000;
    for (size_t i = 0; i < t->s->n_runs; i++) {
        AgentRunner *r = t->s->runs[i];
        if (run_is_under_way(r) || r->forgetting || r->j.run.finished_at > before)
            continue;
        order_forget(t, r, 0);
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
            again(t, r); /* no worker was free, or its time is over */
    }
}

/* One whose acceptance is not on disk was not accepted: the request is answered so. */
void run_not_written(Turn *t)
{
    for (size_t i = t->s->n_runs; i-- > 0;)
        if (t->s->runs[i]->accepted_in && t->s->runs[i]->accepted_in + 1 == t->s->drain) {
            release(t, t->s->runs[i]);
            discard(t->s, t->s->runs[i]);
        }
}
