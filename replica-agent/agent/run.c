/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <signal.h>
#include <string.h>

#include "agent.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/log.h"
#include "replica-agent/core/buffer.h"
#include "run_impl.h"
#include "store.h"

enum { MAX_TRIES = 5, MANIFEST_FILES_SHOWN = 50 };

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
    run_put(&w->state, run_state_wire(to));
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
    w->outcome = xstrdup(outcome);
    if (str_eq(outcome, "ok"))
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

/* ---- programs ------------------------------------------------------------------------------------- */

static void start_program(Agent *a, Runner *r, const char *name);

typedef struct RunWatch {
    Agent *a;
    Runner *r;
} RunWatch;

static void drop_program(Runner *r)
{
    program_free(STEAL(r->program));
    free(STEAL(r->watch));
}

static void read_manifest(Agent *a, Runner *r)
{
    Err err;
    AgentRun *w = &r->j.run;
    AUTOFREE char *dir = run_results(a, run_id(r)), *path = xasprintf("%s/manifest.json", dir);
    json_t *m = NULL;
    if (!json_read_file(path, &m, &err)) {
        log_error("run %s: %s", run_id(r), err.text);
        return;
    }
    json_t *files = json_object_get(m, "files"), *f;
    size_t i;
    w->result_bytes = w->result_compressed_bytes = 0;
    json_array_foreach(files, i, f)
    {
        w->result_bytes += json_int(f, "bytes");
        w->result_compressed_bytes += json_int(f, "compressed_bytes");
    }
    if (json_array_size(files) > MANIFEST_FILES_SHOWN)
        json_object_del(m, "files");
    json_decref(w->manifest);
    w->manifest = m;
    json_decref(w->outcome_detail);
    w->outcome_detail = json_object();
    json_set_int(w->outcome_detail, "result_bytes", w->result_bytes);
    json_set_int(w->outcome_detail, "result_compressed_bytes", w->result_compressed_bytes);
    w->sealed = true;
    w->gathered = json_bool(w->manifest, "gathered");
    run_put(&w->result_dir, dir);
}

static void read_load_outcome(Agent *a, Runner *r)
{
    Err err;
    AUTOFREE char *dir = run_program_dir(a, r, "load"), *path = xasprintf("%s/outcome.json", dir);
    json_t *j = NULL;
    if (!json_read_file(path, &j, &err))
        return;
    json_decref(r->j.run.outcome_detail);
    r->j.run.outcome_detail = j;
}

static bool ended_well(const ProgramExit *e)
{
    return e && e->started && !e->signal && !e->exit_code && !e->ended_by;
}

static void cut_ended(Agent *a, Runner *r)
{
    run_set_outcome(r, r->j.cut_outcome ? r->j.cut_outcome : "error",
                    err_kind_from_name(r->j.cut_kind ? r->j.cut_kind : ""),
                    r->j.cut_text ? r->j.cut_text : "ended from outside");
    run_event(a, r, RUN_EV_JOB_ENDED);
}

/* A transfer or a load whose supervisor was killed goes on where it was: both are made for it. */
static bool start_again(Agent *a, Runner *r, const ProgramExit *e)
{
    Err err;
    bool goes_on = str_eq(r->j.run.spec.kind, "upload") || r->state == RUN_GATHERING;
    if (e || !goes_on || r->j.tries >= MAX_TRIES)
        return false;
    AUTOFREE char *dir = run_program_dir(a, r, r->j.program), *name = xstrdup(r->j.program);
    if (!program_reset(dir, &err)) {
        log_warn("run %s: %s", run_id(r), err.text);
        return false;
    }
    r->j.tries++;
    log_warn("run %s: the supervisor of %s was killed, starting it again", run_id(r), name);
    start_program(a, r, name);
    return true;
}

static void job_ended(Agent *a, Runner *r, const ProgramExit *e)
{
    if (str_eq(r->j.program, "load"))
        read_load_outcome(a, r);
    if (ended_well(e)) {
        run_event(a, r, run_program_after(r, r->j.program) ? RUN_EV_NEXT : RUN_EV_JOB_OK);
        return;
    }
    if (start_again(a, r, e))
        return;
    Err err;
    run_program_failure(a, r, e, &err);
    run_set_outcome(r, "error", err.kind, err.text);
    run_event(a, r, RUN_EV_JOB_ENDED);
}

static void seal_ended(Agent *a, Runner *r, const ProgramExit *e)
{
    if (ended_well(e)) {
        read_manifest(a, r);
        if (r->j.run.sealed) {
            run_set_outcome(r, "ok", ERR_NONE, NULL);
            run_event(a, r, RUN_EV_SEALED);
            return;
        }
    }
    Err err;
    run_program_failure(a, r, e, &err);
    run_set_outcome(r, "error", err.kind, err.text);
    run_event(a, r, RUN_EV_SEAL_FAILED);
}

static void gather_failed(Agent *a, Runner *r, const Err *err)
{
    run_put(&r->j.run.gather_error, err->text);
    log_warn("run %s: %s", run_id(r), err->text);
    run_event(a, r, RUN_EV_JOB_ENDED);
}

static void gather_ended(Agent *a, Runner *r, const ProgramExit *e)
{
    Err err;
    if (start_again(a, r, e))
        return;
    if (ended_well(e)) {
        read_manifest(a, r);
        if (r->j.run.gathered) {
            run_event(a, r, RUN_EV_JOB_OK);
            return;
        }
    }
    run_program_failure(a, r, e, &err);
    gather_failed(a, r, &err);
}

void run_take_progress(Agent *a, Runner *r)
{
    ProgramProgress p = {0};
    if (!r->program || str_eq(r->j.program, "seal") || !program_read_progress(r->program, &p))
        return;
    WireProgress *w = &r->j.run.progress;
    wire_free(progress_fields, w);
    *w = (WireProgress){.done = p.done, .total = p.total, .unit = STEAL(p.unit), .note = STEAL(p.note)};
    wire_free(program_progress_fields, &p);
    agent_changed_slightly(a);
}

static void on_program(void *arg, const ProgramExit *e)
{
    Agent *a = ((RunWatch *)arg)->a;
    Runner *r = ((RunWatch *)arg)->r;
    run_take_progress(a, r);
    drop_program(r);
    if (r->state == RUN_CUTTING)
        cut_ended(a, r);
    else if (r->state == RUN_GATHERING)
        gather_ended(a, r, e);
    else if (str_eq(r->j.program, "seal"))
        seal_ended(a, r, e);
    else
        job_ended(a, r, e);
}

static bool watch_program(Agent *a, Runner *r, const char *name, Err *err)
{
    ProgramSpec spec = {0};
    AUTOFREE char *dir = run_program_dir(a, r, name);
    if (!run_program_spec(a, r, name, &spec, err))
        return false;
    r->watch = NEW(RunWatch);
    *r->watch = (RunWatch){a, r};
    bool ok = program_start(a->base, dir, &spec, on_program, r->watch, &r->program, err);
    wire_free(program_spec_fields, &spec);
    if (!ok)
        drop_program(r);
    return ok;
}

static void start_program(Agent *a, Runner *r, const char *name)
{
    Err err;
    if (!str_eq(r->j.program, name)) {
        run_put(&r->j.program, name);
        if (!str_eq(name, "seal"))
            wire_free(progress_fields, &r->j.run.progress);
    }
    if (run_save(a, r, &err) && watch_program(a, r, name, &err))
        return;
    if (r->state == RUN_GATHERING) {
        gather_failed(a, r, &err);
        return;
    }
    run_set_outcome(r, "error", err.kind, err.text);
    run_event(a, r, str_eq(name, "seal") ? RUN_EV_SEAL_FAILED : RUN_EV_JOB_ENDED);
}

static void cut_program(Agent *a, Runner *r)
{
    Err err;
    AUTOFREE char *dir = r->j.program ? run_program_dir(a, r, r->j.program) : NULL;
    AUTOFREE char *spec = dir ? xasprintf("%s/spec.json", dir) : NULL;
    if (!r->program && dir && fs_exists(spec) && !watch_program(a, r, r->j.program, &err))
        log_error("run %s: %s", run_id(r), err.text);
    if (r->program)
        program_signal(r->program, r->j.cut_hard ? SIGUSR1 : SIGTERM);
    else if (r->state == RUN_CUTTING)
        cut_ended(a, r);
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
    AUTOFREE char *reason = xasprintf("%s %s", r->j.run.spec.kind, r->j.run.spec.job);
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
        start_program(a, r, "seal");
    } else {
        run_fail(a, r, RUN_EV_SEAL_FAILED, &s->err);
    }
}

static void seal(Agent *a, Runner *r)
{
    if (str_eq(r->j.run.spec.kind, "upload")) {
        run_set_outcome(r, "ok", ERR_NONE, NULL);
        run_event(a, r, RUN_EV_SEALED);
        return;
    }
    if (r->side == RUN_ON_PRIMARY || r->j.verified) {
        start_program(a, r, "seal");
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
        start_program(a, r, r->j.program ? r->j.program : run_program_first(a, r));
        break;
    case RUN_ACT_NEXT_PROGRAM:
        start_program(a, r, run_program_after(r, r->j.program));
        break;
    case RUN_ACT_SLEEP:
        program_signal(r->program, SIGTSTP);
        break;
    case RUN_ACT_WAKE:
        program_signal(r->program, SIGCONT);
        break;
    case RUN_ACT_CUT:
        cut_program(a, r);
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
        start_program(a, r, "gather");
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
    drop_program(r);
    run_split_close(r);
    wire_free(run_journal_fields, &r->j);
    free(r);
}
