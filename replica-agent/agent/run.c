/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <signal.h>
#include <string.h>

#include "agent.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/log.h"
#include "logs.h"
#include "replica-agent/core/joblist.h"
#include "store.h"

enum { MAX_TRIES = 5, MANIFEST_FILES_SHOWN = 50 };

/* clang-format off */
#define ROW(T, f, type) {#f, type, offsetof(T, f), NULL, 0}
static const WireField journal_fields[] = {
    ROW(RunJournal, state, WIRE_STR),         ROW(RunJournal, program, WIRE_STR),
    ROW(RunJournal, verified, WIRE_BOOL),     ROW(RunJournal, aligning, WIRE_BOOL),
    ROW(RunJournal, resumed_early, WIRE_BOOL), ROW(RunJournal, voided, WIRE_STR),
    ROW(RunJournal, cut_outcome, WIRE_STR),   ROW(RunJournal, cut_kind, WIRE_STR),
    ROW(RunJournal, cut_text, WIRE_STR),      ROW(RunJournal, cut_hard, WIRE_BOOL),
    ROW(RunJournal, tries, WIRE_INT),
    {"run", WIRE_OBJ, offsetof(RunJournal, run), agent_run_fields, 0},
    {NULL, WIRE_STR, 0, NULL, 0},
};
/* clang-format on */

static void act(Agent *a, Runner *r, RunAction action);

static const char *id_of(const Runner *r)
{
    return r->j.run.spec.run;
}

static void put(char **to, const char *text)
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
        if (str_eq(id_of(a->runs[i]), id))
            return a->runs[i];
    return NULL;
}

bool run_is_under_way(const Runner *r)
{
    return !run_state_is_final(r->state);
}

/* ---- journal and the setter ----------------------------------------------------------------------- */

static bool save(Agent *a, Runner *r, Err *err)
{
    AUTOFREE char *name = xasprintf("runs/%s/run.json", id_of(r));
    put(&r->j.state, run_state_name(r->state));
    r->dirty = !store_write(a, name, journal_fields, &r->j, err);
    if (r->dirty)
        log_error("run %s: its journal cannot be written: %s", id_of(r), err->text);
    return !r->dirty;
}

static void stamp(Runner *r, RunState to)
{
    AgentRun *w = &r->j.run;
    int64_t now = clock_wall_ms();
    if (to == RUN_RUNNING && !w->started_at)
        w->started_at = now;
    if ((to == RUN_SEALING || to == RUN_RESUMING || to == RUN_ENDED) && w->started_at && !w->job_ended_at)
        w->job_ended_at = now;
    if (to == RUN_CAUGHT_UP || to == RUN_ENDED)
        w->finished_at = now;
    put(&w->state, run_state_wire(to));
}

/* The one setter. */
static void event(Agent *a, Runner *r, RunEvent ev)
{
    Err err;
    const RunRow *row = run_machine_find(r->side, r->state, ev);
    if (!row) {
        log_error("run %s: \"%s\" does not belong to state %s", id_of(r), run_event_name(ev),
                  run_state_name(r->state));
        return;
    }
    if (row->from != row->to || row->action != RUN_ACT_NONE)
        log_info("run %s: %s -> %s (%s)", id_of(r), run_state_name(row->from), run_state_name(row->to),
                 row->reason);
    r->state = row->to;
    if (row->from != row->to) {
        stamp(r, row->to);
        put(&r->j.run.note, row->reason);
    }
    (void)!save(a, r, &err);
    agent_changed(a);
    act(a, r, row->action);
}

static void set_outcome(Runner *r, const char *outcome, ErrKind kind, const char *text)
{
    AgentRun *w = &r->j.run;
    if (w->outcome)
        return;
    w->outcome = xstrdup(outcome);
    if (str_eq(outcome, "ok"))
        return;
    w->error_kind = xstrdup(err_kind_name(kind));
    w->error = xstrdup(text);
    log_warn("run %s: %s: %s", id_of(r), outcome, text);
}

static void fail(Agent *a, Runner *r, RunEvent ev, const Err *err)
{
    set_outcome(r, "error", err->kind, err->text);
    event(a, r, ev);
}

void run_cut(Agent *a, Runner *r, const RunEnd *end)
{
    bool again = r->j.cut_outcome != NULL;
    if (again && (!end->hard || r->j.cut_hard))
        return;
    put(&r->j.cut_outcome, end->outcome);
    put(&r->j.cut_kind, err_kind_name(end->kind));
    put(&r->j.cut_text, end->text);
    r->j.cut_hard = end->hard;
    /* Before a program runs, the end is known at once. */
    if (r->state < RUN_RUNNING)
        set_outcome(r, end->outcome, end->kind, end->text);
    event(a, r, RUN_EV_CUT);
}

/* ---- programs ------------------------------------------------------------------------------------- */

static void start_program(Agent *a, Runner *r, const char *name);

static void drop_program(Runner *r)
{
    program_free(STEAL(r->program));
}

static void read_manifest(Agent *a, Runner *r)
{
    Err err;
    AgentRun *w = &r->j.run;
    AUTOFREE char *dir = run_results(a, id_of(r)), *path = xasprintf("%s/manifest.json", dir);
    json_t *m = NULL;
    if (!json_read_file(path, &m, &err)) {
        log_error("run %s: %s", id_of(r), err.text);
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
    put(&w->result_dir, dir);
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
    set_outcome(r, r->j.cut_outcome ? r->j.cut_outcome : "error",
                err_kind_from_name(r->j.cut_kind ? r->j.cut_kind : ""),
                r->j.cut_text ? r->j.cut_text : "ended from outside");
    event(a, r, RUN_EV_JOB_ENDED);
}

/* A transfer or a load whose supervisor was killed goes on where it was: both are made for it. */
static bool start_again(Agent *a, Runner *r, const ProgramExit *e)
{
    Err err;
    if (e || !str_eq(r->j.run.spec.kind, "upload") || r->j.tries >= MAX_TRIES)
        return false;
    AUTOFREE char *dir = run_program_dir(a, r, r->j.program), *name = xstrdup(r->j.program);
    if (!program_reset(dir, &err)) {
        log_warn("run %s: %s", id_of(r), err.text);
        return false;
    }
    r->j.tries++;
    log_warn("run %s: the supervisor of %s was killed, starting it again", id_of(r), name);
    start_program(a, r, name);
    return true;
}

static void job_ended(Agent *a, Runner *r, const ProgramExit *e)
{
    if (str_eq(r->j.program, "load"))
        read_load_outcome(a, r);
    if (ended_well(e)) {
        event(a, r, run_program_after(r, r->j.program) ? RUN_EV_NEXT : RUN_EV_JOB_OK);
        return;
    }
    if (start_again(a, r, e))
        return;
    Err err;
    run_program_failure(a, r, e, &err);
    set_outcome(r, "error", err.kind, err.text);
    event(a, r, RUN_EV_JOB_ENDED);
}

static void seal_ended(Agent *a, Runner *r, const ProgramExit *e)
{
    if (ended_well(e)) {
        read_manifest(a, r);
        if (r->j.run.sealed) {
            set_outcome(r, "ok", ERR_NONE, NULL);
            event(a, r, RUN_EV_SEALED);
            return;
        }
    }
    Err err;
    run_program_failure(a, r, e, &err);
    set_outcome(r, "error", err.kind, err.text);
    event(a, r, RUN_EV_SEAL_FAILED);
}

static void take_progress(Agent *a, Runner *r)
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

typedef struct Watch { /* ids, not pointers: the run may be gone */
    Agent *a;
    char *id;
} Watch;

static void on_program(void *arg, const ProgramExit *e)
{
    Watch *w = arg;
    Runner *r = run_find(w->a, w->id);
    Agent *a = w->a;
    free(w->id);
    free(w);
    if (!r)
        return;
    take_progress(a, r);
    drop_program(r);
    if (r->state == RUN_CUTTING)
        cut_ended(a, r);
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
    Watch *w = NEW(Watch);
    *w = (Watch){a, xstrdup(id_of(r))};
    bool ok = program_start(a->base, dir, &spec, on_program, w, &r->program, err);
    wire_free(program_spec_fields, &spec);
    if (!ok) {
        free(w->id);
        free(w);
    }
    return ok;
}

static void start_program(Agent *a, Runner *r, const char *name)
{
    Err err;
    if (!str_eq(r->j.program, name)) {
        put(&r->j.program, name);
        if (!str_eq(name, "seal"))
            wire_free(progress_fields, &r->j.run.progress);
    }
    if (save(a, r, &err) && watch_program(a, r, name, &err))
        return;
    set_outcome(r, "error", err.kind, err.text);
    event(a, r, str_eq(name, "seal") ? RUN_EV_SEAL_FAILED : RUN_EV_JOB_ENDED);
}

static void cut_program(Agent *a, Runner *r)
{
    Err err;
    AUTOFREE char *dir = r->j.program ? run_program_dir(a, r, r->j.program) : NULL;
    AUTOFREE char *spec = dir ? xasprintf("%s/spec.json", dir) : NULL;
    if (!r->program && dir && fs_exists(spec) && !watch_program(a, r, r->j.program, &err))
        log_error("run %s: %s", id_of(r), err.text);
    if (r->program)
        program_signal(r->program, r->j.cut_hard ? SIGUSR1 : SIGTERM);
    else
        cut_ended(a, r);
}

/* ---- steps ---------------------------------------------------------------------------------------- */

static bool submit(Agent *a, Runner *r, Step *s)
{
    Err err;
    (void)a;
    uint64_t id = s->id;
    s->run = xstrdup(id_of(r));
    if (!step_submit(s, &err)) {
        log_warn("run %s: %s, trying again", id_of(r), err.text);
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
        event(a, r, RUN_EV_APPLIED);
    else
        fail(a, r, RUN_EV_REFUSED, &s->err);
}

static void await_applied(Agent *a, Runner *r)
{
    if (r->side == RUN_ON_PRIMARY) {
        event(a, r, RUN_EV_BEGIN);
        return;
    }
    const char *gtid = r->j.run.spec.after_gtid;
    if (!gtid || !*gtid) {
        event(a, r, RUN_EV_APPLIED);
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
        limit = j && j->pause_limit_ms ? j->pause_limit_ms : a->conf.pause_limit_ms;
    return limit;
}

static void take_pause(Agent *a, Runner *r)
{
    Err err;
    if (pause_is_held_by(a, id_of(r))) {
        if (a->pause.state == PAUSE_FROZEN)
            run_pause_news(a, id_of(r), PAUSE_NEWS_FROZEN, NULL);
        return;
    }
    AUTOFREE char *reason = xasprintf("%s %s", r->j.run.spec.kind, r->j.run.spec.job);
    PauseWish w = {.owner = id_of(r),
                   .reason = reason,
                   .by = "siding",
                   .term = r->j.run.spec.term,
                   .limit_ms = pause_limit(a, r)};
    if (!pause_begin(a, &w, &err))
        fail(a, r, RUN_EV_REFUSED, &err);
}

static void at_barrier(Agent *a, Runner *r)
{
    r->barrier_ms = clock_mono_ms();
    if (!r->j.run.spec.barrier)
        event(a, r, RUN_EV_GO);
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
        fail(a, r, RUN_EV_SEAL_FAILED, &s->err);
    }
}

static void seal(Agent *a, Runner *r)
{
    if (str_eq(r->j.run.spec.kind, "upload")) {
        set_outcome(r, "ok", ERR_NONE, NULL);
        event(a, r, RUN_EV_SEALED);
        return;
    }
    if (r->side == RUN_ON_PRIMARY || r->j.verified) {
        start_program(a, r, "seal");
        return;
    }
    if (r->j.voided || !pause_is_held_by(a, id_of(r))) {
        Err err;
        err_set(&err, ERR_CORRUPT, 0, "%s", r->j.voided ? r->j.voided : "the pause ended before the job did");
        fail(a, r, RUN_EV_SEAL_FAILED, &err);
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
    (void)!save(a, r, &err);
}

static void act(Agent *a, Runner *r, RunAction action)
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
        pause_release(a, id_of(r));
        break;
    case RUN_ACT_RESUME:
        if (!pause_release(a, id_of(r)))
            event(a, r, RUN_EV_RELEASED);
        break;
    case RUN_ACT_FINISH:
        finish(a, r);
        break;
    }
}

/* ---- news of the pause ---------------------------------------------------------------------------- */

static void take_frozen(Agent *a, Runner *r)
{
    const Lease *l = &a->pause.lease;
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

static void take_replay(Agent *a, Runner *r)
{
    const Lease *l = &a->pause.lease;
    wire_free(replay_fields, &r->j.run.replay);
    wire_copy(replay_fields, &r->j.run.replay, &l->replay);
    r->j.run.resumed_at = l->resumed_at;
}

static void void_run(Agent *a, Runner *r, const Err *err)
{
    RunEnd end = {.outcome = "error", .kind = err->kind, .text = err->text, .hard = true};
    if (r->state == RUN_SEALING && r->j.verified)
        return; /* the job had ended on an unmoved state */
    put(&r->j.voided, err->text);
    if (r->state != RUN_SEALING && r->state != RUN_RESUMING && run_is_under_way(r))
        run_cut(a, r, &end);
}

static void limit_run(Agent *a, Runner *r)
{
    char text[200], limit[CLOCK_TEXT];
    clock_format_duration(a->pause.lease.limit_ms, limit);
    snprintf(text, sizeof text, "pause limit: the replica may be paused for %s, the job was not done by then",
             limit);
    RunEnd end = {.outcome = "error", .kind = ERR_TIMEOUT, .text = text};
    if (r->state == RUN_SEALING)
        event(a, r, RUN_EV_LIMIT_SEALING);
    else if (run_is_under_way(r))
        run_cut(a, r, &end);
}

void run_pause_news(Agent *a, const char *id, PauseNews news, const Err *err)
{
    Runner *r = run_find(a, id);
    if (!r || !run_is_under_way(r)) {
        if (news == PAUSE_NEWS_FROZEN || news == PAUSE_NEWS_LIMIT)
            pause_release(a, id);
        return;
    }
    switch (news) {
    case PAUSE_NEWS_FROZEN:
        take_frozen(a, r);
        if (r->state == RUN_PAUSING || r->state == RUN_FROZEN)
            event(a, r, RUN_EV_FROZEN);
        else
            pause_release(a, id);
        break;
    case PAUSE_NEWS_FAILED:
        if (r->state == RUN_PAUSING || r->state == RUN_FROZEN)
            fail(a, r, RUN_EV_REFUSED, err);
        break;
    case PAUSE_NEWS_VOID:
        void_run(a, r, err);
        break;
    case PAUSE_NEWS_LIMIT:
        limit_run(a, r);
        break;
    case PAUSE_NEWS_RESUMED:
        take_replay(a, r);
        agent_changed(a);
        break;
    case PAUSE_NEWS_RELEASED:
        take_replay(a, r);
        r->j.run.caught_up_at = clock_wall_ms();
        event(a, r, RUN_EV_RELEASED);
        break;
    }
}

/* ---- what the API asks ---------------------------------------------------------------------------- */

bool run_on_replica(const RunSpec *spec, const JobConfig *job)
{
    if (str_eq(spec->kind, "upload"))
        return false;
    const char *on = spec->on ? spec->on : job ? job->on : "replica";
    return !str_eq(on, "primary");
}

static bool check_upload(const RunSpec *spec, Err *err)
{
    int64_t task, no;
    if (!spec->source.url || !wire_run_id(spec->source.run, &task, &no) || !no)
        return err_set(err, ERR_USAGE, 0, "an upload needs a source with run and url");
    return true;
}

static bool check_job(Agent *a, const RunSpec *spec, Err *err)
{
    const JobConfig *j = job_list_find(&a->jobs, spec->job);
    if (str_eq(spec->kind, "upload"))
        return check_upload(spec, err);
    if (!j)
        return err_set(err, ERR_REFUSED, 0,
                       "the job \"%s\" is not in the configuration of %s; put a file into %s", spec->job,
                       a->conf.node, a->conf.jobs_dir ? a->conf.jobs_dir : "its jobs_dir");
    if (spec->kind && !str_eq(spec->kind, j->kind))
        return err_set(err, ERR_REFUSED, 0, "the job \"%s\" is of kind %s here, not %s", spec->job, j->kind,
                       spec->kind);
    return joblist_check_args(j->name, &spec->args, &j->allow_args, err);
}

bool run_check(Agent *a, const RunSpec *spec, Err *err)
{
    int64_t task, no;
    if (!wire_run_id(spec->run, &task, &no) || !no)
        return err_set(err, ERR_USAGE, 0, "field \"run\" must be a run's id such as \"12.1\"");
    if (spec->cluster_name && !str_eq(spec->cluster_name, a->conf.cluster_name))
        return err_set(err, ERR_REFUSED, 0, "this agent belongs to cluster \"%s\", not \"%s\"",
                       a->conf.cluster_name, spec->cluster_name);
    if (!spec->job)
        return err_set(err, ERR_USAGE, 0, "field \"job\" is missing");
    return check_job(a, spec, err);
}

static Runner *add(Agent *a)
{
    a->runs = xrealloc(a->runs, (a->n_runs + 1) * sizeof *a->runs);
    return a->runs[a->n_runs++] = NEW(Runner);
}

static void discard(Agent *a, Runner *r)
{
    for (size_t i = 0; i < a->n_runs; i++)
        if (a->runs[i] == r) {
            memmove(&a->runs[i], &a->runs[i + 1], (a->n_runs - i - 1) * sizeof *a->runs);
            a->n_runs--;
            break;
        }
    drop_program(r);
    wire_free(journal_fields, &r->j);
    free(r);
}

bool run_accept(Agent *a, const RunSpec *spec, Runner **ret, Err *err)
{
    const JobConfig *job = job_list_find(&a->jobs, spec->job);
    AUTOFREE char *dir = run_dir(a, spec->run);
    if (!fs_mkdirs(dir, 0700, err))
        return false;
    Runner *r = add(a);
    wire_copy(run_spec_fields, &r->j.run.spec, spec);
    if (!r->j.run.spec.kind)
        r->j.run.spec.kind = xstrdup(job ? job->kind : "upload");
    r->side = run_on_replica(spec, job) ? RUN_ON_REPLICA : RUN_ON_PRIMARY;
    put(&r->j.run.spec.on, r->side == RUN_ON_REPLICA ? "replica" : "primary");
    r->state = RUN_ACCEPTED;
    r->j.run.accepted_at = clock_wall_ms();
    stamp(r, RUN_ACCEPTED);
    if (!save(a, r, err)) {
        discard(a, r);
        return false;
    }
    log_info("run %s: accepted, %s %s on the %s", id_of(r), r->j.run.spec.kind, r->j.run.spec.job,
             r->j.run.spec.on);
    agent_changed(a);
    act(a, r, RUN_ACT_AWAIT_APPLIED);
    *ret = r;
    return true;
}

static bool wrong_state(const Runner *r, const char *what, Err *err)
{
    return err_set(err, ERR_CONFLICT, 0, "run %s is %s: it cannot %s", id_of(r), run_state_wire(r->state),
                   what);
}

bool run_align(Agent *a, Runner *r, const RunAlign *to, Err *err)
{
    if (r->state != RUN_FROZEN || !r->j.run.spec.barrier)
        return wrong_state(r, "be aligned", err);
    if (!to->gtid || !*to->gtid || !to->source_file)
        return err_set(err, ERR_USAGE, 0, "an alignment needs gtid, source_file and source_pos");
    r->j.aligning = true;
    if (!pause_align(a, id_of(r), to->gtid, to->source_file, to->source_pos, err)) {
        r->j.aligning = false;
        return false;
    }
    event(a, r, RUN_EV_ALIGN);
    return true;
}

bool run_go(Agent *a, Runner *r, Err *err)
{
    if (r->state > RUN_FROZEN && run_is_under_way(r))
        return true; /* asked twice */
    if (r->state != RUN_FROZEN || r->j.aligning)
        return wrong_state(r, "go", err);
    event(a, r, RUN_EV_GO);
    return true;
}

bool run_request(Agent *a, Runner *r, const char *action, const char *by, Err *err)
{
    bool stop = str_eq(action, "stop"), kill_it = str_eq(action, "kill");
    if (!run_is_under_way(r))
        return wrong_state(r, action, err);
    if (stop || kill_it) {
        AUTOFREE char *text = xasprintf("%s by %s", stop ? "stopped" : "killed", by && *by ? by : "request");
        RunEnd end = {
            .outcome = stop ? "stopped" : "killed", .kind = ERR_CANCELLED, .text = text, .hard = kill_it};
        run_cut(a, r, &end);
        return true;
    }
    if (!str_eq(action, "sleep") && !str_eq(action, "wake"))
        return err_set(err, ERR_USAGE, 0, "action \"%s\" is not one of stop, kill, sleep, wake", action);
    RunEvent ev = str_eq(action, "sleep") ? RUN_EV_SLEEP : RUN_EV_WAKE;
    if (!run_machine_find(r->side, r->state, ev))
        return wrong_state(r, action, err);
    event(a, r, ev);
    return true;
}

/* People ask for what the run itself did, not for its sealing. */
char *run_log_dir(const Agent *a, const Runner *r)
{
    return run_program_dir(a, r, r->j.program && !str_eq(r->j.program, "seal") ? r->j.program : "job");
}

bool run_forget(Agent *a, Runner *r, Err *err)
{
    if (run_is_under_way(r))
        return wrong_state(r, "be forgotten", err);
    AUTOFREE char *dir = run_dir(a, id_of(r)), *program = run_log_dir(a, r);
    if (!logs_keep(a->conf.state_dir, id_of(r), program, err) || !fs_remove_tree(dir, err))
        return false;
    discard(a, r);
    agent_changed(a);
    return true;
}

/* ---- restart and time ----------------------------------------------------------------------------- */

static bool load_one(Agent *a, const char *id)
{
    Err err;
    RunJournal j = {0};
    AUTOFREE char *name = xasprintf("runs/%s/run.json", id);
    if (!store_read(a, name, journal_fields, &j, &err)) {
        log_error("run %s is left out: %s", id, err.text);
        return false;
    }
    Runner *r = add(a);
    r->j = j;
    r->side = str_eq(j.run.spec.on, "primary") ? RUN_ON_PRIMARY : RUN_ON_REPLICA;
    if (!run_state_from_name(j.state, &r->state))
        r->state = RUN_RESUMING;
    return true;
}

void run_load_all(Agent *a)
{
    Err err;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    AUTOFREE char *dir = xasprintf("%s/runs", a->conf.state_dir);
    if (!fs_list(dir, &names, &err))
        return;
    for (size_t i = 0; i < names.n; i++)
        load_one(a, names.v[i]);
    for (size_t i = 0; i < a->n_runs; i++) {
        Runner *r = a->runs[i];
        if (run_is_under_way(r))
            log_info("run %s: found in state %s", id_of(r), run_state_name(r->state));
        if (r->state == RUN_RUNNING || r->state == RUN_SLEEPING || r->state == RUN_CUTTING)
            act(a, r, run_machine_again(r->state));
    }
}

static void met_one(Agent *a, Runner *r)
{
    Err err;
    bool needs_lease = r->side == RUN_ON_REPLICA &&
                       (r->state == RUN_FROZEN || r->state == RUN_RUNNING || r->state == RUN_SLEEPING);
    if (needs_lease && !pause_is_held_by(a, id_of(r))) {
        err_set(&err, ERR_CORRUPT, 0, "the pause of this run was found ended when the agent started");
        void_run(a, r, &err);
        return;
    }
    bool done_at_load = r->state == RUN_RUNNING || r->state == RUN_SLEEPING || r->state == RUN_CUTTING;
    if (!done_at_load && run_is_under_way(r) && !r->program && !r->step)
        act(a, r, run_machine_again(r->state));
}

void run_met(Agent *a)
{
    for (size_t i = 0; i < a->n_runs; i++)
        met_one(a, a->runs[i]);
}

static void check_space(Agent *a, Runner *r)
{
    bool writes = r->state == RUN_RUNNING || r->state == RUN_SLEEPING || r->state == RUN_SEALING;
    bool spool = a->spool_free >= 0 && a->spool_free < a->conf.min_free_bytes;
    bool state = a->state_free >= 0 && a->state_free < a->conf.min_free_bytes;
    if (!writes || (!spool && !state))
        return;
    AUTOFREE char *text = xasprintf(
        "the disk is full: %s has %lld bytes free, min_free_bytes is %lld; the partial result was removed",
        spool ? a->conf.spool_dir : a->conf.state_dir, (long long)(spool ? a->spool_free : a->state_free),
        (long long)a->conf.min_free_bytes);
    RunEnd end = {.outcome = "error", .kind = ERR_NO_SPACE, .text = text};
    run_cut(a, r, &end);
}

static void check_barrier(Agent *a, Runner *r)
{
    int64_t now = clock_mono_ms(),
            heard = a->coordinator_ms > r->barrier_ms ? a->coordinator_ms : r->barrier_ms;
    if (r->state != RUN_FROZEN || !r->barrier_ms || now - heard < a->conf.barrier_timeout_ms)
        return;
    RunEnd end = {.outcome = "error",
                  .kind = ERR_TIMEOUT,
                  .text = "the coordinator was lost while the replica waited frozen for the others"};
    run_cut(a, r, &end);
}

void run_tick(Agent *a)
{
    Err err;
    for (size_t i = 0; i < a->n_runs; i++) {
        Runner *r = a->runs[i];
        if (r->dirty)
            (void)!save(a, r, &err);
        take_progress(a, r);
        check_space(a, r);
        check_barrier(a, r);
        bool stuck = !r->step && !r->program &&
                     ((r->state == RUN_SEALING && r->j.run.outcome == NULL) ||
                      (r->state == RUN_ACCEPTED && r->side == RUN_ON_REPLICA));
        if (stuck && a->met)
            act(a, r, run_machine_again(r->state)); /* its step was refused by a full pool */
    }
}

void run_close_all(Agent *a)
{
    while (a->n_runs)
        discard(a, a->runs[a->n_runs - 1]);
    free(STEAL(a->runs));
}
