/* SPDX-License-Identifier: Apache-2.0
 * Requests about runs: accepted or refused, aligned, started, asked to end, gathered, forgotten.
 */
#include <string.h>

#include "run_state.h"

static bool wrong_state(const AgentRunner *r, const char *what, Err *err)
{
    return err_set(err, ERR_CONFLICT, 0, "run %.*s is %s: it cannot %s", RUN_TEXT(run_id(r)),
                   run_state_wire(r->state), what);
}

static AgentRunner *add_run(AgentState *s)
{
    s->runs = xrealloc(s->runs, (s->n_runs + 1) * sizeof *s->runs);
    return s->runs[s->n_runs++] = NEW(AgentRunner);
}

void run_discard(AgentState *s, AgentRunner *r)
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

/* Of an order what is the coordinator's own, or a sign of its time, may differ from one to the next. */
static json_t *what_is_ordered(const RunSpec *spec, const RunSpec *as)
{
    static const char *const passing[] = {"term",           "during_catch_up",  "after_gtid", "claimed_at",
                                          "attempt",        "pause_default_ms", "first",      "run_limit_ms",
                                          "pause_limit_ms", "start_by"};
    json_t *o = wire_write(run_spec_fields, spec);
    for (size_t i = 0; i < COUNT(passing); i++)
        json_object_del(o, passing[i]);
    json_object_del(json_object_get(o, "source"), "url");
    json_set_str(o, "kind", WIRE_TEXT(task_kind_names, as, kind));
    json_set_str(o, "on", WIRE_TEXT(node_role_names, as, on));
    return o;
}

/* An order that comes again is answered with its run; another order of the same name is none of it. */
static bool is_same_order(const AgentRunner *r, const RunSpec *spec, Err *err)
{
    const RunSpec *ours = &r->j.run.spec;
    AUTOJSON json_t *there = what_is_ordered(ours, ours), *here = what_is_ordered(spec, ours);
    bool same = json_equal(there, here) && (!spec->kind || spec->kind == ours->kind) &&
                (!spec->on || spec->on == ours->on);
    return same || err_set(err, ERR_REFUSED, 0,
                           "run %.*s is on record here with another order: it is not done again, nor "
                           "answered for this one",
                           RUN_TEXT(run_id(r)));
}

/* An order may be read long after it was sent, by an agent that stood still or from a connection that did. */
static bool may_be_begun(const Turn *t, const Input *in, Err *err)
{
    if (strlist_has(&t->s->flight.done, in->owner))
        return err_set(err, ERR_REFUSED, 0, "run %.*s was done here already, and is forgotten",
                       RUN_TEXT(in->owner));
    return !run_is_late(&t->s->known, in->spec, t->now_ms) ||
           err_set(err, ERR_CONFLICT, 0, "the order of run %.*s came too late: it is not begun",
                   RUN_TEXT(in->owner));
}

/* The coordinator has what it was told up to there: it gives nobody else what it has seen taken. */
void run_heard(Turn *t, int64_t seq)
{
    for (size_t i = 0; i < t->s->n_runs; i++) {
        AgentRunner *r = t->s->runs[i];
        if (r->j.seen || !r->told_seq || seq < r->told_seq)
            continue;
        r->j.seen = r->changed = true;
    }
}

void run_accept(Turn *t, Input *in)
{
    Err err;
    const JobRules *job = rules_of_job(&t->s->known.rules, in->spec->job);
    bool replica = run_is_for_replica(in->spec, job);
    AgentRunner *known = run_find(t->s, in->owner);
    if (known) {
        bool same = is_same_order(known, in->spec, &err);
        fx_answer(t, in->token, same ? in->owner : NULL, same ? NULL : &err);
        return;
    }
    if (!may_be_begun(t, in, &err)) {
        fx_answer(t, in->token, NULL, &err);
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
    fx_log(t, LOG_LEVEL_INFO, "run %.*s: accepted, %s %s on the %s", RUN_TEXT(run_id(r)),
           WIRE_TEXT(task_kind_names, &r->j.run.spec, kind), r->j.run.spec.job,
           WIRE_TEXT(node_role_names, &r->j.run.spec, on));
    run_changed(t, r);
    fx_answer(t, in->token, in->owner, NULL);
    run_again(t, r);
}

static bool align(Turn *t, AgentRunner *r, Input *in, Err *err)
{
    const RunAlign *to = in->align;
    if (r->state != RUN_FROZEN || !r->j.run.spec.barrier)
        return wrong_state(r, "be aligned", err);
    if (!to->gtid || !*to->gtid || !to->source_file)
        return err_set(err, ERR_USAGE, 0, "an alignment needs gtid, source_file and source_pos");
    if (t->s->durable.pause != PAUSE_FROZEN || !pause_is_held_by(t->s, run_id(r)))
        return err_set(err, ERR_CONFLICT, 0, "%s does not stand frozen for run %.*s", t->s->known.rules.node,
                       RUN_TEXT(run_id(r)));
    r->j.aligning = true;
    fx_post(t, IN_MOVE_ON, run_id(r))->align = STEAL(in->align);
    run_apply(t, r, RUN_EV_ALIGN);
    return true;
}

static bool go(Turn *t, AgentRunner *r, Err *err)
{
    if (r->state > RUN_FROZEN && run_is_under_way(r))
        return true; /* asked twice */
    if (r->state != RUN_FROZEN || r->j.aligning)
        return wrong_state(r, "go", err);
    run_apply(t, r, RUN_EV_GO);
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
        run_cut(t, r, &c);
        return true;
    }
    if (!str_eq(action, "sleep") && !str_eq(action, "wake"))
        return err_set(err, ERR_USAGE, 0, "action \"%s\" is not one of stop, kill, sleep, wake", action);
    RunEvent ev = str_eq(action, "sleep") ? RUN_EV_SLEEP : RUN_EV_WAKE;
    if (!run_machine_find(r->side, r->state, ev))
        return wrong_state(r, action, err);
    run_apply(t, r, ev);
    return true;
}

/* Asked again it changes nothing. */
static bool gather(Turn *t, AgentRunner *r, Input *in, Err *err)
{
    const RunSpec *spec = &r->j.run.spec;
    if (r->j.run.gathered || r->state == RUN_GATHERING)
        return true;
    if (spec->shards < 2 || spec->shard != 0 || r->state != RUN_CAUGHT_UP || !r->j.run.sealed)
        return err_set(err, ERR_CONFLICT, 0, "run %.*s is %s here: there is nothing to gather for",
                       RUN_TEXT(run_id(r)), run_state_wire(r->state));
    wire_free(gather_order_fields, &r->j.gather);
    r->j.gather = *in->gather;
    *in->gather = (GatherOrder){0};
    free(STEAL(r->j.run.gather_error));
    free(STEAL(r->j.cut_outcome)); /* of a gathering before: this one may be ended too */
    free(STEAL(r->j.cut_kind));
    free(STEAL(r->j.cut_text));
    r->j.cut_hard = false;
    r->j.tries = 0;
    run_apply(t, r, RUN_EV_GATHER);
    return true;
}

void run_order_forget(Turn *t, AgentRunner *r, uint64_t token)
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
    run_order_forget(t, r, in->token);
    return true;
}

/* Another copy of its order would be read as a new one. Those on the way end with their connections, and so
 * with this process, or are late. */
static void remember_done(Turn *t, const AgentRunner *r)
{
    enum { MOST = 1000 };
    StrList *done = &t->s->flight.done;
    if (run_is_late(&t->s->known, &r->j.run.spec, t->now_ms) || !r->j.run.spec.start_by.boot_id)
        return;
    if (done->n == MOST) { /* the oldest's orders have come, or are late */
        free(done->v[0]);
        memmove(&done->v[0], &done->v[1], --done->n * sizeof done->v[0]);
    }
    strlist_add(done, run_id(r));
}

void run_forgotten(Turn *t, AgentRunner *r, const Input *in)
{
    r->forgetting = false;
    if (in->err.kind == ERR_NONE) {
        fx_answer(t, in->token, NULL, NULL);
        remember_done(t, r);
        run_discard(t->s, r);
        fx_changed(t);
        return;
    }
    fx_answer(t, in->token, NULL, &in->err);
    fx_log(t, LOG_LEVEL_WARN, "%s", in->err.text);
    r->j.run.finished_at = t->wall_ms; /* not tried again at each tick */
    r->changed = true;
}

void run_answer_request(Turn *t, AgentRunner *r, Input *in)
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
