/* SPDX-License-Identifier: Apache-2.0
 * The programs of a run's stages (job, fetch, load, seal, gather): started, watched, and what their ends mean
 * for the run.
 */
#include <signal.h>

#include "agent.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "run_impl.h"

enum { MAX_TRIES = 5, MANIFEST_FILES_SHOWN = 50 };

typedef struct RunWatch {
    Agent *a;
    Runner *r;
} RunWatch;

void run_stage_drop(Runner *r)
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
    bool goes_on = r->j.run.spec.kind == KIND_UPLOAD || r->state == RUN_GATHERING;
    if (e || !goes_on || r->j.tries >= MAX_TRIES)
        return false;
    AUTOFREE char *dir = run_program_dir(a, r, r->j.program), *name = xstrdup(r->j.program);
    if (!program_reset(dir, &err)) {
        log_warn("run %s: %s", run_id(r), err.text);
        return false;
    }
    r->j.tries++;
    log_warn("run %s: the supervisor of %s was killed, starting it again", run_id(r), name);
    run_stage_start(a, r, name);
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
    run_stage_drop(r);
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
        run_stage_drop(r);
    return ok;
}

void run_stage_start(Agent *a, Runner *r, const char *name)
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

void run_stage_cut(Agent *a, Runner *r)
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
