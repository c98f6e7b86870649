/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <signal.h>
#include <string.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "replica-agent/core/buffer.h"
#include "run_impl.h"
#include "store.h"

/* clang-format off */
#define ROW(T, f, type) {#f, type, offsetof(T, f), NULL, 0}
const WireField run_journal_fields[] = {
    ROW(RunJournal, state, WIRE_STR),         ROW(RunJournal, program, WIRE_STR),
    ROW(RunJournal, verified, WIRE_BOOL),     ROW(RunJournal, aligning, WIRE_BOOL),
    ROW(RunJournal, resumed_early, WIRE_BOOL), ROW(RunJournal, voided, WIRE_STR),
    ROW(RunJournal, cut_outcome, WIRE_STR),   ROW(RunJournal, cut_kind, WIRE_STR),
    ROW(RunJournal, cut_text, WIRE_STR),      ROW(RunJournal, cut_hard, WIRE_BOOL),
    ROW(RunJournal, tries, WIRE_INT),
    {"gather", WIRE_OBJ, offsetof(RunJournal, gather), gather_order_fields, 0},
    {"run", WIRE_OBJ, offsetof(RunJournal, run), agent_run_fields, 0},
    {NULL, WIRE_STR, 0, NULL, 0},
};
/* clang-format on */

const char *run_id(const Runner *r)
{
    return r->j.run.spec.run;
}

void run_put(char **to, const char *text)
{
    char *old = *to;
    *to = xstrdup(text);
    free(old);
}

char *run_dir(const Agent *a, const char *id)
{
    return xasprintf("%s/runs/%s", a->conf.state_dir, id);
}

char *run_results(const Agent *a, const char *id)
{
    return xasprintf("%s/%s", a->conf.spool_dir, id);
}

Runner *run_find(const Agent *a, const char *id)
{
    for (size_t i = 0; i < a->n_runs; i++)
        if (str_eq(run_id(a->runs[i]), id))
            return a->runs[i];
    return NULL;
}

bool run_is_under_way(const Runner *r)
{
    return !run_state_is_final(r->state);
}

Runner *run_of_pause(const Agent *a)
{
    return a->pause.lease.owner ? run_find(a, a->pause.lease.owner) : NULL;
}

/* A run that begins as soon as the present pause is over, and what it needs applied is. */
const Runner *run_next(const Agent *a)
{
    for (size_t i = 0; i < a->n_runs; i++) {
        const RunSpec *s = &a->runs[i]->j.run.spec;
        if (a->runs[i]->state == RUN_ACCEPTED && s->during_catch_up &&
            !str_eq(s->run, a->pause.lease.owner) &&
            buffer_reaches(a->server.version.flavor, a->server.status.applied, s->after_gtid))
            return a->runs[i];
    }
    return NULL;
}

/* ---- journal and the setter ----------------------------------------------------------------------- */

bool run_save(Agent *a, Runner *r, Err *err)
{
    AUTOFREE char *name = xasprintf("runs/%s/run.json", run_id(r));
    run_put(&r->j.state, run_state_name(r->state));
    r->dirty = !store_write(a, name, run_journal_fields, &r->j, err);
    if (r->dirty)
        log_error("run %s: its journal cannot be written: %s", run_id(r), err->text);
    return !r->dirty;
}

void run_stamp(Runner *r, RunState to)
{
    AgentRun *w = &r->j.run;
    int64_t now = clock_wall_ms();
    if (to == RUN_RUNNING && !w->started_at)
        w->started_at = now;
    if ((to == RUN_SEALING || to == RUN_RESUMING || to == RUN_ENDED) && w->started_at && !w->job_ended_at)
        w->job_ended_at = now;
    if (to == RUN_CAUGHT_UP || to == RUN_ENDED)
        w->finished_at = now;
    w->state = wire_enum_find(&agent_run_state_names, run_state_wire(to));
}

/* The one setter. */
void run_event(Agent *a, Runner *r, RunEvent ev)
{
    Err err;
    const RunRow *row = run_machine_find(r->side, r->state, ev);
    if (!row) {
        log_error("run %s: \"%s\" does not belong to state %s", run_id(r), run_event_name(ev),
                  run_state_name(r->state));
        return;
    }
    if (row->from != row->to || row->action != RUN_ACT_NONE)
        log_info("run %s: %s -> %s (%s)", run_id(r), run_state_name(row->from), run_state_name(row->to),
                 row->reason);
    r->state = row->to;
    if (row->from != row->to) {
        run_stamp(r, row->to);
        run_put(&r->j.run.note, row->reason);
    }
    (void)!run_save(a, r, &err);
    agent_changed(a);
    run_act(a, r, row->action);
}

void run_set_outcome(Runner *r, const char *outcome, ErrKind kind, const char *text)
{
    AgentRun *w = &r->j.run;
    if (w->outcome)
        return;
    w->outcome = wire_enum_find(&run_outcome_names, outcome);
    if (w->outcome == OUTCOME_OK)
        return;
    w->error_kind = xstrdup(err_kind_name(kind));
    w->error = xstrdup(text);
    log_warn("run %s: %s: %s", run_id(r), outcome, text);
}

void run_fail(Agent *a, Runner *r, RunEvent ev, const Err *err)
{
    run_set_outcome(r, "error", err->kind, err->text);
    run_event(a, r, ev);
}

void run_cut(Agent *a, Runner *r, const RunEnd *end)
{
    bool again = r->j.cut_outcome != NULL;
    if (again && (!end->hard || r->j.cut_hard))
        return;
    run_put(&r->j.cut_outcome, end->outcome);
    run_put(&r->j.cut_kind, err_kind_name(end->kind));
    run_put(&r->j.cut_text, end->text);
    r->j.cut_hard = end->hard;
    /* Before a program runs, the end is known at once. */
    if (r->state < RUN_RUNNING)
        run_set_outcome(r, end->outcome, end->kind, end->text);
    run_event(a, r, RUN_EV_CUT);
}

/* ---- steps ---------------------------------------------------------------------------------------- */

static bool submit(Agent *a, Runner *r, Step *s)
{
    Err err;
    (void)a;
    uint64_t id = s->id;
    s->run = xstrdup(run_id(r));
    if (!step_submit(s, &err)) {
        log_warn("run %s: %s, trying again", run_id(r), err.text);
        return false;
    }
    r->step = id;
    return true;
}

static Runner *returned(Agent *a, const Step *s)
{
    Runner *r = run_find(a, s->run);
    if (!r || r->step != s->id)
        return NULL;
    r->step = 0;
    return r;
}

static void on_applied(Agent *a, Step *s)
{
    Runner *r = returned(a, s);
    if (!r || r->state != RUN_ACCEPTED)
        return;
    if (s->result == STEP_OK)
        run_event(a, r, RUN_EV_APPLIED);
    else
        run_fail(a, r, RUN_EV_REFUSED, &s->err);
}

static void await_applied(Agent *a, Runner *r)
{
    if (r->side == RUN_ON_PRIMARY) {
        run_event(a, r, RUN_EV_BEGIN);
        return;
    }
    if (r->j.run.spec.during_catch_up && a->pause.state != PAUSE_NONE)
        return; /* the tick asks again */
    const char *gtid = r->j.run.spec.after_gtid;
    if (!gtid || !*gtid) {
        run_event(a, r, RUN_EV_APPLIED);
        return;
    }
    Step *s = step_new(a, STEP_AWAIT_APPLIED, on_applied);
    s->gtid = xstrdup(gtid);
    s->timeout_ms = a->conf.applied_timeout_ms;
    submit(a, r, s);
}

static int64_t pause_limit(Agent *a, const Runner *r)
{
    const JobConfig *j = job_list_find(&a->jobs, r->j.run.spec.job);
    int64_t limit = r->j.run.spec.pause_limit_ms;
    if (limit <= 0)
        limit = j ? j->f.pause_limit_ms : 0;
    if (limit <= 0)
        limit = r->j.run.spec.pause_default_ms;
    return limit > 0 ? limit : a->conf.pause_limit_ms;
}

static void take_pause(Agent *a, Runner *r)
{
    Err err;
    if (pause_is_held_by(a, run_id(r))) {
        if (a->pause.state == PAUSE_FROZEN)
            run_pause_news(a, run_id(r), PAUSE_NEWS_FROZEN, NULL);
        return;
    }
    AUTOFREE char *reason =
        xasprintf("%s %s", WIRE_TEXT(task_kind_names, &r->j.run.spec, kind), r->j.run.spec.job);
    PauseWish w = {.owner = run_id(r),
                   .reason = reason,
                   .by = "siding",
                   .term = r->j.run.spec.term,
                   .limit_ms = pause_limit(a, r)};
    if (!pause_begin(a, &w, &err))
        run_fail(a, r, RUN_EV_REFUSED, &err);
}

static void at_barrier(Agent *a, Runner *r)
{
    r->barrier_ms = clock_mono_ms();
    if (!r->j.run.spec.barrier)
        run_event(a, r, RUN_EV_GO);
}

static void on_verified(Agent *a, Step *s)
{
    if (pause_is_held_by(a, s->run) && !a->pause.held)
        a->pause.held = STEAL(s->held);
    Runner *r = returned(a, s);
    if (!r || r->state != RUN_SEALING)
        return;
    if (s->result == STEP_OK) {
        r->j.verified = true;
        run_stage_start(a, r, "seal");
    } else {
        run_fail(a, r, RUN_EV_SEAL_FAILED, &s->err);
    }
}

static void seal(Agent *a, Runner *r)
{
    if (r->j.run.spec.kind == KIND_UPLOAD) {
        run_set_outcome(r, "ok", ERR_NONE, NULL);
        run_event(a, r, RUN_EV_SEALED);
        return;
    }
    if (r->side == RUN_ON_PRIMARY || r->j.verified) {
        run_stage_start(a, r, "seal");
        return;
    }
    if (r->j.voided || !pause_is_held_by(a, run_id(r))) {
        Err err;
        err_set(&err, ERR_CORRUPT, 0, "%s", r->j.voided ? r->j.voided : "the pause ended before the job did");
        run_fail(a, r, RUN_EV_SEAL_FAILED, &err);
        return;
    }
    Step *s = step_new(a, STEP_VERIFY, on_verified);
    wire_copy(lease_fields, &s->lease, &a->pause.lease);
    s->held = STEAL(a->pause.held);
    submit(a, r, s);
}

static void finish(Agent *a, Runner *r)
{
    Err err;
    run_program_clean(a, r);
    (void)!run_save(a, r, &err);
}

void run_act(Agent *a, Runner *r, RunAction action)
{
    switch (action) {
    case RUN_ACT_NONE:
        break;
    case RUN_ACT_AWAIT_APPLIED:
        await_applied(a, r);
        break;
    case RUN_ACT_PAUSE:
        take_pause(a, r);
        break;
    case RUN_ACT_AT_BARRIER:
        at_barrier(a, r);
        break;
    case RUN_ACT_ALIGN:
        break; /* done by run_align, which can refuse */
    case RUN_ACT_PROGRAM:
        run_stage_start(a, r, r->j.program ? r->j.program : run_program_first(a, r));
        break;
    case RUN_ACT_NEXT_PROGRAM:
        run_stage_start(a, r, run_program_after(r, r->j.program));
        break;
    case RUN_ACT_SLEEP:
        program_signal(r->program, SIGTSTP);
        break;
    case RUN_ACT_WAKE:
        program_signal(r->program, SIGCONT);
        break;
    case RUN_ACT_CUT:
        run_stage_cut(a, r);
        break;
    case RUN_ACT_SEAL:
        seal(a, r);
        break;
    case RUN_ACT_RESUME_EARLY:
        r->j.resumed_early = true;
        pause_release(a, run_id(r));
        break;
    case RUN_ACT_RESUME:
        if (!pause_release(a, run_id(r)))
            run_event(a, r, RUN_EV_RELEASED);
        break;
    case RUN_ACT_GATHER:
        run_stage_start(a, r, "gather");
        break;
    case RUN_ACT_FINISH:
        finish(a, r);
        break;
    }
}

/* ---- the list ------------------------------------------------------------------------------------ */

Runner *run_add(Agent *a)
{
    a->runs = xrealloc(a->runs, (a->n_runs + 1) * sizeof *a->runs);
    return a->runs[a->n_runs++] = NEW(Runner);
}

void run_discard(Agent *a, Runner *r)
{
    for (size_t i = 0; i < a->n_runs; i++)
        if (a->runs[i] == r) {
            memmove(&a->runs[i], &a->runs[i + 1], (a->n_runs - i - 1) * sizeof *a->runs);
            a->n_runs--;
            break;
        }
    run_stage_drop(r);
    run_split_close(r);
    wire_free(run_journal_fields, &r->j);
    free(r);
}
